//! One turn of a disk's thread, between the device behind its lock and the disk, which only the thread has.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Block, Disk, Done, QUEUE};
use crate::GuestMemory;
use crate::virtio::mmio::Mmio;

/// Takes request after request, has the disk do each while the device is free, and answers it, in the driver's order:
/// so a flush comes after every write that was answered before it. True: that was a turn's share, and there may be
/// more.
///
/// The driver is interrupted at the end of the turn. The share bounds what it waits for, and a request what a pause
/// does.
pub fn turn(device: &Mutex<Mmio<Block>>, disk: &mut dyn Disk, mem: &GuestMemory) -> bool {
    let lock = || device.lock().unwrap_or_else(PoisonError::into_inner);
    let next = |mut mmio: MutexGuard<'_, Mmio<Block>>| {
        mmio.take(|block, queues, mem| block.next(&mut queues[QUEUE], mem))
    };
    let mut mmio = lock();
    if !mmio.begin_turn() {
        return false;
    }
    while let Some(job) = next(mmio) {
        let Done { token, written } = job.run(disk, mem);
        mmio = lock();
        mmio.answer(QUEUE, token, written);
    }
    lock().end_turn()
}
