//! What is as long as it may be.

use std::net::Ipv6Addr;

use super::*;
use crate::frame::length;
use crate::{Clock, ProcessError, Setting, Setup, Tmpfs, ToGuest, encode};

/// As many names as there may be, each as long as it may be, of this byte.
fn longest(byte: u8) -> Network {
    let word = ByteString::from(vec![byte; 255]);
    let hosts = vec![Host { name: word.clone(), ip: Ipv6Addr::LOCALHOST.into() }; 1024];
    let resolver =
        Resolver { search: vec![word.clone(); 32], options: vec![word; 32], ..usual().resolver };
    Network { hosts, resolver, ..usual() }
}

/// Each list may be long, and they share a frame: the host says that they are too long before it has sent any of it.
#[test]
fn all_lists_together_fit_into_a_frame() {
    assert_eq!(longest(b'a').check(), Ok(()));
    // A byte that is no text is a number in JSON.
    let text = longest(0xff).check().unwrap_err().to_string();
    let (start, end) =
        ("network: bytes of all lists together: ", " is not right; expected at most 782336");
    let length: usize =
        text.strip_prefix(start).unwrap().strip_suffix(end).unwrap().parse().unwrap();
    assert!(length > crate::MAX_FRAME, "{text}");
}

/// Whatever passes the checks can be sent.
#[test]
fn the_longest_setup_that_is_right_is_a_message() {
    let tmpfs = Tmpfs { path: "/".into(), size: Some(u64::MAX), mode: 0o7777, executable: false };
    let hostname = "a".repeat(64).into();
    let mut setting = Setting { hostname, read_only: false, tmpfs: vec![tmpfs], memory: u64::MAX };
    let room = crate::setup::MAX_LENGTH - length(&setting);
    setting.tmpfs[0].path = format!("/{}", "a".repeat(room)).into();
    assert_eq!(setting.check(), Ok(()));
    let mut longer = setting.clone();
    longer.hostname = "\"".repeat(64).into();
    assert_eq!(longer.check(), Err(ProcessError::TmpfsLength(crate::setup::MAX_LENGTH + 64)));

    // One that is not text takes 764 bytes more than one that is. The rest is spread over four short ones.
    let mut network = longest(b'a');
    network.hosts[..4].iter_mut().for_each(|host| host.name = "a".into());
    let mut room = check::MAX_LENGTH - length(&network);
    for host in &mut network.hosts[4..][..room / 764] {
        host.name = vec![0xff; 255].into();
    }
    room %= 764;
    for host in &mut network.hosts[..4] {
        let part = room.min(254);
        host.name = "a".repeat(1 + part).into();
        room -= part;
    }
    assert_eq!((network.check(), length(&network)), (Ok(()), check::MAX_LENGTH));
    let mut longer = network.clone();
    longer.interfaces[0].name += "0";
    assert!(longer.check().unwrap_err().to_string().contains("bytes of all lists together"));

    let bytes = ByteString::from(vec![0xff; 64]);
    let clock = Clock { unix_seconds: u64::MAX, nanoseconds: u32::MAX };
    let setup = Setup { setting, network, clock, seed: bytes.clone(), key: bytes };
    encode(&ToGuest::Setup(Box::new(setup))).unwrap();
}
