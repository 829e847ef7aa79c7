//! The other processors.

use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use super::interrupts;
use crate::kernel::report::Fault;

/// Where they start: a page below 1 MiB in which the VMM has put nothing that is still needed.
const START_PAGE: u8 = 0x8;
const PAGE: usize = 4096;

/// As many as boot.s has stacks for.
pub const MAX_OTHERS: u32 = 31;

unsafe extern "C" {
    /// What a processor starts with, and the end of it (boot.s).
    #[link_name = "processor_entry"]
    static ENTRY: u8;
    #[link_name = "processor_entry_end"]
    static ENTRY_END: u8;
}

/// How many are ready.
static READY: AtomicU32 = AtomicU32::new(0);

/// Starts the `count` others that there are. Returns once all are ready.
pub fn start(count: u32) -> Result<(), Fault> {
    if count == 0 {
        return Ok(());
    }
    let (start, end) = (&raw const ENTRY, &raw const ENTRY_END);
    let len = end as usize - start as usize;
    // SAFETY: the page is RAM that nothing uses, and what is copied fits in it.
    unsafe { ptr::copy_nonoverlapping(start, (usize::from(START_PAGE) * PAGE) as *mut u8, len) }
    interrupts::start_others(START_PAGE);
    while READY.load(Ordering::Acquire) < count {
        core::hint::spin_loop();
    }
    Ok(())
}

/// The processor that calls this takes interrupts from now on.
pub fn ready() {
    READY.fetch_add(1, Ordering::Release);
}
