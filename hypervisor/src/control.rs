//! The socket by which whoever has started a VM holds it and lets it go on: a Unix socket that keeps packets apart
//! (`SOCK_SEQPACKET`), one end of which this process inherits.
//!
//! A packet is a request, in JSON, and each is answered by one, in their order. The words are those of Firecracker's API.
//!
//! | request | |
//! |---|---|
//! | `{"state": "Paused"}` | the VM stands still: nothing runs in it, and no device works |
//! | `{"state": "Resumed"}` | it goes on |
//! | `{"snapshot_type": "Full"}` | the VM, which must stand still, is written to two empty files, whose descriptors come with the packet (`SCM_RIGHTS`): its state, and its memory. It stands still afterwards as before |
//!
//! The answer is `{}`, or `{"fault_message": "…"}` for what was not done. When the other end is closed a VM that runs goes
//! on, and one that stands still ends.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::net::sockopt::{socket_domain, socket_type};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketType,
    recvmsg, send,
};
use serde::Deserialize;
use serde_json::json;

use crate::jail::Inherited;

/// How many descriptors come with a request at most; one more than is right, to be noticed.
const FILES: usize = 3;
/// No request is longer, in bytes.
const MAX_REQUEST: usize = 1024;

/// The descriptor is not one to be controlled by.
#[derive(Debug, thiserror::Error)]
#[error("--control {0}: expected an inherited Unix socket of type SOCK_SEQPACKET")]
pub struct ControlError(RawFd);

/// This process's end.
pub struct Control(OwnedFd);

/// What is asked.
#[derive(Debug)]
pub enum Request {
    /// To stand still.
    Pause,
    /// To go on.
    Resume,
    /// To be written to these files: state and memory.
    Save([File; 2]),
}

/// What came.
#[derive(Debug)]
pub enum Received {
    /// Nothing yet.
    Nothing,
    /// Something to do.
    Request(Request),
    /// Something that is no request: what is wrong with it.
    Wrong(String),
    /// Nothing will ever come.
    End,
}

/// A request as it is written.
#[derive(Deserialize)]
enum Written {
    #[serde(rename = "state")]
    State(State),
    #[serde(rename = "snapshot_type")]
    Snapshot(Kind),
}

#[derive(Deserialize)]
enum State {
    Paused,
    Resumed,
}

#[derive(Deserialize)]
enum Kind {
    Full,
}

impl Control {
    /// The socket of this number.
    pub fn open(number: RawFd, inherited: &mut Inherited) -> Result<Control, ControlError> {
        let socket = inherited.take(number).ok_or(ControlError(number))?;
        let fits = || {
            let is_unix = socket_domain(&socket)? == AddressFamily::UNIX;
            Ok::<_, Errno>(is_unix && socket_type(&socket)? == SocketType::SEQPACKET)
        };
        if fits().unwrap_or(false) { Ok(Control(socket)) } else { Err(ControlError(number)) }
    }

    /// The next request, if one has come.
    pub fn receive(&self) -> io::Result<Received> {
        let mut bytes = [0; MAX_REQUEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC | RecvFlags::CMSG_CLOEXEC;
        let length =
            match recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags) {
                Ok(message) if message.bytes == 0 => return Ok(Received::End),
                Ok(message) => message.bytes,
                Err(Errno::AGAIN | Errno::INTR) => return Ok(Received::Nothing),
                Err(error) => return Err(error.into()),
            };
        Ok(match bytes.get(..length) {
            Some(bytes) => parse(bytes, files(&mut ancillary)),
            None => Received::Wrong(format!("expected a request of at most {MAX_REQUEST} bytes")),
        })
    }

    /// Answers a request. Who does not listen any more, does not.
    pub fn answer(&self, result: Result<(), String>) {
        let answer = match result {
            Ok(()) => "{}".to_owned(),
            Err(problem) => json!({ "fault_message": problem }).to_string(),
        };
        let _ = send(&self.0, answer.as_bytes(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
    }
}

/// What came with a packet. What there was no room for the kernel has closed.
fn files(ancillary: &mut RecvAncillaryBuffer<'_>) -> Vec<File> {
    let messages = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors.map(File::from)),
        _ => None,
    });
    messages.flatten().collect()
}

fn parse(bytes: &[u8], files: Vec<File>) -> Received {
    match serde_json::from_slice(bytes) {
        Ok(Written::Snapshot(Kind::Full)) => match <[File; 2]>::try_from(files) {
            Ok(files) => Received::Request(Request::Save(files)),
            Err(files) => Received::Wrong(format!(
                "{} descriptors: expected two, the files for the state and for the memory",
                files.len()
            )),
        },
        Ok(Written::State(State::Paused)) => Received::Request(Request::Pause),
        Ok(Written::State(State::Resumed)) => Received::Request(Request::Resume),
        Err(error) => Received::Wrong(error.to_string()),
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::{SocketFlags, recv, socketpair};

    use super::*;

    fn pair(kind: SocketType) -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap()
    }

    #[test]
    fn a_packet_is_a_request_and_its_answer() {
        let (own, other) = pair(SocketType::SEQPACKET);
        let control = Control::open(7, &mut Inherited::of(7, own)).unwrap();
        assert!(matches!(control.receive().unwrap(), Received::Nothing));
        let ask = |text: &str| {
            send(&other, text.as_bytes(), SendFlags::empty()).unwrap();
            control.receive().unwrap()
        };
        let paused = ask(r#"{"state": "Paused"}"#);
        assert!(matches!(paused, Received::Request(Request::Pause)), "{paused:?}");
        let resumed = ask(r#"{"state":"Resumed"}"#);
        assert!(matches!(resumed, Received::Request(Request::Resume)), "{resumed:?}");
        let long = format!(r#"{{"state": "Paused"{}}}"#, " ".repeat(MAX_REQUEST));
        for (text, words) in [
            (r#"{"state": "Gone"}"#, "expected `Paused` or `Resumed`"),
            (r#"{"status": "Paused"}"#, "unknown variant `status`"),
            (r#"{"state": "Paused", "more": 1}"#, "line 1"),
            ("{", "EOF"),
            (r#"{"snapshot_type": "Diff"}"#, "expected `Full`"),
            (r#"{"snapshot_type": "Full"}"#, "0 descriptors: expected two"),
            (&long, "at most 1024 bytes"),
        ] {
            let Received::Wrong(problem) = ask(text) else { panic!("{text}") };
            assert!(problem.contains(words), "{problem}");
        }
        let mut bytes = [0; 100];
        for (result, answer) in
            [(Ok(()), "{}"), (Err("no \"so\"".to_owned()), r#"{"fault_message":"no \"so\""}"#)]
        {
            control.answer(result);
            let (_, length) = recv(&other, &mut bytes, RecvFlags::empty()).unwrap();
            assert_eq!(&bytes[..length], answer.as_bytes());
        }
        drop(other);
        assert!(matches!(control.receive().unwrap(), Received::End));
        control.answer(Ok(()));
    }

    #[test]
    fn another_kind_of_descriptor_is_refused_by_name() {
        let (stream, _other) = pair(SocketType::STREAM);
        let inherited = [Inherited::of(7, stream), Inherited::default()];
        for mut inherited in inherited {
            let error = Control::open(7, &mut inherited).err().unwrap().to_string();
            assert!(error.starts_with("--control 7: expected"), "{error}");
        }
    }
}
