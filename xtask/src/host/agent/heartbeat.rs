//! The signs of life that xtask outside asks for. They have a thread and a port of their own: the rest of the agent may
//! wait for a reader of the command's output for as long as that likes.

use std::fs::File;
use std::io;

use crate::host::wire::{self, Beat, OWN_BEAT, Ping};
use crate::readable::is_readable_within;

/// Answers until xtask outside is gone.
pub fn answer(mut port: File) -> io::Result<()> {
    // Whoever does not ask, as for a host whose clock counts instructions, gets no timer either.
    let Ping = wire::receive(&mut port)?;
    let mut own = 0;
    loop {
        wire::send(&mut port, &Beat { own })?;
        while !is_readable_within(&port, OWN_BEAT)? {
            own += 1;
        }
        let Ping = wire::receive(&mut port)?;
    }
}
