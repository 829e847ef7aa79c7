//! The socket by which whoever has started a VM holds it and lets it go on: a Unix socket that keeps packets apart
//! (`SOCK_SEQPACKET`), one end of which this process inherits.
//!
//! A packet is a request, in JSON, and each is answered by one, in their order. The words are those of Firecracker's API.
//!
//! | request | |
//! |---|---|
//! | `{"state": "Paused"}` | the VM stands still: nothing runs in it, and no device works |
//! | `{"state": "Resumed"}` | it goes on |
//!
//! The answer is `{}`, or `{"fault_message": "…"}` for what was not done. When the other end is closed a VM that runs goes
//! on, and one that stands still ends.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::net::sockopt::{socket_domain, socket_type};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, send};
use serde::Deserialize;
use serde_json::json;

use crate::jail::Inherited;

/// No request is longer, in bytes.
const MAX_REQUEST: usize = 1024;

/// The descriptor is not one to be controlled by.
#[derive(Debug, thiserror::Error)]
#[error("--control {0}: expected an inherited Unix socket of type SOCK_SEQPACKET")]
pub struct ControlError(RawFd);

/// This process's end.
pub struct Control(OwnedFd);

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// To stand still.
    Pause,
    /// To go on.
    Resume,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
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
}

#[derive(Deserialize)]
enum State {
    Paused,
    Resumed,
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
        let length = match recv(&self.0, &mut bytes, RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
            Ok((_, 0)) => return Ok(Received::End),
            Ok((_, length)) => length,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(Received::Nothing),
            Err(error) => return Err(error.into()),
        };
        Ok(match bytes.get(..length) {
            Some(bytes) => parse(bytes),
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

fn parse(bytes: &[u8]) -> Received {
    match serde_json::from_slice(bytes) {
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
    use rustix::net::{SocketFlags, socketpair};

    use super::*;

    fn pair(kind: SocketType) -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap()
    }

    #[test]
    fn a_packet_is_a_request_and_its_answer() {
        let (own, other) = pair(SocketType::SEQPACKET);
        let control = Control::open(7, &mut Inherited::of(7, own)).unwrap();
        assert_eq!(control.receive().unwrap(), Received::Nothing);
        for (text, request) in [
            (r#"{"state": "Paused"}"#, Request::Pause),
            (r#"{"state":"Resumed"}"#, Request::Resume),
        ] {
            send(&other, text.as_bytes(), SendFlags::empty()).unwrap();
            assert_eq!(control.receive().unwrap(), Received::Request(request));
        }
        let long = format!(r#"{{"state": "Paused"{}}}"#, " ".repeat(MAX_REQUEST));
        for (text, words) in [
            (r#"{"state": "Gone"}"#, "expected `Paused` or `Resumed`"),
            (r#"{"status": "Paused"}"#, "unknown variant `status`"),
            (r#"{"state": "Paused", "more": 1}"#, "line 1"),
            ("{", "EOF"),
            (&long, "at most 1024 bytes"),
        ] {
            send(&other, text.as_bytes(), SendFlags::empty()).unwrap();
            let Received::Wrong(problem) = control.receive().unwrap() else { panic!("{text}") };
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
        assert_eq!(control.receive().unwrap(), Received::End);
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
