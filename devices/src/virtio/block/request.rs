//! A request to a block device (virtio 1.2 §5.2.6):
//!
//! ```text
//! readable:  type u32 | reserved u32 | sector u64 | data to write
//! writable:  data to read | status u8
//! ```

use crate::GuestMemory;
use crate::virtio::queue::{Chain, QueueError};

/// VIRTIO_BLK_T_IN: read.
const T_IN: u32 = 0;
/// VIRTIO_BLK_T_OUT: write.
const T_OUT: u32 = 1;
/// VIRTIO_BLK_T_FLUSH: flush the cache.
const T_FLUSH: u32 = 4;
/// VIRTIO_BLK_T_GET_ID: name the device.
const T_GET_ID: u32 = 8;
/// VIRTIO_BLK_T_DISCARD: forget ranges.
const T_DISCARD: u32 = 11;
/// VIRTIO_BLK_T_WRITE_ZEROES: zero ranges.
const T_WRITE_ZEROES: u32 = 13;

/// Length of the header.
pub(super) const HEADER: u64 = 16;
/// Length of a range in a discard or write-zeroes.
const RANGE: u64 = 16;
/// Length of the device's name (virtio 1.2 §5.2.6).
pub(super) const ID_LEN: usize = 20;

/// How a request failed: its status byte (virtio 1.2 §5.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// VIRTIO_BLK_S_IOERR: the disk or the driver made an error.
    Io = 1,
    /// VIRTIO_BLK_S_UNSUPP: the device does not know the request.
    Unsupported = 2,
}

/// VIRTIO_BLK_S_OK.
pub(super) const STATUS_OK: u8 = 0;

/// What the driver asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Read,
    Write,
    Flush,
    GetId,
    Discard,
    WriteZeroes,
    Unknown,
}

/// The parts of a chain that every request has.
pub(super) struct Request<'a> {
    pub(super) command: Command,
    pub(super) sector: u64,
    pub(super) chain: &'a Chain,
    /// How many bytes of data follow the header.
    pub(super) data_out: u64,
    /// How many bytes of data precede the status.
    pub(super) data_in: u64,
}

impl<'a> Request<'a> {
    pub(super) fn parse(chain: &'a Chain, mem: &GuestMemory) -> Result<Self, QueueError> {
        let layout = |problem| QueueError::Layout { head: chain.head, problem };
        let data_out = chain.readable_len().checked_sub(HEADER);
        let data_out = data_out.ok_or(layout("a request must start with 16 readable bytes"))?;
        let data_in = chain.writable_len().checked_sub(1);
        let data_in = data_in.ok_or(layout("a request must end with a writable byte"))?;
        let mut header = [0; HEADER as usize];
        chain.read_at(mem, 0, &mut header)?;
        let [t0, t1, t2, t3, _, _, _, _, sector @ ..] = header;
        let command = match u32::from_le_bytes([t0, t1, t2, t3]) {
            T_IN => Command::Read,
            T_OUT => Command::Write,
            T_FLUSH => Command::Flush,
            T_GET_ID => Command::GetId,
            T_DISCARD => Command::Discard,
            T_WRITE_ZEROES => Command::WriteZeroes,
            _ => Command::Unknown,
        };
        Ok(Self { command, sector: u64::from_le_bytes(sector), chain, data_out, data_in })
    }

    /// The range of a discard or write-zeroes, which has one.
    pub(super) fn range(&self, mem: &GuestMemory) -> Result<Result<Range, Failure>, QueueError> {
        if self.data_out != RANGE {
            return Ok(Err(Failure::Io));
        }
        Range::read(self.chain, mem, HEADER).map(Ok)
    }
}

/// A range of sectors in a discard or write-zeroes (`struct virtio_blk_discard_write_zeroes`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) sector: u64,
    pub(super) sectors: u32,
    pub(super) flags: u32,
}

impl Range {
    fn read(chain: &Chain, mem: &GuestMemory, offset: u64) -> Result<Self, QueueError> {
        let mut raw = [0; RANGE as usize];
        chain.read_at(mem, offset, &mut raw)?;
        let [s0, s1, s2, s3, s4, s5, s6, s7, n0, n1, n2, n3, flags @ ..] = raw;
        Ok(Self {
            sector: u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            sectors: u32::from_le_bytes([n0, n1, n2, n3]),
            flags: u32::from_le_bytes(flags),
        })
    }
}
