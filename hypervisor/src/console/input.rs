//! stdin into the UART, no faster than the guest takes it.

use std::io::{self, Stdin};
use std::sync::{Mutex, TryLockError};
use std::time::Duration;

use devices::fixed::uart::Uart;
use rustix::io::Errno;

use crate::event::{Poll, Source};

/// Where console input stands.
pub struct Input {
    stdin: Stdin,
    state: State,
    /// What was read and the guest has no room for yet: `bytes[..length]`.
    bytes: [u8; BUFFER],
    length: usize,
}

/// Most bytes that are read at once; no UART takes more.
const BUFFER: usize = 64;

/// Seldom enough to cost nothing, often enough for a person who types.
const RETRY: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The event loop waits for input.
    Waiting,
    /// The guest's buffer is full. The UART will say when it is not.
    Full,
    /// A plain file, for which nobody can wait and nobody has to.
    AlwaysReadable,
    /// It came to its end.
    Ended,
}

impl Input {
    /// Begins to listen to stdin.
    pub fn new(poll: &Poll) -> io::Result<Input> {
        let stdin = io::stdin();
        let state = match poll.add(&stdin, Source::Input) {
            Ok(()) => State::Waiting,
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::PERM) => State::AlwaysReadable,
                // Closed by whoever started us.
                Some(Errno::BADF) => State::Ended,
                _ => return Err(error),
            },
        };
        Ok(Input { stdin, state, bytes: [0; BUFFER], length: 0 })
    }

    /// Stdin is readable: moves what there is and what fits.
    pub fn readable(&mut self, poll: &Poll, uart: &Mutex<dyn Uart>) -> io::Result<()> {
        if matches!(self.state, State::Waiting | State::AlwaysReadable) {
            self.read(poll)?;
            self.hand_over(poll, uart)?;
        }
        Ok(())
    }

    /// The guest may have room again.
    pub fn room(&mut self, poll: &Poll, uart: &Mutex<dyn Uart>) -> io::Result<()> {
        self.hand_over(poll, uart)?;
        match self.state {
            State::AlwaysReadable if self.length == 0 => self.readable(poll, uart),
            _ => Ok(()),
        }
    }

    /// How long to wait at most before [`Input::room`] is called again.
    ///
    /// The UART is not waited for: a vCPU may be in it, writing to a stdout that nobody reads,
    /// and the event loop must still hear a signal. Mostly the UART itself says when it has room, but
    /// not to one who found it locked.
    pub fn retry(&self) -> Option<Duration> {
        (self.length > 0).then_some(RETRY)
    }

    /// Reads into the empty buffer. The standard library's stdin would read ahead, more than fits.
    fn read(&mut self, poll: &Poll) -> io::Result<()> {
        if self.length > 0 {
            return Ok(());
        }
        match rustix::io::read(&self.stdin, &mut self.bytes) {
            // EIO: the terminal is gone.
            Ok(0) | Err(Errno::IO) => self.leave(poll, State::Ended),
            Ok(length) => {
                self.length = length;
                Ok(())
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(()),
            Err(error) => {
                log::warn!("console input ends: cannot read stdin: {}", io::Error::from(error));
                self.leave(poll, State::Ended)
            }
        }
    }

    /// Gives the guest what it has room for, and listens only while nothing is left over.
    fn hand_over(&mut self, poll: &Poll, uart: &Mutex<dyn Uart>) -> io::Result<()> {
        if self.length > 0 {
            let taken = match uart.try_lock() {
                Ok(mut uart) => uart.enqueue(&self.bytes[..self.length]),
                Err(TryLockError::Poisoned(error)) => {
                    error.into_inner().enqueue(&self.bytes[..self.length])
                }
                Err(TryLockError::WouldBlock) => 0,
            };
            self.bytes.copy_within(taken..self.length, 0);
            self.length -= taken;
        }
        match (self.state, self.length) {
            (State::Waiting, 1..) => self.leave(poll, State::Full),
            (State::Full, 0) => {
                self.state = State::Waiting;
                poll.add(&self.stdin, Source::Input)
            }
            _ => Ok(()),
        }
    }

    /// Stops waiting for stdin.
    fn leave(&mut self, poll: &Poll, next: State) -> io::Result<()> {
        let waiting = self.state == State::Waiting;
        self.state = next;
        if waiting { poll.remove(&self.stdin) } else { Ok(()) }
    }
}
