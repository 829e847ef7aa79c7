//! The command itself: what it says about bad input, and what it leaves behind, up to the start of a VM.

mod bundles;
#[path = "../common/mod.rs"]
mod common;
mod input;
mod papers;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{assert_refused, text};
use flate2::Compression;
use flate2::write::GzEncoder;
use host::platform::Platform;

/// A place to run the command in: a cache, a folder for running VMs, a copy of the command, and programs beside it.
struct Place {
    work: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// The start of a program's file for this platform, and what follows.
fn elf(platform: Platform, rest: &str) -> Vec<u8> {
    let machine: u16 = match platform {
        Platform::Amd64 => 62,
        Platform::Arm64 => 183,
    };
    [b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0", &machine.to_le_bytes()[..], rest.as_bytes()]
        .concat()
}

/// What is taken for a kernel for this platform, until the VMM looks at it.
fn kernel(platform: Platform) -> Vec<u8> {
    match platform {
        Platform::Amd64 => elf(platform, "and more"),
        Platform::Arm64 => [&[0; 56][..], b"ARM\x64", &[0; 4]].concat(),
    }
}

/// One test at a time: a program that one thread still writes, when another forks, stays open in the child until its
/// `exec`, and to start the program then fails with ETXTBSY.
static TURN: Mutex<()> = Mutex::new(());

impl Place {
    fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Self { work: tempfile::tempdir().unwrap(), _turn: turn };
        for folder in ["bin", "cache", "path", "run", "root"] {
            fs::create_dir(place.path(folder)).unwrap();
        }
        fs::copy(env!("CARGO_BIN_EXE_bulkhead"), place.path("bin/bulkhead")).unwrap();
        fs::write(place.path("bin/guest-init"), elf(Platform::NATIVE, "an init")).unwrap();
        fs::write(place.path("root/file"), "a root file system").unwrap();
        fs::write(place.path("kernel"), kernel(Platform::NATIVE)).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    /// Let the VMM be this shell script.
    fn vmm(&self, script: &str) {
        let path = self.path("bin/bulkhead-vmm");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn bulkhead(&self, arguments: &[&str]) -> Output {
        Command::new(self.path("bin/bulkhead"))
            .args(arguments)
            .current_dir(self.work.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("PATH", format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", text(&self.path("path"))))
            .output()
            .unwrap()
    }

    /// The command fails with this status, one line that contains `message`, and nothing left behind.
    fn fails(&self, arguments: &[&str], status: i32, message: &str) {
        let output = self.bulkhead(arguments);
        assert_refused(&output, arguments, status, message);
        let run = self.path("run/bulkhead");
        let left = fs::read_dir(run).map_or(0, |entries| entries.count());
        assert_eq!(left, 0, "{arguments:?}");
    }
}
