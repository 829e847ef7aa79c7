//! What connects a link with a TAP: whatever comes in at one goes out at the other (tc-mirred(8)), both ways. That is
//! Kata's model "tcfilter": an ingress qdisc on each, with one filter that takes everything.
//!
//! The qdisc and the filter of the TAP go with it. Those of the link stay: the kernel takes only the target from the
//! filter, which from then on throws everything away. So each filter carries whose it is, as a cookie, and who comes
//! later sees from the kernel alone what it has before it: a filter of ours with a target is a VM's that lives, one
//! without was left by one that was killed. It is removed with its qdisc; a qdisc with anything else is left alone.
//! Qdisc and filter are made in one system call, after the kernel has shown on the TAP that it can: no moment is left
//! in which a killed process would leave a qdisc behind that nobody knows.

mod messages;

use std::thread::sleep;
use std::time::Duration;

use rustix::io::Errno;

use super::error::{Fault, is_missing};
use super::survey::{Link, MAX_LINKS};
use crate::network::netlink::{Change, Netlink, NetlinkError};

/// TC_COOKIE_MAX_SIZE, linux/pkt_cls.h, in bytes.
pub(super) const COOKIE: usize = 16;

/// How the cookies of all of ours begin.
pub(super) const OURS: [u8; COOKIE / 2] = *b"bulkhead";

/// How much there may be at a link's ingress, ours: firewalls on this hook have tens.
const MAX_FILTERS: usize = 4096;

/// How often a qdisc is asked for while somebody looks at its filters (linux/net/sched/sch_api.c, "ongoing filter
/// requests"), and what is waited longer each time.
const ATTEMPTS: u32 = 10;
const STEP: Duration = Duration::from_millis(5);

/// Marks what belongs to one attachment.
pub(super) type Cookie = [u8; COOKIE];

/// What is at a link's ingress.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ingress {
    /// The link.
    pub(super) index: u32,
    /// Of the qdisc.
    pub(super) kind: String,
}

/// What is in an ingress qdisc.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// What sends everything to a VM.
    Redirect {
        cookie: Cookie,
        /// The TAP, unless it is gone.
        target: Option<u32>,
        handle: u32,
        /// Priority and protocol.
        info: u32,
    },
    /// Somebody else's.
    Other,
}

/// Makes sure that a link has nothing at its ingress, but for what a dead VM has left there.
pub(super) fn free(netlink: &mut Netlink, link: &Link) -> Result<(), Fault> {
    let name = || link.name.clone();
    let reading = Fault::interface(&link.name, "read what is at its ingress");
    let Some(ingress) =
        list(netlink).map_err(&reading)?.into_iter().find(|one| one.index == link.index)
    else {
        return Ok(());
    };
    let entries = entries(netlink, link.index).map_err(&reading)?;
    let ours = |entry: &Entry| matches!(entry, Entry::Redirect { .. });
    let living = |entry: &Entry| match entry {
        Entry::Redirect { cookie, target: Some(_), .. } => Some(*cookie),
        _ => None,
    };
    if let Some(cookie) = entries.iter().find_map(living) {
        return Err(Fault::Taken { name: name(), cookie, owner: None });
    }
    if entries.is_empty() || !entries.iter().all(ours) {
        return Err(Fault::Qdisc { name: name(), kind: ingress.kind });
    }
    remove(netlink, &ingress, &entries, ours)
        .map_err(Fault::interface(&link.name, "remove what a dead VM has left at its ingress"))
}

/// Sends whatever comes in at a link to a TAP and back. The link has nothing at its ingress yet.
pub(super) fn connect(
    netlink: &mut Netlink,
    link: &Link,
    tap: u32,
    cookie: &Cookie,
) -> Result<(), Fault> {
    let failed = Fault::interface(&link.name, "redirect what comes in");
    let name = || link.name.clone();
    for (from, to) in [(tap, link.index), (link.index, tap)] {
        let changes = [messages::make_qdisc(from), messages::make_filter(from, to, cookie)];
        let [qdisc, filter] = netlink.change_all(changes).map_err(&failed)?;
        if qdisc.is_ok() && filter.is_err() {
            change(netlink, || messages::remove_qdisc(from)).map_err(&failed)?;
        }
        if qdisc.is_err() && filter.is_ok() {
            // In a qdisc that somebody has made in this moment.
            remove_of(netlink, from, |other, _| other == cookie).map_err(&failed)?;
        }
        match (qdisc, filter) {
            (Ok(()), Ok(())) => {}
            (Err(Errno::EXIST), _) => {
                return Err(Fault::Qdisc { name: name(), kind: "of this moment".to_owned() });
            }
            (Err(error), _) if is_missing(error) => {
                return Err(Fault::Modules { name: name(), modules: "sch_ingress" });
            }
            (Ok(()), Err(error)) if is_missing(error) => {
                return Err(Fault::Modules { name: name(), modules: "cls_u32 act_mirred" });
            }
            (Err(error), _) | (_, Err(error)) => return Err(failed(error.into())),
        }
    }
    Ok(())
}

/// Removes of ours what is chosen by its cookie, and whether it has a target.
pub(super) fn remove_all(
    netlink: &mut Netlink,
    which: impl Fn(&Cookie, bool) -> bool,
) -> Result<(), NetlinkError> {
    for ingress in list(netlink)? {
        if ingress.kind == messages::KIND {
            remove_of(netlink, ingress.index, &which)?;
        }
    }
    Ok(())
}

fn remove_of(
    netlink: &mut Netlink,
    index: u32,
    which: impl Fn(&Cookie, bool) -> bool,
) -> Result<(), NetlinkError> {
    let entries = entries(netlink, index)?;
    let ingress = Ingress { index, kind: messages::KIND.to_owned() };
    remove(netlink, &ingress, &entries, |entry| match entry {
        Entry::Redirect { cookie, target, .. } => which(cookie, target.is_some()),
        Entry::Other => false,
    })
}

/// Removes the chosen entries: with the qdisc, if there is nothing else in it.
fn remove(
    netlink: &mut Netlink,
    ingress: &Ingress,
    entries: &[Entry],
    which: impl Fn(&Entry) -> bool,
) -> Result<(), NetlinkError> {
    if !entries.is_empty() && entries.iter().all(&which) {
        return change(netlink, || messages::remove_qdisc(ingress.index));
    }
    for entry in entries.iter().filter(|entry| which(entry)) {
        if let Entry::Redirect { handle, info, .. } = *entry {
            change(netlink, || messages::remove_filter(ingress.index, handle, info))?;
        }
    }
    Ok(())
}

/// Makes a change, again where somebody is in the way for a moment. What is gone need not be removed.
fn change(netlink: &mut Netlink, message: impl Fn() -> Change) -> Result<(), NetlinkError> {
    let mut attempt = 0;
    loop {
        match netlink.change(message()) {
            Err(NetlinkError::Kernel(Errno::BUSY)) if attempt < ATTEMPTS => {
                sleep(STEP * attempt);
                attempt += 1;
            }
            Err(NetlinkError::Kernel(Errno::NODEV | Errno::NOENT | Errno::INVAL)) => return Ok(()),
            result => return result,
        }
    }
}

/// What there is at the ingress of all links.
fn list(netlink: &mut Netlink) -> Result<Vec<Ingress>, NetlinkError> {
    // Each queue of a device has a qdisc, and many devices have several.
    const MAX_QDISCS: usize = MAX_LINKS * 64;
    netlink.list(&messages::list_qdiscs(), MAX_QDISCS, messages::ingress)
}

fn entries(netlink: &mut Netlink, index: u32) -> Result<Vec<Entry>, NetlinkError> {
    netlink.list(&messages::list_filters(index), MAX_FILTERS, messages::entry)
}
