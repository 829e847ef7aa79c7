//! How much memory a machine gets, so that its container has what `--memory` says.
//!
//! As with docker, that is what the container's processes may use. The kernel that they run on takes its memory besides:
//! it is not shared with other containers.

use std::fs::{self, File};
use std::ops::Range;
use std::path::Path;
use std::slice::from_ref;

use boot::{Segment, arm64_image, elf};

use super::{GuestError, read_failed};
use host::platform::Platform;

/// What every guest takes: the kernel's own data that is not in its file, guest-init, the reserve that guest-init keeps from
/// the container (`RESERVE` in guest-init's `cgroup.rs`), and a PC's first 16 MiB, which are kept for old devices. What of it is
/// never touched costs the host nothing.
const BASE: u64 = 56 << 20;
/// For each processor: stacks, queues and the kernel's threads.
const PER_CPU: u64 = 512 << 10;
/// One part in so many is for the kernel's books: it describes each page of 4,096 bytes in 64 (`struct page`), and needs page
/// tables.
const ONE_IN_BOOKS: u64 = 50;
/// What the kernel keeps free for those that cannot wait: one part in so many of small memories, and no more than this of large
/// ones. A 20th, and at most 66 MiB (`set_recommended_min_free_kbytes` of Linux `mm/khugepaged.c`), and half as much again up to
/// the highest watermark.
const ONE_FREE_IN: u64 = 12;
const MOST_FREE: u64 = 104 << 20;
/// One part in so many is kept free below 4 GiB, for devices that reach no further (`lowmem_reserve_ratio`).
const ONE_LOW_IN: u64 = 256;
/// The VMM makes no larger machine (`mem_size_mib` in the hypervisor's CONFIG.md).
const MOST: u64 = 1 << 40;
/// A machine's memory is a whole number of these, so that it can be made of large pages.
const UNIT: u64 = 2 << 20;

/// The memory of a machine, in bytes, whose container gets `container` bytes.
pub fn machine_memory(
    container: u64,
    cpus: u32,
    platform: Platform,
    kernel: &Path,
    initramfs: &Path,
) -> Result<u64, GuestError> {
    let kernel = kernel_size(platform, kernel)?;
    let initramfs = fs::metadata(initramfs).map_err(read_failed(initramfs))?.len();
    // The archive, and what is unpacked from it.
    let files = initramfs.saturating_mul(2).saturating_add(kernel);
    let besides = BASE + u64::from(cpus) * PER_CPU + container / ONE_IN_BOOKS;
    let free = (container / ONE_FREE_IN).min(MOST_FREE) + container / ONE_LOW_IN;
    let memory = container.saturating_add(besides + free).saturating_add(files);
    Ok(memory.checked_next_multiple_of(UNIT).unwrap_or(MOST).min(MOST))
}

/// How many bytes of the file are loaded. Of a kernel that the VMM will refuse that is nothing.
fn kernel_size(platform: Platform, path: &Path) -> Result<u64, GuestError> {
    const ALL: Range<u64> = 0..u64::MAX;
    let file = File::open(path).map_err(read_failed(path))?;
    let loaded = |segments: &[Segment]| segments.iter().map(|segment| segment.file_len).sum();
    Ok(match platform {
        Platform::Amd64 => {
            elf::parse(&file, from_ref(&ALL)).map_or(0, |kernel| loaded(&kernel.segments))
        }
        Platform::Arm64 => {
            arm64_image::parse(&file, from_ref(&ALL)).map_or(0, |kernel| loaded(&kernel.segments))
        }
    })
}
