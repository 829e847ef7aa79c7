//! A block device whose driver sends requests of any shape to a disk in memory.

use std::io;
use std::sync::{Mutex, PoisonError};

use devices::virtio::block::{Block, Disk, turn};
use devices::virtio::mmio::Mmio;
use devices::{Device, GuestMemory};
use vm_memory::{Bytes, GuestAddress, VolatileSlice};

use crate::driver::{NEXT, Ring, WRITE, is_reachable, set_up, status};
use crate::input::Input;
use devices::testing::{Counter, memory};

/// Sectors of 512 bytes (virtio 1.2 §5.2.4).
const SECTOR: u64 = 512;
/// The length of the disk in bytes, which is no whole number of sectors.
const DISK: usize = 64 * 512 + 100;
const SIZE: u16 = 16;
const BUFFERS: u64 = Ring::SPACE;
const MEMORY: usize = BUFFERS as usize + 0x2000;

/// What a turn may make the disk do, in bytes: its share (16 MiB), and one request more, which is as long as the device lets it
/// be (254 pieces of 128 KiB). A flush counts as a mebibyte.
const TURN: u64 = (16 << 20) + 254 * (128 << 10);
/// What a flush counts as, in bytes.
const FLUSH: u64 = 1 << 20;

/// A disk that holds the device to what it is promised.
struct Memory {
    bytes: Vec<u8>,
    /// What the device had it do, in bytes.
    done: u64,
    read_only: bool,
}

impl Memory {
    fn at(&mut self, offset: u64, len: u64) -> &mut [u8] {
        let end = offset.checked_add(len).expect("a range that does not wrap");
        assert!(end <= self.bytes.len() as u64 / SECTOR * SECTOR, "whole sectors of the disk");
        assert!(offset.is_multiple_of(SECTOR) && len.is_multiple_of(SECTOR));
        self.done += len;
        &mut self.bytes[offset as usize..end as usize]
    }

    fn written(&mut self, offset: u64, len: u64) -> &mut [u8] {
        assert!(!self.read_only, "nothing is written to a disk that is read-only");
        self.at(offset, len)
    }
}

fn total(buffers: &[VolatileSlice]) -> u64 {
    buffers.iter().map(|buffer| buffer.len() as u64).sum()
}

impl Disk for Memory {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&mut self, offset: u64, buffers: &[VolatileSlice]) -> io::Result<()> {
        let mut from = &*self.at(offset, total(buffers));
        for buffer in buffers {
            let (now, rest) = from.split_at(buffer.len());
            buffer.copy_from(now);
            from = rest;
        }
        Ok(())
    }

    fn write_at(&mut self, offset: u64, buffers: &[VolatileSlice]) -> io::Result<()> {
        let mut to = self.written(offset, total(buffers));
        for buffer in buffers {
            let (now, rest) = to.split_at_mut(buffer.len());
            buffer.copy_to(now);
            to = rest;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.done += FLUSH;
        Ok(())
    }

    fn discard(&mut self, offset: u64, len: u64) -> io::Result<()> {
        self.written(offset, len).fill(0xdd);
        Ok(())
    }

    fn write_zeroes(&mut self, offset: u64, len: u64, _unmap: bool) -> io::Result<()> {
        self.written(offset, len).fill(0);
        Ok(())
    }
}

/// Requests, descriptors and bytes of a hostile driver, in any order.
pub fn block(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let Some(read_only) = input.bool() else { return };
    let mem = memory(MEMORY);
    let mut disk = Memory { bytes: vec![7; DISK], done: 0, read_only };
    let before = disk.bytes.clone();
    let irq = Counter::default();
    let block = Block::new(disk.len(), "fuzz", read_only);
    let mmio = Mmio::new(block, mem.clone(), Box::new(irq.clone()), Box::new(Counter::default()));
    let mmio = Mutex::new(mmio);
    let mut bench = Bench { mmio, ring: Ring::new(&mem, 0, SIZE), mem };
    while bench.step(&mut input, &mut disk).is_some() {}
    assert_eq!(disk.bytes.len(), DISK);
    assert!(!read_only || disk.bytes == before);
    assert!(disk.bytes[DISK - 100..].iter().all(|&byte| byte == 7), "out of the guest's reach");
}

struct Bench {
    mmio: Mutex<Mmio<Block>>,
    ring: Ring,
    mem: GuestMemory,
}

impl Bench {
    fn step(&mut self, input: &mut Input, disk: &mut Memory) -> Option<()> {
        match input.u8()? % 8 {
            0 => self.set_up(input.u32()?),
            1 | 2 => self.request(input)?,
            3 => self.ring.describe(
                input.u8()?.into(),
                input.number()?.wrapping_add(BUFFERS),
                input.number()? as u32,
                input.u8()?.into(),
                input.u8()?.into(),
            ),
            4 => self.ring.offer(input.u8()?.into()),
            5 => {
                let at = u64::from(input.u16()?) % MEMORY as u64;
                let len = usize::from(input.u8()? % 33);
                let _ = self.mem.write_slice(input.bytes(len)?, GuestAddress(at));
            }
            6 => self.turn(disk),
            _ => {
                let mut mmio = self.mmio.lock().unwrap_or_else(PoisonError::into_inner);
                mmio.pause();
                let state = mmio.save();
                mmio.restore(&state).expect("a device can be in the state that it saved");
                mmio.resume();
            }
        }
        let status = status(self.mmio.get_mut().unwrap_or_else(PoisonError::into_inner));
        assert!(is_reachable(status), "{status:#x}");
        Some(())
    }

    fn set_up(&mut self, features: u32) {
        let _ = self.mem.write_slice(&[0; Ring::SPACE as usize], GuestAddress(0));
        self.ring = Ring::new(&self.mem, 0, SIZE);
        let mmio = self.mmio.get_mut().unwrap_or_else(PoisonError::into_inner);
        // All that any device has, the read-only one's bit in the place of the others, or none.
        if !set_up(mmio, features, std::slice::from_ref(&self.ring)) {
            set_up(mmio, 0, std::slice::from_ref(&self.ring));
        }
    }

    fn turn(&self, disk: &mut Memory) {
        disk.done = 0;
        turn(&self.mmio, disk, &self.mem);
        assert!(disk.done <= TURN, "{} bytes in one turn", disk.done);
    }

    /// A request as the specification has it: header, data, status (virtio 1.2 §5.2.6).
    fn request(&mut self, input: &mut Input) -> Option<()> {
        let kind = u32::from(input.u8()? % 16);
        let sector = input.number()?;
        let len = (input.number()? as u32).wrapping_mul(64);
        let data_flags = if input.bool()? { NEXT | WRITE } else { NEXT };
        let first = u16::from(input.u8()? % (SIZE / 3) as u8) * 3;
        let [header, data, status] = [BUFFERS, BUFFERS + 16, BUFFERS + 0x1fff];
        let fields = [u64::from(kind), sector];
        self.mem.write_obj(fields, GuestAddress(header)).expect("room for it");
        self.ring.describe(first, header, 16, NEXT, first + 1);
        self.ring.describe(first + 1, data, len, data_flags, first + 2);
        self.ring.describe(first + 2, status, 1, WRITE, 0);
        self.ring.offer(first);
        Some(())
    }
}
