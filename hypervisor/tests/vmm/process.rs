//! Runs the real `bulkhead-vmm` with a configuration made for a test.

use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than any of these guests takes, on a loaded machine.
const LIMIT: Duration = Duration::from_secs(20);

/// Whether there is a `/dev/kvm` to use. Where there is not, the test's name and the reason are
/// printed for whoever counts.
pub fn kvm_is_there(test: &str) -> bool {
    match std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        Ok(_) => true,
        Err(error) => {
            println!("SKIPPED: {test}: /dev/kvm: {error}");
            false
        }
    }
}

/// Whether this is root; where it is not, the test is counted as skipped.
pub fn is_root(test: &str) -> bool {
    // SAFETY: takes nothing and gives a number.
    let is_root = unsafe { libc::geteuid() } == 0;
    if !is_root {
        println!("SKIPPED: {test}: only root can look at all of it");
    }
    is_root
}

/// A folder with a guest and its configuration.
pub struct Vm {
    folder: tempfile::TempDir,
    arguments: Vec<String>,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Exit status, or the number of the signal that ended it, negated.
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Vm {
    /// A VM of one vCPU and 16 MiB that boots `kernel`.
    pub fn new(kernel: &[u8]) -> Vm {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kernel"), kernel).unwrap();
        let vm = Vm { folder, arguments: Vec::new() };
        vm.configure("");
        vm
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The kernel's file.
    pub fn kernel(&self) -> PathBuf {
        self.folder().join("kernel")
    }

    /// Adds top-level fields to the configuration: JSON that begins with a comma.
    pub fn configure(&self, more: &str) -> &Vm {
        let kernel = self.kernel();
        self.write(&format!(
            r#"{{"boot-source": {{"kernel_image_path": {kernel:?}}},
                "machine-config": {{"vcpu_count": 1, "mem_size_mib": 16}}{more}}}"#
        ))
    }

    /// Sets the whole configuration.
    pub fn write(&self, json: &str) -> &Vm {
        std::fs::write(self.folder().join("vm.json"), json).unwrap();
        self
    }

    /// Adds a command line argument.
    pub fn argument(mut self, argument: &str) -> Vm {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Starts it with pipes for stdin, stdout and stderr.
    pub fn start(&self) -> Child {
        self.command().spawn().unwrap()
    }

    /// The same by somebody who has blocked every signal that can be.
    pub fn start_with_blocked_signals(&self) -> Child {
        let mut command = self.command();
        // SAFETY: between fork and exec the closure only makes a system call, with a set that it has initialized.
        unsafe {
            command.pre_exec(|| {
                let mut set = MaybeUninit::uninit();
                libc::sigfillset(set.as_mut_ptr());
                match libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            })
        };
        command.spawn().unwrap()
    }

    /// Its command line, with pipes.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulkhead-vmm"));
        command.args(["--no-api", "--config-file"]).arg(self.folder().join("vm.json"));
        command.args(&self.arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end with this input.
    pub fn run(&self, input: &[u8]) -> Outcome {
        run(self.command(), input)
    }
}

/// Runs a VM, which has pipes, to its end with this input.
pub fn run(mut command: Command, input: &[u8]) -> Outcome {
    let mut child = command.spawn().unwrap();
    // A guest that ends early closes its end.
    let _ = child.stdin.take().unwrap().write_all(input);
    finish(child)
}

/// Waits for the end of a process, and collects what it wrote. Too long is an error.
pub fn finish(mut child: Child) -> Outcome {
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("bulkhead-vmm did not end in {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    child.stdout.unwrap().read_to_end(&mut stdout).unwrap();
    child.stderr.unwrap().read_to_end(&mut stderr).unwrap();
    Outcome {
        status: status.code().unwrap_or_else(|| -status.signal().unwrap_or(0)),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}
