//! The features and the configuration space of a block device (virtio 1.2 §5.2.3, §5.2.4).

use crate::limits::{MAX_RANGE, MAX_SEGMENT};

/// The unit of the guest's addresses (virtio 1.2 §5.2.4), whatever the block size.
pub(super) const SECTOR: u64 = 512;
/// Chains that may be under way.
pub(super) const QUEUE_SIZE: u16 = 256;

/// VIRTIO_BLK_F_SIZE_MAX: `size_max` is valid.
pub(super) const F_SIZE_MAX: u64 = 1 << 1;
/// VIRTIO_BLK_F_SEG_MAX: `seg_max` is valid.
pub(super) const F_SEG_MAX: u64 = 1 << 2;
/// VIRTIO_BLK_F_RO: the disk can't be written.
pub(super) const F_RO: u64 = 1 << 5;
/// VIRTIO_BLK_F_BLK_SIZE: `blk_size` is valid.
pub(super) const F_BLK_SIZE: u64 = 1 << 6;
/// VIRTIO_BLK_F_FLUSH: there is a write-back cache, and a flush command.
pub(super) const F_FLUSH: u64 = 1 << 9;
/// VIRTIO_BLK_F_DISCARD: there is a discard command.
pub(super) const F_DISCARD: u64 = 1 << 13;
/// VIRTIO_BLK_F_WRITE_ZEROES: there is a write-zeroes command.
pub(super) const F_WRITE_ZEROES: u64 = 1 << 14;

/// How many pieces of data a request has at most: two descriptors of a chain hold its header and its status.
const SEG_MAX: u32 = QUEUE_SIZE as u32 - 2;
/// The most data of a request of so many pieces of [`MAX_SEGMENT`], in bytes: a request is what a pause has to wait
/// for. Without a limit it could name the same memory over and over, up to 4 GiB.
pub(super) const MAX_DATA: u64 = SEG_MAX as u64 * MAX_SEGMENT as u64;

/// How many ranges a discard or a write-zeroes has.
const MAX_RANGES: u32 = 1;
/// How long it may be.
pub(super) const MAX_RANGE_SECTORS: u32 = MAX_RANGE / SECTOR as u32;
/// Discards work best in these units: 4 KiB, a file system's block.
const DISCARD_ALIGNMENT: u32 = 8;

/// Lays out the configuration space of a disk with this many sectors.
pub(super) fn layout(sectors: u64) -> [u8; 60] {
    let mut config = [0; 60];
    let mut put = |offset: usize, field: &[u8]| {
        config[offset..offset + field.len()].copy_from_slice(field);
    };
    put(0, &sectors.to_le_bytes()); // capacity
    put(8, &MAX_SEGMENT.to_le_bytes()); // size_max
    put(12, &SEG_MAX.to_le_bytes()); // seg_max
    put(20, &(SECTOR as u32).to_le_bytes()); // blk_size
    put(36, &MAX_RANGE_SECTORS.to_le_bytes()); // max_discard_sectors
    put(40, &MAX_RANGES.to_le_bytes()); // max_discard_seg
    put(44, &DISCARD_ALIGNMENT.to_le_bytes()); // discard_sector_alignment
    put(48, &MAX_RANGE_SECTORS.to_le_bytes()); // max_write_zeroes_sectors
    put(52, &MAX_RANGES.to_le_bytes()); // max_write_zeroes_seg
    put(56, &[1]); // write_zeroes_may_unmap
    config
}
