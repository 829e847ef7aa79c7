//! The device status (virtio 1.2 §2.1): how far driver and device got with each other.

/// The driver has found the device.
pub(super) const ACKNOWLEDGE: u32 = 1;
/// The driver knows how to drive it.
pub(super) const DRIVER: u32 = 2;
/// The driver is ready.
pub(super) const DRIVER_OK: u32 = 4;
/// Driver and device agree on the features.
pub(super) const FEATURES_OK: u32 = 8;
/// The device has met an error that only a reset mends.
pub(super) const NEEDS_RESET: u32 = 64;
/// The driver has given up.
pub(super) const FAILED: u32 = 128;

/// The steps in their order (virtio 1.2 §3.1.1).
const STEPS: [u32; 4] = [ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK];

/// What a driver's write asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Start over.
    Reset,
    /// The next step, named by its bit.
    Step(u32),
    /// Mark the device as given up.
    Fail,
    /// Nothing new, or nothing that the specification allows.
    Ignore,
}

/// Reads a write of `new` while the status is `old`.
///
/// The driver takes one step at a time, never clears a bit but by a reset, and after a failure can only reset.
pub(super) fn request(old: u32, new: u32) -> Request {
    // The device owns NEEDS_RESET: a driver that adds a bit writes it back as it read it, or not at all.
    let added = new & !old;
    if new == 0 {
        Request::Reset
    } else if old & !new & !NEEDS_RESET != 0 {
        Request::Ignore
    } else if added & FAILED != 0 {
        Request::Fail
    } else if old & (FAILED | NEEDS_RESET) == 0 && next_step(old) == Some(added) {
        Request::Step(added)
    } else {
        Request::Ignore
    }
}

fn next_step(status: u32) -> Option<u32> {
    STEPS.into_iter().find(|step| status & step == 0)
}

/// Whether the requests above can lead to this status.
pub(super) fn is_reachable(status: u32) -> bool {
    let done = STEPS.into_iter().take_while(|step| status & step != 0);
    status & !(NEEDS_RESET | FAILED) == done.sum::<u32>()
}

/// Whether the device works: the driver is ready and nothing went wrong.
pub(super) fn is_running(status: u32) -> bool {
    status & (DRIVER_OK | NEEDS_RESET | FAILED) == DRIVER_OK
}
