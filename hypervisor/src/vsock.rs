//! The host's side of the vsock device: Unix sockets, as in Firecracker's hybrid vsock.
//!
//! - A program on the host connects to `uds_path` and writes `CONNECT port\n`; when the guest
//!   accepts, it reads `OK host_port\n`, and then the two talk.
//! - A program in the guest connects to port P of context identifier 2, and reaches whoever listens
//!   at `<uds_path>_P`. The VM looks for that name in the folder it stands in, which is the one of `uds_path`: in its jail
//!   there is no other.
//!
//! All sockets stand in an epoll set of their own, which is one member of the event loop's: so a
//! thousand streams don't crowd out a disk.

mod backend;
#[cfg(test)]
mod tests;
mod timer;
mod waiting;

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use devices::virtio::mmio::Mmio;
use devices::virtio::vsock::{ConnectionId, Interest, Vsock};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

pub use backend::{Socket, UnixBackend};
use timer::Timer;
use waiting::WaitingRoom;

/// No connection has this host port: Linux's `VMADDR_PORT_ANY`. As the upper half of an event's 64
/// bits it marks the events that belong to no connection.
const NO_PORT: u32 = u32::MAX;
/// The lower half of the listener's.
const LISTENER: u32 = u32::MAX;
/// The lower half of the timer's; smaller numbers are those of the waiting room.
const TIMER: u32 = u32::MAX - 1;

/// Most events that one call handles; what is left comes with the next.
const BATCH: usize = 64;

/// The socket could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another VM, or one that was killed.
    #[error("vsock.uds_path {}: exists; remove it unless another VM uses it", path.display())]
    Exists { path: PathBuf },
    #[error("vsock.uds_path {}: {error}; must be the path of a socket that can be made", path.display())]
    System {
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// The socket at which the host's programs find the VM.
pub struct Listener {
    socket: UnixListener,
    name: SocketName,
}

impl Listener {
    /// Listens at `uds_path`.
    pub fn bind(uds_path: &Path) -> Result<Listener, ListenError> {
        let path = uds_path.to_owned();
        let bind = || {
            let socket = UnixListener::bind(uds_path)?;
            let name = SocketName(path.clone());
            socket.set_nonblocking(true)?;
            Ok(Listener { socket, name })
        };
        bind().map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::Exists { path: path.clone() },
            _ => ListenError::System { path: path.clone(), error },
        })
    }

    /// The socket, and what removes its name.
    pub fn into_parts(self) -> (UnixListener, SocketName) {
        (self.socket, self.name)
    }
}

/// The name of the socket. Dropped, it is removed.
pub struct SocketName(PathBuf);

impl SocketName {
    /// Another process removes it.
    pub fn leave(self) {
        std::mem::forget(self);
    }
}

impl Drop for SocketName {
    fn drop(&mut self) {
        // Fails only if someone else has removed it.
        let _ = fs::remove_file(&self.0);
    }
}

/// The listening socket, those that wait, and the epoll set. Its descriptor is readable when
/// [`Sockets::handle_events`] has something to do.
pub struct Sockets {
    epoll: Arc<OwnedFd>,
    events: Vec<epoll::Event>,
    listener: UnixListener,
    /// The listener is not polled until the timer runs out: there were no descriptors left for those who come, and it
    /// would be readable all the while.
    listener_rests: bool,
    waiting: WaitingRoom,
    timer: Timer,
}

impl Sockets {
    /// Hears who comes to `listener`, which does not block, and gives the back end of the device too. Where the guest's
    /// connections go is named by `prefix`, an underscore and the port.
    pub fn new(listener: UnixListener, prefix: &OsStr) -> io::Result<(Sockets, UnixBackend)> {
        let epoll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        let sockets = Sockets {
            epoll: Arc::clone(&epoll),
            events: Vec::with_capacity(BATCH),
            listener,
            listener_rests: false,
            waiting: WaitingRoom::default(),
            timer: Timer::new()?,
        };
        watch(&epoll, &sockets.listener, LISTENER)?;
        watch(&epoll, &sockets.timer, TIMER)?;
        Ok((sockets, UnixBackend::new(epoll, prefix)))
    }

    /// Handles what has happened at the sockets. Afterwards the transport may have a backlog.
    pub fn handle_events(&mut self, mmio: &mut Mmio<Vsock<UnixBackend>>) -> io::Result<()> {
        self.handle(mmio.device_mut())?;
        mmio.with_device(|vsock, queues, mem| vsock.work(queues, mem));
        Ok(())
    }

    /// Tells the device what has happened at the sockets.
    fn handle(&mut self, vsock: &mut Vsock<UnixBackend>) -> io::Result<()> {
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        match epoll::wait(&*self.epoll, spare_capacity(&mut events), Some(&at_once)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let id = ConnectionId::from_u64({ event.data }.u64());
            match (id.host_port, id.guest_port) {
                (NO_PORT, LISTENER) => self.accept(),
                (NO_PORT, TIMER) => self.tick(vsock),
                (NO_PORT, number) => {
                    if let Some((stream, port)) = self.waiting.hear(number) {
                        // It is in the set: that is how we came here.
                        let _ = epoll::delete(&*self.epoll, &stream);
                        // A stream that the device has no place for is closed.
                        if vsock.host_connected(Socket::new(stream), port).is_some() {
                            self.timer.start();
                        }
                    }
                }
                _ => vsock.stream_ready(id, ready(event.flags)),
            }
        }
        self.events = events;
        Ok(())
    }

    /// Lets one program in; the poll says if there are more.
    fn accept(&mut self) {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        match accept_with(&self.listener, flags) {
            Ok(stream) => {
                let (number, stream) = self.waiting.enter(stream.into(), TIMER);
                if watch(&self.epoll, stream, number).is_err() {
                    self.waiting.leave(number);
                }
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => {
                // No descriptors, or no memory for one, here or on the whole host. Who comes stands in the kernel's
                // queue.
                log::debug!("vsock: a host connection has to wait: {error}");
                if self.poll_listener(false).is_ok() {
                    self.listener_rests = true;
                    self.timer.start();
                }
            }
        }
    }

    /// The timer ran out: whoever waits for it has waited a tick longer.
    fn tick(&mut self, vsock: &mut Vsock<UnixBackend>) {
        self.timer.stop();
        if self.listener_rests && self.poll_listener(true).is_ok() {
            self.listener_rests = false;
        }
        if vsock.tick() || self.listener_rests {
            self.timer.start();
        }
    }

    fn poll_listener(&self, polled: bool) -> io::Result<()> {
        let mut flags = epoll::EventFlags::empty();
        flags.set(epoll::EventFlags::IN, polled);
        Ok(epoll::modify(&*self.epoll, &self.listener, no_connection(LISTENER), flags)?)
    }
}

impl AsFd for Sockets {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

/// Waits for something to read that belongs to no connection.
fn watch(epoll: &OwnedFd, fd: impl AsFd, number: u32) -> io::Result<()> {
    Ok(epoll::add(epoll, fd, no_connection(number), epoll::EventFlags::IN)?)
}

fn no_connection(number: u32) -> epoll::EventData {
    let id = ConnectionId { host_port: NO_PORT, guest_port: number };
    epoll::EventData::new_u64(id.to_u64())
}

/// What an event means for a stream. The next read or write finds out what went wrong, or what is
/// left to read.
fn ready(flags: epoll::EventFlags) -> Interest {
    let gone = flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR);
    Interest {
        readable: gone || flags.contains(epoll::EventFlags::IN),
        writable: gone || flags.contains(epoll::EventFlags::OUT),
        hang_up: gone,
    }
}
