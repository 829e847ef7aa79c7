//! The first program of the emulated host: starts one command after another, as xtask outside asks.

mod command;
mod heartbeat;
mod ports;
mod pumps;

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rustix::system::{RebootCommand, reboot};

use super::wire::{self, Reply, Request};
use command::Command;
use ports::Ports;

/// What the agent waits for.
enum Event {
    /// xtask outside asks for something.
    Request(Request),
    /// xtask outside is gone.
    Closed(io::Error),
    /// The command ended with this status.
    Ended(u8),
}

/// Serves until xtask outside closes the control port, then powers the machine off.
pub fn run() -> ! {
    if let Err(error) = serve() {
        // It goes to the console, which xtask outside shows when the host ends early.
        eprintln!("host agent: {error}");
    }
    let _ = reboot(RebootCommand::PowerOff);
    std::process::exit(1)
}

fn serve() -> io::Result<()> {
    if std::process::id() != 1 {
        return Err(io::Error::other("this is the first program of the emulated host only"));
    }
    let mut ports = Ports::open()?;
    let heartbeat = ports.heartbeat.try_clone()?;
    thread::spawn(move || heartbeat::answer(heartbeat));
    wire::send(&mut ports.control, &Reply::Ready)?;
    let (sender, events) = channel();
    let control = ports.control.try_clone()?;
    let requests = sender.clone();
    thread::spawn(move || read_requests(control, &requests));
    loop {
        match next(&events)? {
            Event::Request(Request::Start(process)) => {
                let command = Command::start(&process, &ports, sender.clone())?;
                supervise(command, &mut ports.control, &events)?;
            }
            Event::Closed(error) => return Err(error),
            // Signals and sizes for a command that has just ended.
            Event::Request(_) | Event::Ended(_) => {}
        }
    }
}

/// Serves one command to its end.
fn supervise(command: Command, control: &mut File, events: &Receiver<Event>) -> io::Result<()> {
    loop {
        match next(events)? {
            Event::Request(Request::Signal(signal)) => command.signal(signal),
            Event::Request(Request::Resize(size)) => command.resize(size),
            Event::Request(Request::Start(_)) => {
                return Err(io::Error::other("asked to start a command while one runs"));
            }
            Event::Closed(error) => return Err(error),
            Event::Ended(status) => {
                let input = command.finish_output()?;
                wire::send(control, &Reply::Exited(status))?;
                // The other side ends the input when it learns of the command's end.
                return pumps::join(input);
            }
        }
    }
}

fn next(events: &Receiver<Event>) -> io::Result<Event> {
    events.recv().map_err(io::Error::other)
}

fn read_requests(mut control: File, events: &Sender<Event>) {
    loop {
        let event = match wire::receive(&mut control) {
            Ok(request) => Event::Request(request),
            Err(error) => Event::Closed(error),
        };
        let last = matches!(event, Event::Closed(_));
        if events.send(event).is_err() || last {
            return;
        }
    }
}
