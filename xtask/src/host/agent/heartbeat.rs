//! The signs of life that xtask outside asks for. They have a thread and a port of their own: the rest of the agent may
//! wait for a reader of the command's output for as long as that likes.

use std::fs::File;
use std::io;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::host::wire::{self, Beat, OWN_BEAT, Ping};

/// Answers until xtask outside is gone.
pub fn answer(mut port: File) -> io::Result<()> {
    // Whoever does not ask, as for a host whose clock counts instructions, gets no timer either.
    let Ping = wire::receive(&mut port)?;
    let mut own = 0;
    loop {
        wire::send(&mut port, &Beat { own })?;
        while !readable_within_a_beat(&port)? {
            own += 1;
        }
        let Ping = wire::receive(&mut port)?;
    }
}

fn readable_within_a_beat(port: &File) -> io::Result<bool> {
    let beat = Timespec::try_from(OWN_BEAT).map_err(io::Error::other)?;
    match poll(&mut [PollFd::new(port, PollFlags::IN)], Some(&beat)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
