//! Values in guest memory. Nearly all are in one region of it, as all of a guest's queues are: to look that up and no further
//! takes a third of what the general way takes, and a packet of 64 KiB has a hundred of them.

use vm_memory::{
    ByteValued, Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryError, VolatileMemory,
};

use crate::GuestMemory;

/// A copy of what is at `address`, which the driver may change meanwhile.
pub(super) fn read<T: ByteValued>(
    mem: &GuestMemory,
    address: GuestAddress,
) -> Result<T, GuestMemoryError> {
    let slice = mem.get_slice(address, size_of::<T>());
    match slice.as_ref().map(|slice| slice.get_ref::<T>(0)) {
        Ok(Ok(place)) => Ok(place.load()),
        _ => mem.read_obj(address),
    }
}

/// Writes it there.
pub(super) fn write<T: ByteValued>(
    mem: &GuestMemory,
    address: GuestAddress,
    value: T,
) -> Result<(), GuestMemoryError> {
    let slice = mem.get_slice(address, size_of::<T>());
    match slice.as_ref().map(|slice| slice.get_ref::<T>(0)) {
        Ok(Ok(place)) => {
            place.store(value);
            Ok(())
        }
        _ => mem.write_obj(value, address),
    }
}
