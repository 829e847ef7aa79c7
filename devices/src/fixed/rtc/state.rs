//! What a snapshot of the clock holds.

use serde::{Deserialize, Serialize};

use super::{
    CMOS_LEN, INDEX, REG_A_UPDATE_IN_PROGRESS, REG_B_24_HOUR, REG_B_ALARM, REG_B_SET, REG_B_UPDATE,
    TIME,
};
use crate::RestoreError;
use crate::fixed::clock::SECONDS_LIMIT;

/// Divider on, rate 1024 Hz: what a PC's firmware leaves behind.
const REG_A_AT_POWER_ON: u8 = 0x26;
/// Register B: periodic, alarm and update interrupts, square wave; what a reset takes away.
pub(super) const REG_B_ENABLES: u8 = 1 << 6 | REG_B_ALARM | REG_B_UPDATE | 1 << 3;

/// The clock's state. The time itself is not in it: after a restore the clock shows the time of that moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtcState {
    pub(super) index: u8,
    pub(super) register_a: u8,
    pub(super) register_b: u8,
    /// Flags of register C.
    pub(super) flags: u8,
    /// Alarm registers and memory, by register number; where the others would be, zeros.
    pub(super) cmos: Vec<u8>,
    /// Seconds that the guest's clock is ahead of the host's.
    pub(super) offset: i64,
    /// The time registers while they are held for writing.
    pub(super) held: Option<[u8; TIME.len()]>,
    /// The guest's time up to which the flags are right.
    pub(super) last_update: i64,
}

impl RtcState {
    /// The state after power-on at this time.
    pub(super) fn at(unix_seconds: i64) -> Self {
        Self {
            index: 0,
            register_a: REG_A_AT_POWER_ON,
            register_b: REG_B_24_HOUR,
            flags: 0,
            cmos: vec![0; CMOS_LEN],
            offset: 0,
            held: None,
            last_update: unix_seconds,
        }
    }

    pub(super) fn is_set_mode(&self) -> bool {
        self.held.is_some()
    }

    /// Whether the chip's interrupt line is up.
    pub(super) fn interrupt_pending(&self) -> bool {
        self.flags & self.register_b & REG_B_ENABLES != 0
    }

    /// Refuses what no clock can have been in.
    pub(super) fn check(&self) -> Result<(), RestoreError> {
        let must = |good: bool, field, value: String, expected: String| {
            if good { Ok(()) } else { Err(RestoreError::new("rtc", field, value, expected)) }
        };
        let within = |field, value: u8, bits: u8| {
            must(value & !bits == 0, field, value.to_string(), format!("within the bits {bits:#x}"))
        };
        let near = |field, value: i64| {
            let good = value.unsigned_abs() <= 2 * SECONDS_LIMIT.unsigned_abs();
            must(
                good,
                field,
                value.to_string(),
                format!("at most {} either way", 2 * SECONDS_LIMIT),
            )
        };
        within("index", self.index, INDEX)?;
        within("register_a", self.register_a, !REG_A_UPDATE_IN_PROGRESS)?;
        within("flags", self.flags, REG_B_ALARM | REG_B_UPDATE)?;
        near("offset", self.offset)?;
        near("last_update", self.last_update)?;
        let cmos = self.cmos.len();
        must(cmos == CMOS_LEN, "cmos", format!("{cmos} bytes"), format!("{CMOS_LEN} bytes"))?;
        let held = self.held.is_some();
        let set = self.register_b & REG_B_SET != 0;
        must(
            held == set,
            "held",
            held.to_string(),
            "there exactly while register B says SET".into(),
        )
    }
}
