//! Makes the interfaces of an existing network namespace a VM's: what CNI, docker and podman make for a container.
//!
//! Beside each interface that has an address a TAP is made, and whatever comes in at one goes out at the other, as Kata
//! Containers does it. The guest gets the interface's MAC, MTU, addresses and routes, and is to everybody outside what
//! a container in the namespace would be. The namespace keeps its addresses; but nothing that is in it hears of the
//! network any more.
//!
//! ```text
//!   ─── veth eth0 ──ingress──▶ bulkhead0 TAP ═ descriptor ═ VM
//!            ▲                    │
//!            └──────ingress───────┘
//! ```
//!
//! | module | what it knows |
//! |---|---|
//! | `survey` | what is there, as the kernel lists it |
//! | `describe` | what of it a guest is told |
//! | `tap` | how a TAP is made |
//! | `redirect` | what connects the two, and whose that is |
//! | `record` | where to look for what a killed owner has left |

mod describe;
mod error;
mod record;
mod redirect;
mod survey;
mod tap;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use host::text::in_one_line;
use protocol::Interface;
use rustix::io::Errno;

use super::netlink::Netlink;
use super::netns::{Netns, NetnsError};
use describe::{Described, describe};
pub use error::AttachError;
use error::Fault;
use record::{Owner, Record, Told};
use redirect::{Cookie, OURS};
use survey::survey;

/// How long a change of a namespace waits for another of ours. It takes milliseconds; but the namespace, and with it
/// the lock, is open to whoever lives in it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether a dead owner's VM has ended.
const STEP: Duration = Duration::from_millis(5);

/// The interfaces of a namespace, connected.
#[derive(Debug)]
pub struct Attached {
    /// What the VM gets, at least one.
    pub interfaces: Vec<AttachedInterface>,
    /// What undoes it.
    pub attachment: Attachment,
}

/// An interface for a VM.
#[derive(Debug)]
pub struct AttachedInterface {
    /// The TAP's descriptor, for the VMM: it ends with the last one. Frames have a header as of virtio before them, it
    /// has one queue, and it does not block.
    pub tap: OwnedFd,
    /// What the guest is told.
    pub interface: Interface,
}

/// What keeps interfaces connected: they are not any more when this is gone. It keeps the namespace in being.
#[derive(Debug)]
pub struct Attachment {
    path: PathBuf,
    netns: Netns,
    cookie: Cookie,
    /// Until it is undone.
    record: Option<Record>,
}

/// Makes what can be used of the interfaces of the namespace at `path` a VM's. `records` is a folder of this user's, on
/// a tmpfs, with a file for each attachment; [`sweep`] finds there what a killed process has left. Who wants the same
/// interfaces is told of the `owner`, a few words.
pub fn attach(path: &Path, records: &Path, owner: &str) -> Result<Attached, AttachError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        sweep(records);
        let (name, cookie) = match attach_once(path, records, owner) {
            Err(Fault::Taken { name, cookie, .. }) => (name, cookie),
            result => return result.map_err(AttachError::of(path)),
        };
        let owner = match record::owner(records, &cookie) {
            // Its VM is about to end, and with that the kernel removes the TAP.
            Owner::Dead if Instant::now() < deadline => {
                sleep(STEP);
                continue;
            }
            Owner::Alive(owner) => Some(owner),
            Owner::Dead | Owner::Unknown => None,
        };
        return Err(AttachError::of(path)(Fault::Taken { name, cookie, owner }));
    }
}

fn attach_once(path: &Path, records: &Path, owner: &str) -> Result<Attached, Fault> {
    let netns = Netns::open(path)?;
    if netns.is_own() {
        return Err(Fault::Own);
    }
    let cookie = new_cookie().map_err(Fault::Random)?;
    let record = Record::new(records, &cookie, path, owner)?;
    let attachment = Attachment { path: path.to_owned(), netns, cookie, record: Some(record) };
    // When it fails, what there is of it goes with the attachment.
    let connected = attachment.netns.inside(|| connect(&attachment));
    let interfaces = connected.map_err(Fault::from).flatten()?;
    Ok(Attached { interfaces, attachment })
}

/// Removes what killed processes have left in namespaces that are still there: the filter that throws away what comes
/// in at an interface whose TAP is gone. What cannot be removed now can be next time, as where a VM is about to end.
pub fn sweep(records: &Path) {
    for (record, Told { cookie, namespace: path, .. }) in record::of_the_dead(records) {
        let removed =
            Netns::open(&path).and_then(|netns| netns.inside(|| remove_dead(&netns, &cookie)));
        let swept = match removed {
            // The namespace has gone, and everything with it; something else may have its name.
            Err(NetnsError::Open(_) | NetnsError::Kind) => Ok(true),
            result => result.map_err(Fault::from).flatten(),
        };
        match swept {
            Ok(true) => record.remove(),
            Ok(false) => {}
            Err(fault) => log::warn!("{}", in_one_line(&AttachError::of(&path)(fault))),
        }
    }
}

impl Attachment {
    /// Disconnects everything. The TAPs go when their descriptors are closed.
    pub fn undo(mut self) -> Result<(), AttachError> {
        self.disconnect()
    }

    fn disconnect(&mut self) -> Result<(), AttachError> {
        let Some(record) = self.record.take() else { return Ok(()) };
        let remove = || {
            let _lock = self.netns.lock(PATIENCE)?;
            let mut netlink = Netlink::open().map_err(Fault::Netlink)?;
            redirect::remove_all(&mut netlink, |cookie, _| *cookie == self.cookie)
                .map_err(Fault::Netlink)
        };
        let removed = self.netns.inside(remove).map_err(Fault::from).flatten();
        removed.map_err(AttachError::of(&self.path))?;
        // Until here the file stays, and tells whoever sweeps next.
        record.remove();
        Ok(())
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if let Err(error) = self.disconnect() {
            log::warn!("{}", in_one_line(&error));
        }
    }
}

fn new_cookie() -> Result<Cookie, Errno> {
    let mut cookie = Cookie::default();
    let (ours, rest) = cookie.split_at_mut(OURS.len());
    ours.copy_from_slice(&OURS);
    // Eight bytes, which never come in part (getrandom(2)).
    rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty())?;
    Ok(cookie)
}

/// Connects the interfaces of the attachment's namespace, which this thread is in.
fn connect(attachment: &Attachment) -> Result<Vec<AttachedInterface>, Fault> {
    let _lock = attachment.netns.lock(PATIENCE)?;
    let mut netlink = Netlink::open().map_err(Fault::Netlink)?;
    let survey = survey(&mut netlink)?;
    let all = describe(&survey)?;
    if survey.left_out > 0 {
        let (path, count) = (attachment.path.display(), survey.left_out);
        log::warn!(
            "network namespace {path}: {count} routes of other tables or kinds are left out"
        );
    }
    all.iter().try_for_each(|described| redirect::free(&mut netlink, &described.link))?;
    let mut interfaces = Vec::new();
    for Described { link, interface } in all {
        let (tap, index) =
            tap::create().map_err(|source| Fault::Tap { name: link.name.clone(), source })?;
        let failed = Fault::interface(&link.name, "set up the TAP beside it");
        tap::raise(&mut netlink, index, link.mtu).map_err(failed)?;
        redirect::connect(&mut netlink, &link, index, &attachment.cookie)?;
        interfaces.push(AttachedInterface { tap, interface });
    }
    Ok(interfaces)
}

/// Removes what belongs to a dead attachment in the namespace that this thread is in. Whether that is all: a TAP is
/// still there as long as its VM is.
fn remove_dead(netns: &Netns, dead: &Cookie) -> Result<bool, Fault> {
    let _lock = netns.lock(Duration::ZERO)?;
    let mut netlink = Netlink::open().map_err(Fault::Netlink)?;
    let all = Cell::new(true);
    let which = |cookie: &Cookie, has_target: bool| {
        all.set(all.get() && !(cookie == dead && has_target));
        cookie == dead && !has_target
    };
    redirect::remove_all(&mut netlink, which).map_err(Fault::Netlink)?;
    Ok(all.get())
}
