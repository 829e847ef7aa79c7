//! Processes that put containers on networks, asked by a test in a supervisor's stead: no VM is needed for that.

use std::cell::RefCell;
use std::fs::File;
use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

use bulkhead_tests::USER;
use rustix::cmsg_space;
use rustix::fs::{FlockOperation, flock};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::{Value, json};

use super::place::Place;

/// One of them. Dropped, it leaves, and has left.
pub struct Helper {
    pub child: RefCell<Child>,
    socket: Option<UnixStream>,
    /// The VM's ends.
    pub ends: Vec<OwnedFd>,
    /// What it answered.
    pub answer: Value,
    _tenure: File,
}

impl Helper {
    /// For a container that does not run.
    pub fn start(place: &Place, name: &str) -> Self {
        let id = place.says(&["inspect", "-f", "{{.Id}}", name]);
        let folder = place.world.path(".local/share/bulkhead");
        // Its supervisor's: who has none is taken for dead.
        let lock = folder.join("containers").join(&id).join("lock");
        let tenure = File::create(&lock).unwrap();
        chown(&lock, Some(USER), Some(USER)).unwrap();
        flock(&tenure, FlockOperation::LockExclusive).unwrap();
        let (mut socket, its) = UnixStream::pair().unwrap();
        let mut command = place.command("./bulkhead", &["network-join"]);
        let child = command.stdin(OwnedFd::from(its)).stdout(Stdio::null()).spawn().unwrap();
        drop(command);
        let order = json!({
            "networks": folder.join("networks"), "containers": folder.join("containers"), "container": id,
            "before": {"interfaces": [], "ports": []}, "base": place.world.path("run/bulkhead"),
        });
        let order = serde_json::to_vec(&order).unwrap();
        socket.write_all(&(order.len() as u32).to_le_bytes()).unwrap();
        socket.write_all(&order).unwrap();
        let (length, ends) = receive(&socket);
        let mut answer = vec![0; u32::from_le_bytes(length) as usize];
        socket.read_exact(&mut answer).unwrap();
        let answer = serde_json::from_slice(&answer).unwrap();
        let child = RefCell::new(child);
        Self { child, socket: Some(socket), ends, answer, _tenure: tenure }
    }

    /// What it refused with.
    pub fn refusal(&self) -> &str {
        self.answer["Failed"]["message"].as_str().unwrap_or_else(|| panic!("{}", self.answer))
    }

    /// One that has joined one network.
    #[track_caller]
    pub fn joined(place: &Place, name: &str) -> Self {
        let helper = Self::start(place, name);
        assert!(!helper.answer["Joined"].is_null(), "{}", helper.answer);
        assert_eq!(helper.ends.len(), 1);
        helper
    }

    /// The container's address.
    pub fn address(&self) -> &str {
        let interface = &self.answer["Joined"]["guest"]["interfaces"][0];
        interface["addresses"][0]["ip"].as_str().unwrap_or_else(|| panic!("{}", self.answer))
    }

    /// Without being told.
    pub fn has_ended(&self) -> bool {
        self.child.borrow_mut().try_wait().unwrap().is_some()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.socket = None;
        self.child.borrow_mut().wait().unwrap();
    }
}

/// The first bytes of an answer, its length, with which the descriptors come.
fn receive(socket: &UnixStream) -> ([u8; 4], Vec<OwnedFd>) {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(16))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut length = [0; 4];
    let buffer = &mut [IoSliceMut::new(&mut length)];
    let message = recvmsg(socket, buffer, &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
    assert_eq!(message.bytes, 4);
    let mut all = Vec::new();
    for one in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = one {
            all.extend(descriptors);
        }
    }
    (length, all)
}
