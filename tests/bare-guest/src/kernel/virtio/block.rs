//! The block device (virtio 1.2 §5.2).

use super::Device;
use super::queue::{By, Queue};
use crate::kernel::dma::Page;
use crate::kernel::machine::interrupts::LINE;
use crate::kernel::report::{Fault, Line, Report, put};

const READ_ONLY: u32 = 1 << 5;
const FLUSH_FEATURE: u32 = 1 << 9;

/// Request types.
const IN: u32 = 0;
const OUT: u32 = 1;
const FLUSH: u32 = 4;
const GET_ID: u32 = 8;

const SECTOR: u32 = 512;
const ID_LEN: u32 = 20;

/// Places in the data page: request header, status byte, then the data.
const STATUS: usize = 16;
const DATA: usize = 512;

struct Disk<'a> {
    device: &'a Device,
    queue: Queue,
    page: Page,
}

/// Reads, identifies, and, if it may, writes.
pub fn check(report: &mut Report, device: &Device) {
    report.check("block", |line| {
        let features = device.negotiate(READ_ONLY | FLUSH_FEATURE)?;
        let queue = device.queue(0)?;
        device.start();
        let page = Page::take().ok_or("out of pages")?;
        let sectors = device.config(0);
        let mut disk = Disk { device, queue, page };
        put!(line, "{sectors} sectors, ");
        disk.read(0)?;
        put!(line, "sector 0 begins {:08x}, ", u32::from_be_bytes(disk.page.get(DATA)));
        disk.identify(line)?;
        put!(line, "{LINE} {}, ", device.line);
        if features & FLUSH_FEATURE != 0 {
            disk.request(FLUSH, 0, None)?;
        }
        if features & READ_ONLY != 0 {
            put!(line, "read-only");
            return disk.refuses_writes();
        }
        put!(line, "writable");
        disk.write_and_read_back(sectors.checked_sub(1).ok_or("an empty disk")?)
    });
}

impl Disk<'_> {
    /// One request: header, data, status byte.
    fn request(&mut self, kind: u32, sector: u64, data: Option<(u32, By)>) -> Result<(), Fault> {
        match self.try_request(kind, sector, data)? {
            0 => Ok(()),
            1 => Err("the device reports an I/O error"),
            2 => Err("the device does not know the request"),
            _ => Err("the device gives no status"),
        }
    }

    fn try_request(
        &mut self,
        kind: u32,
        sector: u64,
        data: Option<(u32, By)>,
    ) -> Result<u8, Fault> {
        self.page.put(0, kind);
        self.page.put(4, 0u32);
        self.page.put(8, sector);
        self.page.put(STATUS, 0xffu8);
        let base = self.page.address();
        let header = (base, STATUS as u32, By::Driver);
        let status = (base + STATUS as u64, 1, By::Device);
        match data {
            Some((len, by)) => self.queue.offer(&[header, (base + DATA as u64, len, by), status]),
            None => self.queue.offer(&[header, status]),
        }
        self.device.notify(&self.queue);
        self.device.wait(&mut self.queue)?;
        Ok(self.page.get(STATUS))
    }

    fn read(&mut self, sector: u64) -> Result<(), Fault> {
        self.request(IN, sector, Some((SECTOR, By::Device)))
    }

    fn identify(&mut self, line: &mut Line) -> Result<(), Fault> {
        self.request(GET_ID, 0, Some((ID_LEN, By::Device)))?;
        put!(line, "id \"");
        let id: [u8; ID_LEN as usize] = self.page.get(DATA);
        for byte in id.into_iter().take_while(|byte| *byte != 0) {
            put!(line, "{}", char::from(byte));
        }
        put!(line, "\", ");
        Ok(())
    }

    fn refuses_writes(&mut self) -> Result<(), Fault> {
        match self.try_request(OUT, 0, Some((SECTOR, By::Driver)))? {
            0 => Err("a write to a read-only disk is accepted"),
            _ => Ok(()),
        }
    }

    /// A sector keeps what is written; what was there is put back.
    fn write_and_read_back(&mut self, sector: u64) -> Result<(), Fault> {
        const WORDS: usize = SECTOR as usize / 8;
        self.read(sector)?;
        let before: [u64; WORDS] = core::array::from_fn(|i| self.page.get(DATA + i * 8));
        let pattern = |i: usize| 0x0123_4567_89ab_cdef ^ i as u64;
        (0..WORDS).for_each(|i| self.page.put(DATA + i * 8, pattern(i)));
        self.request(OUT, sector, Some((SECTOR, By::Driver)))?;
        (0..WORDS).for_each(|i| self.page.put(DATA + i * 8, 0u64));
        self.read(sector)?;
        let kept = (0..WORDS).all(|i| self.page.get::<u64>(DATA + i * 8) == pattern(i));
        (0..WORDS).for_each(|i| self.page.put(DATA + i * 8, before[i]));
        self.request(OUT, sector, Some((SECTOR, By::Driver)))?;
        if kept { Ok(()) } else { Err("a sector does not keep what was written") }
    }
}
