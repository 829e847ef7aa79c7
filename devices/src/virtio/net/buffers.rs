//! What the guest has for packets: buffers that were taken out of its rx queue, and hold one packet or a part of it.

use vm_memory::VolatileSlice;

use super::{Queue, QueueError};
use crate::GuestMemory;
use crate::virtio::queue::{Chain, Finder};

/// Pieces of guest memory that are lent for a packet at once: of 1.5 KiB each they hold the longest one. The kernel's limit for
/// one call, `UIO_MAXIOV` (linux/uio.h), is 1024.
const PIECES: usize = 64;

/// Buffers that were taken, the first first.
#[derive(Default)]
pub(super) struct Buffers {
    /// Those that were taken end with the last one; the others are kept for their memory.
    chains: Vec<Chain>,
    taken: std::ops::Range<usize>,
    /// Bytes that they hold.
    room: u64,
    used: Vec<(u16, u32)>,
}

impl Buffers {
    pub(super) fn len(&self) -> usize {
        self.taken.len()
    }

    pub(super) fn room(&self) -> u64 {
        self.room
    }

    /// Takes one more. False: there is none now.
    pub(super) fn take(
        &mut self,
        queue: &mut Queue,
        mem: &mut Finder<'_>,
    ) -> Result<bool, QueueError> {
        if self.taken.is_empty() {
            self.taken = 0..0;
        }
        if self.taken.end == self.chains.len() {
            self.chains.push(Chain::default());
        }
        let chain = &mut self.chains[self.taken.end];
        if !queue.pop_into(chain, mem)? {
            return Ok(false);
        }
        if chain.writable.is_empty() {
            let problem = "a buffer for a packet must be writable (virtio 1.2 §5.1.6.3)";
            return Err(QueueError::Layout { head: chain.head, problem });
        }
        self.room += chain.writable_len();
        self.taken.end += 1;
        Ok(true)
    }

    /// Puts all of them back.
    pub(super) fn put_back(&mut self, queue: &mut Queue) {
        self.taken.by_ref().for_each(|_| queue.undo_pop());
        self.room = 0;
    }

    /// Gives those back to the driver that hold the first `len` bytes, and keeps the others.
    pub(super) fn give(
        &mut self,
        queue: &mut Queue,
        mem: &mut Finder<'_>,
        len: usize,
    ) -> Result<(), QueueError> {
        let mut rest = len as u64;
        self.used.clear();
        while rest > 0
            && let Some(index) = self.taken.next()
        {
            let chain = &self.chains[index];
            let (room, head) = (chain.writable_len(), chain.head);
            self.used.push((head, room.min(rest) as u32));
            self.room -= room;
            rest = rest.saturating_sub(room);
        }
        queue.push_all(mem, &self.used)
    }

    /// How many of them hold `len` bytes.
    pub(super) fn count(&self, len: usize) -> usize {
        let mut room = 0;
        let too_few = self.chains[self.taken.clone()].iter().take_while(|chain| {
            let before = room;
            room += chain.writable_len();
            before < len as u64
        });
        too_few.count()
    }

    /// The guest memory behind the first `skip` bytes of them, or as much of it as goes into one call.
    pub(super) fn lend<'a>(
        &self,
        mem: &mut Finder<'a>,
        skip: usize,
        slices: &mut Vec<VolatileSlice<'a>>,
    ) -> Result<(), QueueError> {
        let mut skip = skip as u64;
        for chain in &self.chains[self.taken.clone()] {
            let skipped = skip.min(chain.writable_len());
            skip -= skipped;
            chain.lend_writable(mem, skipped, slices)?;
            if slices.len() >= PIECES {
                slices.truncate(PIECES);
                break;
            }
        }
        Ok(())
    }

    /// Copies bytes into them, from byte `offset` on.
    pub(super) fn write(
        &self,
        mem: &GuestMemory,
        offset: usize,
        data: &[u8],
    ) -> Result<(), QueueError> {
        self.for_each_part(offset, data.len(), |chain, at, part| {
            chain.write_at(mem, at, &data[part])
        })
    }

    /// Copies bytes out of them, from byte `offset` on: what was just put there, or what the guest has made of that.
    pub(super) fn read(
        &self,
        mem: &GuestMemory,
        offset: usize,
        data: &mut [u8],
    ) -> Result<(), QueueError> {
        self.for_each_part(offset, data.len(), |chain, at, part| {
            chain.read_back(mem, at, &mut data[part])
        })
    }

    /// Divides `len` bytes from byte `offset` on among them: the buffer, where in it, and which of the bytes.
    fn for_each_part(
        &self,
        offset: usize,
        len: usize,
        mut each: impl FnMut(&Chain, u64, std::ops::Range<usize>) -> Result<(), QueueError>,
    ) -> Result<(), QueueError> {
        let (mut offset, mut done) = (offset as u64, 0);
        for chain in &self.chains[self.taken.clone()] {
            let room = chain.writable_len();
            let at = offset.min(room);
            offset -= at;
            let part = (room - at).min((len - done) as u64) as usize;
            if part > 0 {
                each(chain, at, done..done + part)?;
                done += part;
            }
            if done == len {
                break;
            }
        }
        Ok(())
    }
}
