//! What guest-init is told, and what it reads of an image.

use std::os::fd::AsFd;

use guest_init::order::{Order, Report, receive};
use guest_init::{environment, users};
use protocol::ByteString;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, socketpair};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::input::{Input, pieces};
use crate::kernel::check_refusal;

/// The longest home folder and name that are put into a sample environment, in bytes.
const SAMPLE: usize = 4096;

/// A datagram to the program that becomes a container's process, or from it.
pub fn order(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.bool() {
        Some(true) => pass_on::<Order>(input.rest()),
        Some(false) => pass_on::<Report>(input.rest()),
        None => {}
    }
}

/// Sends the bytes; what is understood is the same after it was sent on.
fn pass_on<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    // As guest-init makes them, but for the size of their buffers, which takes a right.
    let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
    let pair = socketpair(AddressFamily::UNIX, kind, flags, None);
    let (ours, theirs) = pair.expect("a socket pair");
    // An empty datagram reads as the end.
    if bytes.is_empty() || send(&ours, bytes, SendFlags::NOSIGNAL).is_err() {
        return;
    }
    match receive::<T>(theirs.as_fd()) {
        Ok(message) => {
            let (message, descriptor) = message.expect("a datagram");
            assert!(descriptor.is_none(), "none was sent");
            let text = serde_json::to_vec(&message).expect("what was read can be written");
            let again: T = serde_json::from_slice(&text).expect("what was written");
            assert_eq!(serde_json::to_vec(&again).expect("as before"), text);
        }
        Err(error) => check_refusal(&error),
    }
}

/// Who a process runs as: a specification, and an image's passwd and group, with bytes of zero between them.
pub fn user(bytes: &[u8]) {
    let [specification, passwd, group, variables] = pieces(bytes);
    match users::find(specification, passwd, group) {
        Ok(user) => {
            let is_id = |id: u32| i32::try_from(id).is_ok();
            assert!(is_id(user.uid) && is_id(user.gid) && user.groups.iter().all(|&id| is_id(id)));
            assert!(user.groups.len() <= 65536, "NGROUPS_MAX");
            assert!(!user.home.as_bytes().is_empty());
            if bytes.len() <= SAMPLE {
                check_environment(&user, variables);
            }
        }
        Err(error) => check_refusal(&error),
    }
}

/// No variable is there twice, and those that every process has are there.
fn check_environment(user: &users::User, variables: &[u8]) {
    let variables: Vec<ByteString> =
        variables.split(|&byte| byte == b'\n').map(ByteString::from).collect();
    let environment = environment::build(&variables, user, &"box".into());
    for name in [&b"PATH"[..], b"HOSTNAME", b"HOME"] {
        assert!(environment::get(&environment, name).is_some());
    }
    let mut names: Vec<&[u8]> = environment.iter().map(|(name, _)| name.as_slice()).collect();
    names.sort_unstable();
    assert!(names.is_sorted_by(|one, other| one < other));
}
