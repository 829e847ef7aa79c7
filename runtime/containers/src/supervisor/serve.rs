//! The control socket's side that answers.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::error::SupervisorError;
use super::lifecycle::{KILL, Lifecycle};
use super::message::{Reply, Request};
use super::socket::{self, MAX_DESCRIPTORS};
use crate::connection::Connection;
use crate::conversation::{Guest, Stdio};
use crate::limits;
use crate::network::sum;
use host::text::in_one_line;

/// How long the process stays for its last answers.
const LAST_MOMENT: Duration = Duration::from_secs(2);
const GLANCE: Duration = Duration::from_millis(1);

/// Answers clients until the process ends.
pub(super) struct Server {
    clients: Arc<AtomicUsize>,
}

impl Server {
    /// Starts to. `stop_signal` is the one that is meant to end the container.
    pub(super) fn start(
        listener: UnixListener,
        lifecycle: Arc<Lifecycle>,
        stop_signal: u8,
    ) -> std::io::Result<Self> {
        let clients = Arc::new(AtomicUsize::new(0));
        let server = Self { clients: Arc::clone(&clients) };
        let accept = move || {
            let me = rustix::process::geteuid().as_raw();
            loop {
                let Ok((stream, _)) = listener.accept() else {
                    // Out of descriptors, which others may give back.
                    thread::sleep(limits::SHORTAGE);
                    continue;
                };
                if !socket::peer(&stream).is_ok_and(|user| user == me || user == 0) {
                    continue;
                }
                let connection = Connection::new(stream, MAX_DESCRIPTORS);
                let present = clients.load(Ordering::SeqCst);
                if present >= limits::CLIENTS + limits::LAST_CLIENTS {
                    refuse(&connection, &SupervisorError::Crowded(present));
                    continue;
                }
                let client = Client {
                    connection,
                    lifecycle: Arc::clone(&lifecycle),
                    stop_signal,
                    is_last: present >= limits::CLIENTS,
                    count: Count::new(&clients),
                };
                // Without another thread the client is dropped, and sees it.
                let _ = thread::Builder::new().name("client".into()).spawn(|| client.serve());
            }
        };
        thread::Builder::new().name("control".into()).spawn(accept)?;
        Ok(server)
    }

    /// Lets those be answered who wait for the container's end.
    pub(super) fn finish(self) {
        let deadline = Instant::now() + LAST_MOMENT;
        while self.clients.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            thread::sleep(GLANCE);
        }
    }
}

/// Counts a client as long as it lives.
struct Count(Arc<AtomicUsize>);

impl Count {
    fn new(clients: &Arc<AtomicUsize>) -> Self {
        clients.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(clients))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One connection.
struct Client {
    connection: Connection,
    lifecycle: Arc<Lifecycle>,
    stop_signal: u8,
    /// It has one of the places that are kept for those who end the container.
    is_last: bool,
    count: Count,
}

impl Client {
    fn serve(mut self) {
        if self.is_last && self.connection.set_patience(Some(limits::LAST_CLIENT)).is_err() {
            return;
        }
        // A client that says nothing sensible is not answered.
        let Ok(request) = self.connection.receive::<Request>() else { return };
        let descriptors = self.connection.take_descriptors();
        // Not Wait, which may take all these places for as long as the container lives.
        let ends_it = matches!(request, Request::Stop { .. } | Request::Signal(_));
        let answer = if self.is_last && !ends_it {
            Err(SupervisorError::Crowded(limits::CLIENTS))
        } else {
            self.answer(request, descriptors)
        };
        match answer {
            // It may have left.
            Ok(reply) => drop(self.connection.send(&reply, &[])),
            Err(error) => refuse(&self.connection, &error),
        }
        drop(self.count);
    }

    /// Waits for the container's end, its first after so many.
    fn wait(&self, ends: u32) -> Result<Reply, SupervisorError> {
        let status = self.lifecycle.wait(ends, || self.connection.has_left());
        status.map(Reply::Exited).ok_or(SupervisorError::ClientLeft)
    }

    /// The guest, in this client's name: what he asks is over when he leaves.
    fn guest(&self) -> Result<Guest, SupervisorError> {
        Ok(self.lifecycle.running()?.guest.asked_by(self.connection.socket()?))
    }

    fn answer(
        &mut self,
        request: Request,
        descriptors: Vec<OwnedFd>,
    ) -> Result<Reply, SupervisorError> {
        match request {
            Request::Attach { stdin } => {
                let stdio = stdio(descriptors, stdin)?;
                let ends = self.lifecycle.ends();
                self.lifecycle.running()?;
                self.lifecycle.output.attach(stdio.stdout, stdio.stderr, false);
                stdio.stdin.map(|source| self.lifecycle.input.feed(source)).transpose()?;
                self.send_started()?;
                self.listen(None)?;
                return self.wait(ends);
            }
            Request::Exec { process, terminal, stdin } => {
                let stdio = stdio(descriptors, stdin)?;
                let guest = self.guest()?;
                let running = guest.start(*process, terminal, stdio)?;
                self.send_started()?;
                self.listen(Some((guest, running.number)))?;
                return Ok(Reply::Exited(running.wait()?.status.exit_code()));
            }
            Request::Signal(number) => {
                self.lifecycle.signal(number, ends(number, self.stop_signal))?;
            }
            Request::Stop { signal, timeout } => {
                self.lifecycle.stop(signal, Duration::from_secs(timeout.into()))?;
            }
            Request::Pause => self.lifecycle.pause()?,
            Request::Unpause => self.lifecycle.unpause()?,
            Request::Statistics => {
                let guest = Box::new(self.guest()?.statistics()?);
                let network = sum(&self.lifecycle.reports().read());
                return Ok(Reply::Statistics { guest, network });
            }
            Request::Interfaces => return Ok(Reply::Interfaces(self.lifecycle.reports().read())),
            Request::CopyOut { path } => {
                let [archive] = exactly(descriptors)?;
                self.guest()?.copy_out(path, archive)?;
            }
            Request::CopyIn { path } => {
                let [archive] = exactly(descriptors)?;
                self.guest()?.copy_in(path, archive)?;
            }
            Request::Wait => return self.wait(self.lifecycle.ends()),
            Request::Resize(_) => return Err(SupervisorError::Unexpected),
        }
        Ok(Reply::Done)
    }

    fn send_started(&self) -> Result<(), SupervisorError> {
        Ok(self.connection.send(&Reply::Started, &[])?)
    }

    /// Hears, in a thread of its own, what the client says while a process runs: the container's first, or this one.
    fn listen(&self, exec: Option<(Guest, u32)>) -> Result<(), SupervisorError> {
        let mut connection = self.connection.try_clone()?;
        let (lifecycle, stop_signal) = (Arc::clone(&self.lifecycle), self.stop_signal);
        let body = move || {
            // Until it leaves, or says something else.
            while let Ok(request) = connection.receive() {
                match (request, &exec) {
                    (Request::Resize(size), Some((guest, number))) => guest.resize(*number, size),
                    (Request::Signal(signal), Some((guest, number))) => {
                        guest.signal(*number, signal);
                    }
                    (Request::Resize(size), None) => {
                        let _ = lifecycle.running().map(|vm| vm.guest.resize(0, size));
                    }
                    (Request::Signal(signal), None) => {
                        let _ = lifecycle.signal(signal, ends(signal, stop_signal));
                    }
                    _ => return,
                }
            }
        };
        thread::Builder::new().name("listener".into()).spawn(body)?;
        Ok(())
    }
}

/// Says why not. A client that does not read is not waited for: so little fits into any socket.
fn refuse(connection: &Connection, why: &SupervisorError) {
    let reply = Reply::Failed { message: in_one_line(why), status: why.exit_status() };
    // It may have left.
    let _ = connection.send(&reply, &[]);
}

/// Whether a signal is meant to end a container, rather than to tell it something.
fn ends(number: u8, stop_signal: u8) -> bool {
    number == KILL || number == stop_signal
}

/// The streams that came with a request.
fn stdio(descriptors: Vec<OwnedFd>, stdin: bool) -> Result<Stdio, SupervisorError> {
    if stdin {
        let [stdout, stderr, stdin] = exactly(descriptors)?;
        return Ok(Stdio { stdin: Some(stdin), stdout, stderr });
    }
    let [stdout, stderr] = exactly(descriptors)?;
    Ok(Stdio { stdin: None, stdout, stderr })
}

fn exactly<const N: usize>(descriptors: Vec<OwnedFd>) -> Result<[OwnedFd; N], SupervisorError> {
    descriptors.try_into().map_err(|descriptors: Vec<OwnedFd>| SupervisorError::Descriptors {
        found: descriptors.len(),
        wanted: N,
    })
}

#[cfg(test)]
mod tests;
