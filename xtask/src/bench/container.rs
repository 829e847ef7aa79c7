//! What a whole `bulkhead run` costs beside the bare boot of its guest, inside the emulated host.
//!
//! Both boot the same guest: the kernel, the initramfs with guest-init, the disk, the socket, memory and processor are
//! those that `bulkhead` itself prepares. What differs is who starts the VMM, and what comes after:
//!
//! - the whole: from the `execve` of `bulkhead run --rm IMAGE true` until `bulkhead` has ended, nothing left of its VM;
//! - the bare boot: from the `execve` of `bulkhead-vmm` until guest-init calls its host on vsock. We listen where `bulkhead`
//!   would. guest-init calls first of all, when the kernel's modules are loaded and nothing is mounted yet, so
//!   this is the least that any way of starting a process in this guest pays. All else counts as `bulkhead`'s cost: finding
//!   the image, the container's files, the guest's mounts, the talk with it, the process, the VM's end.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use runtime::bundle::{Bundle, VmConfig, Vsock};
use runtime::platform::Platform;
use serde::{Deserialize, Serialize};

use super::nanoseconds;
use super::start::Running;
use super::system_calls;
use crate::error::{Doing, Error};
use crate::run::demo;

/// Where a container's host keeps everything, as the environment says it.
const FOLDERS: [&str; 3] = ["XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"];

/// Where all that is needed is outside the emulated host's own memory.
#[derive(Debug, Serialize, Deserialize)]
pub struct Parts {
    /// `bulkhead`, `bulkhead-vmm` and `guest-init`.
    pub programs: Vec<PathBuf>,
    /// The folder of the kernel and its modules, as the cache has it.
    pub kernel: PathBuf,
    /// An archive of the demo image.
    pub image: PathBuf,
}

/// What was measured, of each run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Times {
    /// The whole of `bulkhead run`, in nanoseconds.
    pub whole: Vec<u64>,
    /// The bare boot, likewise.
    pub boot: Vec<u64>,
    /// System calls of `bulkhead`'s main thread. To trace the VMM, or to stop for every exit of its guest, would take minutes.
    pub system_calls: u64,
}

/// All that is needed, in a tmpfs, with the image loaded.
pub struct Container {
    folder: PathBuf,
    vm: VmConfig,
}

impl Container {
    /// Puts everything into `folder`, as a user has it who has run the image before.
    pub fn prepare(parts: &Parts, folder: PathBuf) -> Result<Container, Error> {
        let copy = |from: &Path, to: &Path| {
            let name = from.file_name().unwrap_or_default();
            fs::copy(from, to.join(name)).map(drop).doing(|| format!("copy {}", from.display()))
        };
        let make =
            |path: &Path| fs::create_dir_all(path).doing(|| format!("create {}", path.display()));
        for name in FOLDERS {
            make(&folder.join(name))?;
        }
        let programs = folder.join("bin");
        make(&programs)?;
        for program in &parts.programs {
            copy(program, &programs)?;
        }
        let architecture = Platform::NATIVE.architecture();
        let kernel = folder.join(FOLDERS[0]).join("bulkhead/kernels").join(architecture);
        for part in ["", "modules"] {
            let (from, to) = (parts.kernel.join(part), kernel.join(part));
            make(&to)?;
            for entry in fs::read_dir(&from).doing(|| format!("read {}", from.display()))? {
                let path = entry.doing(|| format!("read {}", from.display()))?.path();
                if path.is_file() {
                    copy(&path, &to)?;
                }
            }
        }
        let bundle = folder.join("bundle.json");
        let bulkhead = || command(&folder, &programs.join("bulkhead"));
        end_well(bulkhead().args(["load", "--input"]).arg(&parts.image))?;
        end_well(bulkhead().args(["prepare", "--out"]).arg(&bundle).args([demo::NAME, "true"]))?;
        let text = fs::read(&bundle).doing(|| format!("read {}", bundle.display()))?;
        let bundle: Bundle = serde_json::from_slice(&text)
            .map_err(|error| Error::Content(format!("the bundle: {error}")))?;
        Ok(Container { folder, vm: bundle.vm })
    }

    /// The two take turns. The first turn of each is not counted.
    pub fn measure(&self, runs: u32, strace: &Path) -> Result<Times, Error> {
        let mut times = Times::default();
        for turn in 0..=runs {
            let (whole, boot) = (self.run()?, self.boot()?);
            if turn > 0 {
                times.whole.push(nanoseconds(whole));
                times.boot.push(nanoseconds(boot));
            }
        }
        let record = self.folder.join("strace");
        let mut command = command(&self.folder, strace);
        command.arg("-o").arg(&record).arg(self.program("bulkhead")).args(RUN);
        end_well(&mut command)?;
        times.system_calls = system_calls::of_one_thread(&record)?;
        Ok(times)
    }

    fn run(&self) -> Result<Duration, Error> {
        let mut command = command(&self.folder, &self.program("bulkhead"));
        command.args(RUN);
        let began = Instant::now();
        end_well(&mut command)?;
        Ok(began.elapsed())
    }

    /// With the files and arguments of `bulkhead`'s way to start a VMM.
    fn boot(&self) -> Result<Duration, Error> {
        let folder = self.folder.join("run");
        let doing = || format!("write to {}", folder.display());
        // The VMM removes it at its end.
        fs::create_dir(&folder).doing(doing)?;
        let socket = folder.join("vsock");
        let reception = folder.join(format!("vsock_{}", protocol::PORT));
        let reception = UnixListener::bind(reception).doing(doing)?;
        let vsock = Some(Vsock { guest_cid: 3, uds_path: socket });
        let config = VmConfig { vsock, ..self.vm.clone() };
        let text = serde_json::to_vec(&config).map_err(std::io::Error::from).doing(doing)?;
        let config_file = folder.join("vm.json");
        fs::write(&config_file, text).doing(doing)?;
        let arguments: [&Path; 6] = [
            &self.program("bulkhead-vmm"),
            "--no-api".as_ref(),
            "--config-file".as_ref(),
            &config_file,
            "--runtime-dir".as_ref(),
            &folder,
        ];
        let mut running = Running::start(&arguments.map(Into::into))?;
        let time = running.wait_for_call(&reception)?;
        running.stop()?;
        Ok(time)
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }
}

/// The arguments of `bulkhead`.
const RUN: [&str; 4] = ["run", "--rm", demo::NAME, "true"];

/// A program that finds everything in `folder`.
fn command(folder: &Path, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.envs(FOLDERS.map(|name| (name, folder.join(name))));
    // An image's name could be a path in it, and a look outside would be counted.
    command.current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end, which must be a good one.
fn end_well(command: &mut Command) -> Result<(), Error> {
    let output = command.output();
    let output = output.doing(|| format!("start {}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    let messages = String::from_utf8_lossy(&output.stderr);
    Err(Error::Content(format!("{command:?}: {}\n{messages}", output.status)))
}
