//! The bare guest: our own kernel, which drives every device and reports.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use ::host::child::spawn_bound;
use ::host::kvm::Kvm;
use clap::Args;
use rustix::process::Signal;
use serde_json::json;

use super::{Accel, Way, choose};
use crate::arch::Arch;
use crate::build;
use crate::error::{Doing, Error};
use crate::host::{self, Options};
use crate::progress::say;
use crate::watchdog::Watchdog;

/// The hidden command that is run in the emulated host.
pub const INNER_COMMAND: &str = "bare-guest";

/// Where the guest connects to: an echo of ours.
const ECHO_PORT: u32 = 1024;

/// The socket of what is at the other end of its network.
const NETWORK: &str = "network";

/// As many processors as a VM may have: on aarch64 the guest starts and stops each.
const VCPUS: u32 = 32;

/// It takes milliseconds; in the emulated host some seconds.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Run the bare guest on the KVM that is here
#[derive(Args)]
pub struct InnerArgs {
    vmm: PathBuf,
    kernel: PathBuf,
}

/// Runs it, here if there is any KVM, otherwise in the emulated host.
pub fn run(accel: Accel, arch: Arch) -> Result<u8, Error> {
    let any_kvm = |kvm: &Kvm| !matches!(kvm, Kvm::None(_));
    let (way, line) = choose(accel, arch, any_kvm)?;
    say(&line);
    let vmm = build::quick_vmm(arch)?;
    let kernel = build::bare_guest(arch)?;
    match way {
        Way::Direct => InnerArgs { vmm, kernel }.run(),
        Way::Emulated => {
            let folder = vmm.parent().unwrap_or(Path::new(".")).to_owned();
            let command = [build::xtask(arch)?, INNER_COMMAND.into(), vmm, kernel];
            let process = host::process(arch, &[&folder], command.map(Into::into).to_vec())?;
            host::run_in_foreground(&Options { arch, ..Options::default() }, process)
        }
    }
}

impl InnerArgs {
    /// Prints the report; the status is 1 when a check failed.
    pub fn run(self) -> Result<u8, Error> {
        let report = report(&self.vmm, &self.kernel, |line| println!("{line}"))?;
        Ok(u8::from(report.failed > 0))
    }
}

/// What the guest found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Checks that passed.
    pub passed: usize,
    /// Checks that failed.
    pub failed: usize,
    /// Name and reason of what could not be checked.
    pub skipped: Vec<String>,
    complete: bool,
}

impl Report {
    /// Reads a whole report.
    pub fn read(output: &str) -> Result<Report, Error> {
        let mut report = Report::default();
        output.lines().for_each(|line| report.take_in(line));
        let incomplete =
            || Error::Content(format!("{output}\nthe bare guest's report is incomplete"));
        report.complete.then_some(report).ok_or_else(incomplete)
    }

    fn take_in(&mut self, line: &str) {
        match line.split_once(' ') {
            Some(("ok", _)) => self.passed += 1,
            Some(("FAIL", _)) => self.failed += 1,
            Some(("skip", what)) => self.skipped.push(what.to_owned()),
            Some(("bare-guest:", sums)) => {
                let checks = self.passed + self.failed;
                self.complete = sums == format!("{checks} checks, {} failed", self.failed);
            }
            _ => {}
        }
    }
}

/// Runs the guest with a scratch disk, entropy, and echoes at the other ends of its socket device and of its network;
/// `show` gets each line of its report.
pub fn report(vmm: &Path, kernel: &Path, show: impl Fn(&str)) -> Result<Report, Error> {
    let doing = || "set up the bare guest".to_owned();
    // The VMM removes it, also when xtask is killed.
    let dir = tempfile::tempdir().doing(doing)?.keep();
    let path = |name: &str| dir.join(name);
    furnish(&dir)?;
    let config = configuration(&dir, kernel, VCPUS, "");
    fs::write(path("config.json"), config.to_string()).doing(doing)?;

    let mut command = Command::new(vmm);
    command.arg("--no-api").arg("--config-file").arg(path("config.json"));
    command.arg("--runtime-dir").arg(&dir).stdin(Stdio::null()).stdout(Stdio::piped());
    let starting = || format!("start {}", vmm.display());
    let mut child = spawn_bound(&mut command, &[], Signal::TERM).doing(starting)?;
    let watchdog = Watchdog::start(&child, Some(TIME_LIMIT))?;
    let mut report = Report::default();
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
        let line = line.doing(|| "read the bare guest's report".into())?;
        report.take_in(line.trim_end());
        show(line.trim_end());
    }
    let status = child.wait().doing(|| "wait for the bare guest".into())?;
    // Only a VMM that was killed has left it.
    let _ = fs::remove_dir_all(&dir);
    if watchdog.expired().is_some() {
        return Err(Error::Content(format!("the bare guest did not end within {TIME_LIMIT:?}")));
    }
    if !status.success() || !report.complete {
        let message = format!("the bare guest's report is incomplete; the VMM ended with {status}");
        return Err(Error::Content(message));
    }
    Ok(report)
}

/// Puts into `folder` what a machine of [`configuration`] needs: a scratch disk, a program that its guests can call, and one at
/// the other end of their network.
pub fn furnish(folder: &Path) -> Result<(), Error> {
    let doing = || "set up the bare guest".to_owned();
    let disk = fs::File::create(folder.join("disk"));
    disk.and_then(|disk| disk.set_len(1 << 20)).doing(doing)?;
    // Frames, with their lengths before them, come back as they are.
    for name in [&format!("vsock_{ECHO_PORT}"), NETWORK] {
        let listener = UnixListener::bind(folder.join(name)).doing(doing)?;
        thread::spawn(move || listener.incoming().flatten().for_each(echo));
    }
    Ok(())
}

/// A machine with so many processors and every device there is; `words` are its guest's command line.
pub fn configuration(folder: &Path, kernel: &Path, vcpus: u32, words: &str) -> serde_json::Value {
    json!({
        "boot-source": { "kernel_image_path": kernel, "boot_args": words },
        "machine-config": { "vcpu_count": vcpus, "mem_size_mib": 64 },
        "drives": [{
            "drive_id": "scratch", "path_on_host": folder.join("disk"), "is_root_device": false, "is_read_only": false,
        }],
        "vsock": { "guest_cid": 3, "uds_path": folder.join("vsock") },
        "network-interfaces": [{
            "iface_id": "eth0", "socket": folder.join(NETWORK), "guest_mac": "06:00:00:00:00:02", "mtu": 1400,
        }],
        "entropy": {},
    })
}

/// Sends back what comes, until its end.
fn echo(mut stream: UnixStream) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_and_is_complete_only_with_its_right_sums() {
        let mut report = Report::default();
        for line in ["SeaBIOS", "ok cpu x", "FAIL rtc y: z", "skip vsock-echo nobody"] {
            report.take_in(line);
        }
        report.take_in("bare-guest: 3 checks, 1 failed");
        assert!(!report.complete);
        report.take_in("bare-guest: 2 checks, 1 failed");
        assert!(report.complete);
        assert_eq!((report.passed, report.failed), (1, 1));
        assert_eq!(report.skipped, ["vsock-echo nobody"]);
    }
}
