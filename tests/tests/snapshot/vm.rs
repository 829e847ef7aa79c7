//! A VM that is held, saved, ended and restored by its control socket.

use std::fs::{self, File, OpenOptions};
use std::io::{IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};

use bulkhead_tests::World;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
    SocketType, recv, send, sendmsg, socketpair,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A VM, and all that its guest has said so far, in whichever process.
pub struct Vm {
    child: Child,
    control: OwnedFd,
    console: Vec<u8>,
}

impl Vm {
    /// Boots one.
    pub fn boot(world: &World, config: &Value) -> Vm {
        fs::write(world.path("vm.json"), config.to_string()).unwrap();
        Vm::start(world, &[], Vec::new())
    }

    /// Starts one with these files, by the option that names each.
    fn start(world: &World, files: &[(&str, File)], console: Vec<u8>) -> Vm {
        let flags = SocketFlags::CLOEXEC;
        let (control, other) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let mut command = world.command("bulkhead-vmm");
        command.args(["--no-api", "--config-file", "vm.json"]);
        hand_over(&mut command, "--control", &other);
        for (option, file) in files {
            hand_over(&mut command, option, file);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        Vm { child, control, console }
    }

    /// Saves it, ends it, and goes on in another process. One that has ended meanwhile is left as it is.
    pub fn through_a_snapshot(mut self, world: &World) -> Vm {
        match self.ask(r#"{"state": "Paused"}"#) {
            Some(answer) if answer == "{}" => {}
            Some(fault) if !fault.contains("has ended") => panic!("{fault}"),
            _ => return self,
        }
        let create = |name: &str| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(0o600);
            options.open(world.path(name)).unwrap()
        };
        let (state, memory) = (create("state"), create("memory"));
        let answer = self.save(&state, &memory);
        assert_eq!(answer.as_deref(), Some("{}"));
        self.read_what_is_there();
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let Vm { mut child, mut console, .. } = self;
        child.stdout.take().unwrap().read_to_end(&mut console).unwrap();
        let outcome = child.wait_with_output().unwrap();
        assert!(outcome.status.success() && outcome.stderr.is_empty(), "{outcome:?}");
        let open = |name: &str| File::open(world.path(name)).unwrap();
        let files = [("--restore-state", open("state")), ("--restore-memory", open("memory"))];
        // Nobody needs their names.
        fs::remove_file(world.path("state")).unwrap();
        fs::remove_file(world.path("memory")).unwrap();
        Vm::start(world, &files, console)
    }

    /// The answer to a request; none if the VM has ended.
    fn ask(&self, request: &str) -> Option<String> {
        send(&self.control, request.as_bytes(), SendFlags::NOSIGNAL).ok()?;
        self.answer()
    }

    fn save(&self, state: &File, memory: &File) -> Option<String> {
        let files = [state.as_fd(), memory.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&files)));
        let request = [IoSlice::new(br#"{"snapshot_type": "Full"}"#)];
        sendmsg(&self.control, &request, &mut ancillary, SendFlags::NOSIGNAL).ok()?;
        self.answer()
    }

    fn answer(&self) -> Option<String> {
        let mut bytes = [0; 1024];
        let (_, length) = recv(&self.control, &mut bytes, RecvFlags::empty()).ok()?;
        (length > 0).then(|| String::from_utf8_lossy(&bytes[..length]).into_owned())
    }

    /// Reads until the guest has said this.
    pub fn read_until(&mut self, text: &str) {
        while !self.contains(text) {
            if self.read() == 0 {
                panic!("ended before {text:?}: {}", self.text());
            }
        }
    }

    /// Whether the guest has said this.
    pub fn has_said(&mut self, text: &str) -> bool {
        self.read_what_is_there();
        self.contains(text)
    }

    /// Whether its process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end, and gives all that the guest has said.
    pub fn finish(mut self) -> String {
        while self.read() > 0 {}
        let text = self.text();
        let outcome = self.child.wait_with_output().unwrap();
        assert!(outcome.status.success() && outcome.stderr.is_empty(), "{outcome:?} {text}");
        text
    }

    fn contains(&self, text: &str) -> bool {
        self.console.windows(text.len()).any(|bytes| bytes == text.as_bytes())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.console).replace('\r', "")
    }

    fn read(&mut self) -> usize {
        let mut bytes = [0; 4096];
        let length = self.child.stdout.as_mut().unwrap().read(&mut bytes).unwrap();
        self.console.extend(&bytes[..length]);
        length
    }

    fn read_what_is_there(&mut self) {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let is_readable = |child: &Child| {
            let stdout = child.stdout.as_ref().unwrap();
            poll(&mut [PollFd::new(stdout, PollFlags::IN)], Some(&now)).unwrap() > 0
        };
        while is_readable(&self.child) && self.read() > 0 {}
    }
}

/// Has the command inherit a descriptor, and says which. It is closed when the command is there: one at a time is started.
fn hand_over(command: &mut Command, option: &str, descriptor: &impl AsFd) {
    let descriptor = descriptor.as_fd();
    fcntl_setfd(descriptor, FdFlags::empty()).unwrap();
    command.arg(option).arg(descriptor.as_raw_fd().to_string());
}
