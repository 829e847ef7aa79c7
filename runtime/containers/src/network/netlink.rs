//! A socket of rtnetlink(7) in the namespace of the thread that opens it: a request, then its answer.

use std::os::fd::OwnedFd;

use netlink_packet_core::{
    DecodeError, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
};

/// The longest datagram of a list that the kernel makes for whoever reads with as much (linux/net/netlink/af_netlink.c,
/// `netlink_recvmsg`).
const LONGEST: usize = 32 << 10;

/// NLMSG_ALIGNTO, linux/netlink.h: messages of one datagram begin at multiples of it, in bytes.
const ALIGNMENT: usize = 4;

/// How often a list is asked for that somebody changes while it is read.
const ATTEMPTS: u32 = 5;

/// What the kernel is asked to do.
pub(super) struct Change {
    /// What.
    pub(super) message: RouteNetlinkMessage,
    /// How, besides NLM_F_REQUEST and NLM_F_ACK.
    pub(super) flags: u16,
}

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// The kernel's own word.
    #[error(transparent)]
    Kernel(#[from] Errno),
    /// It says what the library does not understand.
    #[error("the kernel's answer cannot be read")]
    Answer(#[from] DecodeError),
    /// There is more than anybody would have by honest means.
    #[error("there are more than {0}")]
    TooMany(usize),
    /// Somebody changes it all the time.
    #[error("it changes faster than it can be read")]
    Unsteady,
}

/// A connection to the kernel's network.
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    pub(super) fn open() -> Result<Self, NetlinkError> {
        // NETLINK_ROUTE is 0, which `None` says.
        let socket =
            socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        // Port 0 is the kernel: nobody else is heard.
        connect(&socket, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self { socket, sequence: 0, buffer: vec![0; LONGEST] })
    }

    /// Makes a change, and waits until it is done.
    pub(super) fn change(&mut self, change: Change) -> Result<(), NetlinkError> {
        let [result] = self.change_all([change])?;
        Ok(result?)
    }

    /// Makes some changes in one system call, so that a signal ends this process before all of them or after: each of
    /// them is tried, whatever the others say.
    pub(super) fn change_all<const N: usize>(
        &mut self,
        changes: [Change; N],
    ) -> Result<[Result<(), Errno>; N], NetlinkError> {
        let first = self.sequence + 1;
        let mut datagram = Vec::new();
        for Change { message, flags } in changes {
            self.write(&mut datagram, message, flags | NLM_F_ACK);
        }
        send(&self.socket, &datagram, SendFlags::empty())?;
        let mut results = [Ok(()); N];
        for (number, result) in results.iter_mut().enumerate() {
            *result = match self.read(first + number as u32, |_| Ok(())) {
                Err(NetlinkError::Kernel(error)) => Err(error),
                other => {
                    other?;
                    Ok(())
                }
            };
        }
        Ok(results)
    }

    /// Lists everything of a kind, at most `most`.
    pub(super) fn list<T>(
        &mut self,
        request: &RouteNetlinkMessage,
        most: usize,
        one: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        for _ in 0..ATTEMPTS {
            let mut datagram = Vec::new();
            self.write(&mut datagram, request.clone(), NLM_F_DUMP);
            send(&self.socket, &datagram, SendFlags::empty())?;
            // Those that don't matter count as well: what is bounded is the work.
            let (mut found, mut count) = (Vec::new(), 0);
            let steady = self.read(self.sequence, |message| {
                count += 1;
                found.extend(one(message));
                if count > most { Err(NetlinkError::TooMany(most)) } else { Ok(()) }
            })?;
            if steady {
                return Ok(found);
            }
        }
        Err(NetlinkError::Unsteady)
    }

    fn write(&mut self, datagram: &mut Vec<u8>, message: RouteNetlinkMessage, flags: u16) {
        self.sequence += 1;
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        message.finalize();
        let begin = datagram.len().next_multiple_of(ALIGNMENT);
        datagram.resize(begin + message.buffer_len(), 0);
        message.serialize(&mut datagram[begin..]);
    }

    /// Reads up to the end of what is said to the request with this number. Whether all of it is of one moment.
    fn read(
        &mut self,
        sequence: u32,
        mut one: impl FnMut(RouteNetlinkMessage) -> Result<(), NetlinkError>,
    ) -> Result<bool, NetlinkError> {
        let mut steady = true;
        loop {
            let received = match recv(&self.socket, &mut self.buffer[..], RecvFlags::empty()) {
                Err(Errno::INTR) => continue,
                result => result?.0,
            };
            let mut rest = &self.buffer[..received];
            while !rest.is_empty() {
                let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)?;
                let length = (message.header.length as usize).max(1).next_multiple_of(ALIGNMENT);
                rest = rest.get(length..).unwrap_or_default();
                if message.header.sequence_number != sequence {
                    continue;
                }
                steady &= message.header.flags & NLM_F_DUMP_INTR == 0;
                let code = match message.payload {
                    NetlinkPayload::Done(done) => done.code,
                    NetlinkPayload::Error(error) => error.raw_code(),
                    NetlinkPayload::InnerMessage(message) => {
                        one(message)?;
                        continue;
                    }
                    _ => continue,
                };
                return match code {
                    0 => Ok(steady),
                    code => Err(Errno::from_raw_os_error(code.saturating_neg()).into()),
                };
            }
        }
    }
}
