//! The two files of a snapshot, and who writes and reads them.

use std::fs::{File, OpenOptions};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::control::{Controller, DONE};
use crate::network::handed_over::inherit;
use crate::process::Vm;

const SAVE: &str = r#"{"snapshot_type": "Full"}"#;

/// Asks for a snapshot in these files.
pub fn save(controller: &Controller, state: &File, memory: &File) -> String {
    ask_to_save(controller, state, memory);
    controller.answer()
}

pub fn ask_to_save(controller: &Controller, state: &File, memory: &File) {
    let files = [state.as_fd(), memory.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&files)));
    let bytes = [IoSlice::new(SAVE.as_bytes())];
    sendmsg(controller.socket(), &bytes, &mut ancillary, SendFlags::NOSIGNAL).unwrap();
}

/// The two files of a snapshot.
pub struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    pub fn new() -> Files {
        Files { folder: tempfile::tempdir().unwrap() }
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub fn memory(&self) -> PathBuf {
        self.folder.path().join("memory")
    }

    /// New ones.
    pub fn create(&self) -> (File, File) {
        let create = |path| {
            let _ = std::fs::remove_file(&path);
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(0o600).open(path).unwrap()
        };
        (create(self.state()), create(self.memory()))
    }

    /// Has a VM that is held write itself.
    pub fn save(&self, controller: &Controller) {
        let (state, memory) = self.create();
        assert_eq!(save(controller, &state, &memory), DONE);
    }

    /// Has the command restore it.
    pub fn hand_over(&self, command: &mut Command) {
        for (option, path) in
            [("--restore-state", self.state()), ("--restore-memory", self.memory())]
        {
            let file: OwnedFd = File::open(path).unwrap().into();
            command.arg(option).arg(file.as_raw_fd().to_string());
            inherit(command, file);
        }
    }

    /// Starts a VM of it, with a control socket.
    pub fn restore(&self, vm: &Vm, arguments: &[&str]) -> (Child, Controller) {
        let (controller, other) = Controller::pair();
        let mut command = vm.command();
        command.stdin(Stdio::null()).arg("--control").arg(other.as_raw_fd().to_string());
        command.args(arguments);
        inherit(&mut command, other);
        self.hand_over(&mut command);
        (command.spawn().unwrap(), controller)
    }
}
