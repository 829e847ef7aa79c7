//! The emulated host as a person uses it: `xtask host -- COMMAND`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Makes a KVM_CREATE_VM: an ioctl with the number 0xae01 (Documentation/virt/kvm/api.rst).
const CREATE_VM: &str =
    r#"perl -e 'open(K, "+<", "/dev/kvm") && ioctl(K, 0xae01, 0) || die "KVM: $!\n"'"#;

/// Has each check run on each architecture.
macro_rules! on_each_architecture {
    ($($check:ident),+ $(,)?) => {
        mod x86_64 {
            $(
                #[test]
                #[ignore = "needs QEMU: cargo xtask test"]
                fn $check() {
                    super::$check("x86_64");
                }
            )+
        }
        mod aarch64 {
            $(
                #[test]
                #[ignore = "needs QEMU: cargo xtask test"]
                fn $check() {
                    super::$check("aarch64");
                }
            )+
        }
    };
}

on_each_architecture! {
    streams_are_separate_and_unchanged_and_the_status_is_the_commands,
    a_missing_command_and_a_time_limit_are_told_apart,
    a_signal_reaches_the_command_and_its_answer_comes_back,
    nothing_is_left_when_xtask_is_killed,
}

/// `xtask host` with its temporary files in `tmp`.
fn host(tmp: &Path, arch: &str, flags: &[&str], command: &[&str]) -> Command {
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    xtask.args(["host", "--arch", arch]).args(flags).arg("--").args(command);
    xtask.env("TMPDIR", tmp).env("WORDS", "two words").current_dir(tmp);
    xtask.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    xtask
}

fn run(tmp: &Path, arch: &str, flags: &[&str], command: &[&str], input: Vec<u8>) -> Output {
    let mut child = host(tmp, arch, flags, command).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // A command that ends early does not read it all.
    let _ = writer.join().unwrap();
    output
}

/// What was said on stderr, but for lines like `xtask: 50 s: starting the emulated host`, which a slow machine has.
fn said(output: &Output) -> String {
    let is_progress = |line: &str| {
        let seconds = line.strip_prefix("xtask: ").and_then(|line| line.split_once(" s: "));
        seconds.is_some_and(|(seconds, _)| seconds.parse::<u64>().is_ok())
    };
    let text = String::from_utf8_lossy(&output.stderr);
    text.split_inclusive('\n').filter(|line| !is_progress(line)).collect()
}

/// The paths of the quick binaries for `arch`: `bulkhead` and `bulkhead-vmm` are the first two.
fn binaries(arch: &str) -> Vec<String> {
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let build = xtask.args(["build", "--quick", "--target", arch]).output().unwrap();
    assert!(build.status.success(), "{}", said(&build));
    String::from_utf8(build.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Starts a command that prints "up" when it runs.
fn start(tmp: &Path, arch: &str, command: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = host(tmp, arch, &[], &["sh", "-c", command]).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "up\n");
    (child, stdout)
}

fn streams_are_separate_and_unchanged_and_the_status_is_the_commands(arch: &str) {
    let tmp = tempfile::tempdir().unwrap();
    let input: Vec<u8> =
        (0..4u32 << 20).map(|n| (n.wrapping_mul(0x9E37_79B9) >> 24) as u8).collect();
    let script =
        format!("{CREATE_VM}; echo $(uname -m) $PWD $WORDS >&2; echo here >file; cat; exit 7");
    let output = run(tmp.path(), arch, &[], &["sh", "-c", &script], input.clone());
    let errors = said(&output);
    assert_eq!(output.status.code(), Some(7), "{errors}");
    assert_eq!(errors, format!("{arch} {} two words\n", tmp.path().display()));
    assert!(output.stdout == input, "{} of {} bytes", output.stdout.len(), input.len());
    // The file system is this machine's.
    assert_eq!(fs::read_to_string(tmp.path().join("file")).unwrap(), "here\n");
}

fn a_missing_command_and_a_time_limit_are_told_apart(arch: &str) {
    let tmp = tempfile::tempdir().unwrap();
    let output = run(tmp.path(), arch, &[], &["/no/such/command"], Vec::new());
    let errors = said(&output);
    assert_eq!((output.status.code(), errors.lines().count()), (Some(127), 1), "{errors}");
    assert!(errors.contains("/no/such/command"), "{errors}");
    let output = run(tmp.path(), arch, &["--timeout", "1"], &["sleep", "1000"], Vec::new());
    let errors = said(&output);
    assert_eq!(output.status.code(), Some(124), "{errors}");
    assert!(errors.contains("time limit of 1 s"), "{errors}");
}

fn a_signal_reaches_the_command_and_its_answer_comes_back(arch: &str) {
    let tmp = tempfile::tempdir().unwrap();
    let (mut child, mut stdout) = start(
        tmp.path(),
        arch,
        "trap 'echo caught; exit 9' TERM; echo up; while :; do sleep 0.1; done",
    );
    send(&child, libc::SIGTERM);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), child.wait().unwrap().code()), ("caught\n", Some(9)));
}

fn nothing_is_left_when_xtask_is_killed(arch: &str) {
    let tmp = tempfile::tempdir().unwrap();
    let (mut child, _stdout) = start(tmp.path(), arch, "echo up; sleep 1000");
    let processes = children(child.id());
    assert!(processes.len() >= 2, "an emulator and a file server: {processes:?}");
    send(&child, libc::SIGKILL);
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while processes.iter().any(|&process| is_running(process)) {
        assert!(Instant::now() < deadline, "{processes:?} live on");
        std::thread::sleep(Duration::from_millis(50));
    }
    let left: Vec<_> = fs::read_dir(tmp.path()).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
#[ignore = "needs QEMU: cargo xtask test"]
fn every_aarch64_processor_has_a_kvm_of_its_kind() {
    let tmp = tempfile::tempdir().unwrap();
    let kinds = [
        ("neoverse-n1", "IPA Size Limit: 48 bits", "VHE mode"),
        ("cortex-a53", "IPA Size Limit: 40 bits", "Hyp nVHE mode"),
        ("cortex-a72", "IPA Size Limit: 44 bits", "Hyp nVHE mode"),
        ("max", "IPA Size Limit: 52 bits", "VHE mode"),
    ];
    for (cpu, addresses, mode) in kinds {
        let script = format!("{CREATE_VM}; dmesg | sed -n 's/.* kvm [^:]*: //p'");
        let output =
            run(tmp.path(), "aarch64", &["--cpu", cpu], &["sh", "-c", &script], Vec::new());
        assert_eq!(said(&output), "", "{cpu}");
        let told = String::from_utf8(output.stdout).unwrap();
        for line in [addresses.to_owned(), format!("{mode} initialized successfully")] {
            assert!(told.lines().any(|told| told == line), "{cpu}: no {line:?} in {told}");
        }
    }
}

/// Here and not among the tests of the VMM: of all hosts only this one has too few addresses for the most memory that a
/// configuration may ask for.
#[test]
#[ignore = "needs QEMU: cargo xtask test"]
fn memory_beyond_a_hosts_addresses_is_refused() {
    let tmp = tempfile::tempdir().unwrap();
    // The start of an Image (Documentation/arch/arm64/booting.rst): one page, to be placed anywhere.
    let mut kernel = vec![0; 4096];
    kernel[17] = 0x10;
    kernel[24] = 0xa;
    kernel[56..60].copy_from_slice(b"ARM\x64");
    fs::write(tmp.path().join("Image"), kernel).unwrap();
    let config = r#"{"boot-source": {"kernel_image_path": "Image"}, "drives": [],
        "machine-config": {"vcpu_count": 1, "mem_size_mib": 1048576}}"#;
    fs::write(tmp.path().join("vm.json"), config).unwrap();
    let vmm = &binaries("aarch64")[1];
    let command = [vmm.as_str(), "--no-api", "--config-file", "vm.json"];
    let output = run(tmp.path(), "aarch64", &["--cpu", "cortex-a53"], &command, Vec::new());
    let errors = said(&output);
    assert_eq!((output.status.code(), errors.lines().count()), (Some(2), 1), "{errors}");
    for word in ["machine-config.mem_size_mib: 1048576 MiB", "41 bits", "KVM has 40", "1047552 MiB"]
    {
        assert!(errors.contains(word), "{word:?} is not in: {errors}");
    }
}

/// Here and not among the tests of the VMM: only this host's measures of its time stamp counter are at odds, since its kernel
/// is told a first one (`tsc_early_khz`, Documentation/admin-guide/kernel-parameters.txt), 0.1 % below what the counted
/// clock makes it.
#[test]
#[ignore = "needs QEMU: cargo xtask test"]
fn a_guests_timers_fire_though_kvm_has_an_old_measure_of_the_counter() {
    let tmp = tempfile::tempdir().unwrap();
    let bulkhead = &binaries("x86_64")[0];
    fs::create_dir_all(tmp.path().join("root/bin")).unwrap();
    fs::copy("/bin/busybox", tmp.path().join("root/bin/busybox")).unwrap();
    // What was built is on the PATH, too.
    let script = "
        command -v bulkhead >/dev/null || exit 9
        export XDG_DATA_HOME=$PWD/data XDG_STATE_HOME=$PWD/state
        until dmesg | grep -Eq 'TSC clocksource calibration: (999\\.9|1000\\.0)'; do sleep 0.1; done
        \"$0\" run --rm ./root /bin/busybox sh -c 'busybox sleep 0.1; echo slept'";
    let flags = ["--icount", "--host-words", "tsc_early_khz=999000"];
    let output = run(tmp.path(), "x86_64", &flags, &["sh", "-c", script, bulkhead], Vec::new());
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!((told.as_ref(), output.status.code()), ("slept\n", Some(0)), "{output:?}");
}

#[test]
fn only_an_aarch64_host_has_a_choice_of_processors() {
    let tmp = tempfile::tempdir().unwrap();
    let output = run(tmp.path(), "x86_64", &["--cpu", "max"], &["true"], Vec::new());
    let errors = said(&output);
    assert_eq!((output.status.code(), errors.lines().count()), (Some(2), 1), "{errors}");
    assert!(errors.contains("--cpu"), "{errors}");
}

fn send(child: &Child, signal: i32) {
    // SAFETY: the child has not been waited for, so its number is its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
}

/// State and parent of a process (proc_pid_stat(5)), whose name may hold anything.
fn state_and_parent(process: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn children(parent: u32) -> Vec<u32> {
    let names = fs::read_dir("/proc").unwrap().flatten();
    let processes = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    processes
        .filter(|&process| state_and_parent(process).is_some_and(|(_, of)| of == parent))
        .collect()
}

/// A zombie runs no more; it waits for init.
fn is_running(process: u32) -> bool {
    state_and_parent(process).is_some_and(|(state, _)| state != 'Z')
}
