//! What the clocks of both machines have in common: a time of day from outside, and an alarm.

use std::time::Duration;

use crate::Registers;

/// Where the time of day comes from.
pub trait Clock: Send {
    /// Time since 1970-01-01T00:00:00Z. It may be set, and so jump, like any time of day.
    fn since_epoch(&self) -> Duration;
}

/// A clock device, which interrupts at certain times: somebody has to tell it when they have come.
pub trait RealTimeClock: Registers {
    /// Takes notice of the time that went by, and interrupts if that was asked for. Call it when
    /// [`next_event`](Self::next_event) has passed, and whenever the host's clock was set.
    fn tick(&mut self);

    /// How long from now [`tick`](Self::tick) has an interrupt to send; `None`: not before the guest does something.
    fn next_event(&self) -> Option<Duration>;
}

/// No clock shows a time further than this from 1970: a few million years.
pub(super) const SECONDS_LIMIT: i64 = 1 << 47;

/// Whole seconds since 1970; a host clock millions of years ahead stops there.
pub(super) fn unix_seconds(clock: &dyn Clock) -> i64 {
    clock.since_epoch().as_secs().min(SECONDS_LIMIT.unsigned_abs()) as i64
}

/// How long it is until the clock shows the beginning of second `then`, if it shows `now` with the host's fraction of a second.
pub(super) fn until(clock: &dyn Clock, now: i64, then: i64) -> Duration {
    let fraction = Duration::from_nanos(clock.since_epoch().subsec_nanos().into());
    let whole = u64::try_from(then - now).unwrap_or(0);
    Duration::from_secs(whole).saturating_sub(fraction)
}
