//! Guest memory as a batch of accesses finds it.
//!
//! Nearly all of a guest's queues and packets are in one region of it. To look that up for each value takes longer than
//! what is done with the value, and a packet of 64 KiB has a hundred of them.

use vm_memory::{
    ByteValued, Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryError, GuestMemoryRegion,
    VolatileMemory, VolatileSlice,
};

use crate::GuestMemory;

/// Guest memory, and the region of the last access.
pub(crate) struct Finder<'a> {
    mem: &'a GuestMemory,
    /// Where the region starts, and all of it.
    region: Option<(u64, VolatileSlice<'a>)>,
}

impl<'a> Finder<'a> {
    pub fn new(mem: &'a GuestMemory) -> Self {
        Self { mem, region: None }
    }

    pub fn memory(&self) -> &'a GuestMemory {
        self.mem
    }

    /// `len` bytes of guest memory, if all of them are in one region.
    #[inline]
    pub fn slice(&mut self, address: GuestAddress, len: usize) -> Option<VolatileSlice<'a>> {
        if let Some((start, region)) = &self.region
            && let Some(offset) = address.0.checked_sub(*start)
            && let Ok(slice) = region.subslice(offset as usize, len)
        {
            return Some(slice);
        }
        self.find(address)?.subslice((address.0 - self.region?.0) as usize, len).ok()
    }

    #[cold]
    fn find(&mut self, address: GuestAddress) -> Option<VolatileSlice<'a>> {
        let region = self.mem.find_region(address)?;
        let slice = region.as_volatile_slice().ok()?;
        self.region = Some((region.start_addr().0, slice));
        Some(slice)
    }

    /// Whether all of it is guest memory.
    pub fn is_inside(&mut self, address: GuestAddress, len: usize) -> bool {
        self.slice(address, len).is_some() || self.mem.check_range(address, len)
    }

    /// A copy of what is at `address`, which the driver may change meanwhile.
    pub fn read<T: ByteValued>(&mut self, address: GuestAddress) -> Result<T, GuestMemoryError> {
        let slice = self.slice(address, size_of::<T>());
        match slice.as_ref().map(|slice| slice.get_ref::<T>(0)) {
            Some(Ok(place)) => Ok(place.load()),
            _ => self.mem.read_obj(address),
        }
    }

    /// Writes it there.
    pub fn write<T: ByteValued>(
        &mut self,
        address: GuestAddress,
        value: T,
    ) -> Result<(), GuestMemoryError> {
        let slice = self.slice(address, size_of::<T>());
        match slice.as_ref().map(|slice| slice.get_ref::<T>(0)) {
            Some(Ok(place)) => {
                place.store(value);
                Ok(())
            }
            _ => self.mem.write_obj(value, address),
        }
    }
}
