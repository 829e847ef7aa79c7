//! A test's own place: nothing that it does is seen by another, and all that it leaves is its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::leftovers::{eventually, files, has_mounts, processes};
use crate::machine::HERE;
use crate::process::{Outcome, Running};
use crate::{have, skip};

/// The programs under test.
const PROGRAMS: [&str; 3] = ["bulkhead", "bulkhead-vmm", "guest-init"];

/// The name of a VMM's outer process.
pub const JAILER: &str = "bulkhead-jailer";

/// Where `cargo xtask test` says which kernel guests boot.
const KERNEL: &str = "BULKHEAD_KERNEL";

/// Where it says which kernel of our own they may boot instead; our other programs are beside it.
const BARE_GUEST: &str = "BULKHEAD_BARE_GUEST";

/// A cache, a folder for running VMs, one for temporary files, and one for the test's own.
pub struct World {
    folder: tempfile::TempDir,
    kernel: PathBuf,
}

impl World {
    /// An empty world. `None` where there is nothing to test, after a line that says so.
    pub fn new(test: &str) -> Option<World> {
        Self::new_in(test, &std::env::temp_dir())
    }

    /// Likewise, below a folder.
    pub fn new_in(test: &str, folder: &Path) -> Option<World> {
        if !have(test, &PROGRAMS) {
            return None;
        }
        let Some(kernel) = kernel() else {
            skip(test, "no guest kernel: `cargo xtask test` fetches one");
            return None;
        };
        let world = World { folder: tempfile::tempdir_in(folder).unwrap(), kernel };
        for folder in ["cache", "run", "tmp"] {
            fs::create_dir(world.path(folder)).unwrap();
        }
        Some(world)
    }

    /// A path in the world's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Likewise, as text.
    pub fn text(&self, name: &str) -> String {
        self.path(name).into_os_string().into_string().unwrap()
    }

    /// The kernel that guests boot.
    pub fn kernel(&self) -> &Path {
        &self.kernel
    }

    /// A program of ours without an operating system's library, that is built beside the bare guest. `None` where `cargo xtask
    /// test` has not built it, after a line that says so.
    pub fn own_program(&self, test: &str, name: &str) -> Option<PathBuf> {
        let path =
            std::env::var_os(BARE_GUEST).map(|kernel| PathBuf::from(kernel).with_file_name(name));
        let found = path.filter(|path| path.is_file());
        if found.is_none() {
            skip(test, &format!("no {name}: `cargo xtask test` builds it"));
        }
        found
    }

    /// A program that knows no other place than this.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.folder.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.path());
        command.env("XDG_CACHE_HOME", self.path("cache"));
        command.env("XDG_RUNTIME_DIR", self.path("run")).env("TMPDIR", self.path("tmp"));
        command
    }

    /// `bulkhead` with these arguments and this input, to its end.
    pub fn bulkhead(&self, arguments: &[&str], input: &str) -> Outcome {
        Running::start(self.command("bulkhead").args(arguments), input).wait()
    }

    /// `bulkhead prepare` of a shell in this image, with the guest kernel. The bundle is the file `bundle`.
    #[track_caller]
    pub fn prepare(&self, image: &str) {
        let kernel = self.kernel.to_str().unwrap();
        let arguments = ["prepare", "--out", "bundle", "--kernel", kernel, image, "--", "sh"];
        self.bulkhead(&arguments, "").assert(0, "", "");
    }

    /// `bulkhead run` of a container that reads its input and leaves nothing, with the guest kernel, these flags, this image,
    /// and this command, if any.
    pub fn run(&self, flags: &[&str], image: &str, command: &[&str]) -> Command {
        self.run_as_docker(&[&["--rm", "-i"], flags].concat(), image, command)
    }

    /// `bulkhead run` with nothing but the guest kernel added.
    pub fn run_as_docker(&self, flags: &[&str], image: &str, command: &[&str]) -> Command {
        let mut run = self.command("bulkhead");
        run.arg("run").arg("--kernel").arg(&self.kernel).args(flags).arg(image);
        if !command.is_empty() {
            run.arg("--").args(command);
        }
        run
    }

    /// A shell script in a container of this image, without input.
    pub fn shell(&self, flags: &[&str], image: &str, script: &str) -> Outcome {
        Running::start(&mut self.run(flags, image, &["sh", "-c", script]), "").wait()
    }

    /// Checks that no process, mount, VM's folder, temporary file or half-written cache file is left. What was killed
    /// gets the time to end.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let folder = self.folder.path();
        eventually(|| processes(folder).is_empty());
        let left: Vec<_> = processes(folder).into_iter().map(command_line).collect();
        assert!(left.is_empty(), "processes: {left:?}");
        assert!(!has_mounts(folder), "mounts are left");
        let left: Vec<_> = [files(&self.path("run/bulkhead")), files(&self.path("tmp"))].concat();
        assert!(left.is_empty(), "files: {left:?}");
        let mut left = files(&self.path("cache"));
        left.retain(|path| path.to_string_lossy().ends_with(".partial"));
        assert!(left.is_empty(), "half-written files: {left:?}");
    }

    /// All files and folders of it.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        files(self.folder.path()).into_iter().collect()
    }

    /// Processes that run for this world.
    pub fn processes(&self) -> Vec<u32> {
        processes(self.folder.path())
    }

    /// The one process of this world that runs `program`. The one that waits outside of a VM's jail is the [`JAILER`].
    #[track_caller]
    pub fn process(&self, program: &str) -> u32 {
        let runs = |number: &u32| {
            let name = fs::read_to_string(format!("/proc/{number}/comm")).unwrap_or_default();
            if (name.trim_end() == JAILER) != (program == JAILER) {
                return false;
            }
            if program == JAILER {
                return true;
            }
            let line = command_line(*number);
            let mut words = line.split(' ');
            // A VMM that only tries what KVM can do is no VM.
            words.next().is_some_and(|file| file.ends_with(program))
                && words.next() != Some("--probe")
        };
        let found: Vec<u32> = self.processes().into_iter().filter(runs).collect();
        match found[..] {
            [number] => number,
            _ => panic!("{program}: {found:?}"),
        }
    }
}

fn command_line(process: u32) -> String {
    let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

/// The one that `cargo xtask test` names, else the one that `cargo xtask` has built or fetched before.
fn kernel() -> Option<PathBuf> {
    let named = std::env::var_os(KERNEL).map(PathBuf::from);
    let fetched = || {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache =
            cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
        let kernels = ["bulkhead/kernels/own", "bulkhead/kernels"].map(|folder| cache.join(folder));
        let mut kernels = kernels
            .map(|kernels| kernels.join(HERE.architecture).join(HERE.kernel_name))
            .into_iter();
        kernels.find(|path| path.is_file())
    };
    named.or_else(fetched).filter(|path| path.is_file())
}
