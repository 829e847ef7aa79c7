//! A descriptor chain: what one request is made of (virtio 1.2 §2.7.5).

use vm_memory::{Address, GuestAddress, GuestMemoryBackend, VolatileSlice};

use super::{Finder, QueueError, QueueState};
use crate::GuestMemory;

/// VIRTQ_DESC_F_NEXT (virtio 1.2 §2.7.5): the chain goes on at `next`.
const F_NEXT: u16 = 1;
/// VIRTQ_DESC_F_WRITE (virtio 1.2 §2.7.5): the device writes this buffer.
const F_WRITE: u16 = 2;
/// VIRTQ_DESC_F_INDIRECT (virtio 1.2 §2.7.5.3): the buffer is a table of descriptors.
const F_INDIRECT: u16 = 4;
/// Size of a descriptor (virtio 1.2 §2.7.5).
const DESCRIPTOR: usize = size_of::<[u64; 2]>();

/// A piece of guest memory, inside guest memory and not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Where it starts.
    pub addr: GuestAddress,
    /// How long it is.
    pub len: u32,
}

/// One request: the buffers that the device reads, then those that it writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// The first descriptor's number, by which the chain is given back.
    pub head: u16,
    /// What the driver wrote for the device.
    pub readable: Vec<Buffer>,
    /// What the device is to write for the driver.
    pub writable: Vec<Buffer>,
    /// How many bytes they are, which is asked for often.
    readable_len: u64,
    writable_len: u64,
}

impl Chain {
    /// Becomes a copy of the chain that starts at `head` of the queue's descriptor table, and checks it.
    pub(super) fn read(
        &mut self,
        mem: &mut Finder<'_>,
        queue: &QueueState,
        head: u16,
    ) -> Result<(), QueueError> {
        let (table, size) = (GuestAddress(queue.descriptors), queue.size);
        if head >= size {
            return Err(QueueError::Head { head, size });
        }
        self.head = head;
        self.readable.clear();
        self.writable.clear();
        (self.readable_len, self.writable_len) = (0, 0);
        // Where the walk is: it enters an indirect table at most once, at the end of the direct descriptors.
        let (mut table, mut len, mut index, mut indirect) = (table, u32::from(size), head, false);
        let mut count = 0;
        loop {
            let descriptor = Descriptor::read(mem, table, index)?;
            if descriptor.flags & F_INDIRECT != 0 {
                if !queue.indirect {
                    return Err(QueueError::IndirectNotAgreed { head });
                }
                if indirect || descriptor.flags & F_NEXT != 0 {
                    return Err(QueueError::Indirect { head });
                }
                (table, len, index, indirect) = (descriptor.addr, descriptor.table_len()?, 0, true);
                continue;
            }
            // A loop ends here too. This is also what bounds the two vectors.
            if count == size {
                return Err(QueueError::TooManyDescriptors { head, size });
            }
            count += 1;
            if self.readable_len + self.writable_len + u64::from(descriptor.len) > 1 << 32 {
                return Err(QueueError::TooManyBytes { head });
            }
            self.add(mem, &descriptor)?;
            if descriptor.flags & F_NEXT == 0 {
                return Ok(());
            }
            index = descriptor.next;
            if u32::from(index) >= len {
                return Err(QueueError::Next { next: index, len });
            }
        }
    }

    fn add(&mut self, mem: &mut Finder<'_>, descriptor: &Descriptor) -> Result<(), QueueError> {
        let Descriptor { addr, len, flags, .. } = *descriptor;
        let writable = flags & F_WRITE != 0;
        if !writable && !self.writable.is_empty() {
            return Err(QueueError::Order { head: self.head });
        }
        if len == 0 {
            return Ok(());
        }
        if !mem.is_inside(addr, len as usize) {
            return Err(QueueError::Outside { address: addr.0, len: len.into() });
        }
        let (buffers, all) = match writable {
            true => (&mut self.writable, &mut self.writable_len),
            false => (&mut self.readable, &mut self.readable_len),
        };
        buffers.push(Buffer { addr, len });
        *all += u64::from(len);
        Ok(())
    }

    fn readable_part(&self) -> (&[Buffer], u64) {
        (&self.readable, self.readable_len)
    }

    fn writable_part(&self) -> (&[Buffer], u64) {
        (&self.writable, self.writable_len)
    }

    /// How many bytes the device may read.
    pub fn readable_len(&self) -> u64 {
        self.readable_len
    }

    /// How many bytes the device may write.
    pub fn writable_len(&self) -> u64 {
        self.writable_len
    }

    /// Copies bytes out of the readable part.
    pub fn read_at(
        &self,
        mem: &GuestMemory,
        offset: u64,
        data: &mut [u8],
    ) -> Result<(), QueueError> {
        let mut done = 0;
        let mem = &mut Finder::new(mem);
        for_each_slice(self.readable_part(), mem, offset, data.len() as u64, |slice| {
            done += slice.copy_to(&mut data[done..]);
        })
    }

    /// Copies bytes into the writable part.
    pub fn write_at(&self, mem: &GuestMemory, offset: u64, data: &[u8]) -> Result<(), QueueError> {
        let mut done = 0;
        let mem = &mut Finder::new(mem);
        for_each_slice(self.writable_part(), mem, offset, data.len() as u64, |slice| {
            slice.copy_from(&data[done..]);
            done += slice.len();
        })
    }

    /// Copies bytes out of the writable part: what the device has put there, or what the driver has made of it since.
    pub(crate) fn read_back(
        &self,
        mem: &GuestMemory,
        offset: u64,
        data: &mut [u8],
    ) -> Result<(), QueueError> {
        let mut done = 0;
        let mem = &mut Finder::new(mem);
        for_each_slice(self.writable_part(), mem, offset, data.len() as u64, |slice| {
            done += slice.copy_to(&mut data[done..]);
        })
    }

    /// The guest memory behind `len` bytes of the readable part, for scatter-gather I/O.
    pub(crate) fn readable_slices<'a>(
        &self,
        mem: &'a GuestMemory,
        offset: u64,
        len: u64,
    ) -> Result<Vec<VolatileSlice<'a>>, QueueError> {
        let mut slices = Vec::with_capacity(self.readable.len());
        self.lend_readable(&mut Finder::new(mem), offset, len, &mut slices)?;
        Ok(slices)
    }

    /// The guest memory behind `len` bytes of the writable part, for scatter-gather I/O.
    pub(crate) fn writable_slices<'a>(
        &self,
        mem: &'a GuestMemory,
        offset: u64,
        len: u64,
    ) -> Result<Vec<VolatileSlice<'a>>, QueueError> {
        let mut slices = Vec::with_capacity(self.writable.len());
        let mem = &mut Finder::new(mem);
        for_each_slice(self.writable_part(), mem, offset, len, |slice| slices.push(slice))?;
        Ok(slices)
    }

    /// Adds the guest memory behind `len` bytes of the readable part.
    pub(crate) fn lend_readable<'a>(
        &self,
        mem: &mut Finder<'a>,
        offset: u64,
        len: u64,
        slices: &mut Vec<VolatileSlice<'a>>,
    ) -> Result<(), QueueError> {
        for_each_slice(self.readable_part(), mem, offset, len, |slice| slices.push(slice))
    }

    /// Adds the guest memory behind the writable part, but for its first `skip` bytes.
    pub(crate) fn lend_writable<'a>(
        &self,
        mem: &mut Finder<'a>,
        skip: u64,
        slices: &mut Vec<VolatileSlice<'a>>,
    ) -> Result<(), QueueError> {
        let len = self.writable_len.saturating_sub(skip);
        for_each_slice(self.writable_part(), mem, skip, len, |slice| slices.push(slice))
    }
}

/// A descriptor, copied out of guest memory.
struct Descriptor {
    addr: GuestAddress,
    len: u32,
    flags: u16,
    next: u16,
}

impl Descriptor {
    fn read(mem: &mut Finder<'_>, table: GuestAddress, index: u16) -> Result<Self, QueueError> {
        let address = table
            .checked_add(u64::from(index) * DESCRIPTOR as u64)
            .ok_or(QueueError::Wraps { address: table.0 })?;
        let [addr, rest] = mem.read::<[u64; 2]>(address)?.map(u64::from_le);
        Ok(Self {
            addr: GuestAddress(addr),
            len: rest as u32,
            flags: (rest >> 32) as u16,
            next: (rest >> 48) as u16,
        })
    }

    /// How many descriptors the table has that this one refers to: no more than a 16-bit `next` can count.
    fn table_len(&self) -> Result<u32, QueueError> {
        let descriptors = self.len / DESCRIPTOR as u32;
        let countable = 1..=u32::from(u16::MAX);
        if !countable.contains(&descriptors) || !self.len.is_multiple_of(DESCRIPTOR as u32) {
            return Err(QueueError::IndirectLength { len: self.len });
        }
        Ok(descriptors)
    }
}

/// Gives the pieces of guest memory behind bytes `offset..offset + len` of `buffers`, `available` bytes, laid end to end.
fn for_each_slice<'a>(
    (buffers, available): (&[Buffer], u64),
    mem: &mut Finder<'a>,
    offset: u64,
    len: u64,
    mut each: impl FnMut(VolatileSlice<'a>),
) -> Result<(), QueueError> {
    if offset.checked_add(len).is_none_or(|end| end > available) {
        return Err(QueueError::PastEnd { offset, len, available });
    }
    let (mut skip, mut rest) = (offset, len);
    for buffer in buffers {
        let inside = u64::from(buffer.len).saturating_sub(skip).min(rest);
        if inside != 0 {
            let (addr, len) = (buffer.addr.unchecked_add(skip), inside as usize);
            match mem.slice(addr, len) {
                Some(slice) => each(slice),
                // A buffer may reach across two adjacent memory regions.
                None => {
                    let mut slices = mem.memory().get_slices(addr, len);
                    slices.try_for_each(|slice| slice.map(&mut each))?;
                }
            }
        }
        skip = skip.saturating_sub(buffer.len.into());
        rest -= inside;
    }
    Ok(())
}
