//! What a guest is given when it is ready.

use std::io;

use protocol::{Clock, Setting, Setup};
use rustix::rand::{GetRandomFlags, getrandom};

use super::ConversationError;

/// How many random bytes the guest's generator starts with: twice the 256 bits that it holds.
const SEED: usize = 64;

/// The container, this moment's time and fresh randomness.
pub(super) fn setup(setting: Setting) -> Result<Setup, ConversationError> {
    let mut seed = vec![0u8; SEED];
    // getrandom(2): up to 256 bytes come whole.
    getrandom(&mut seed[..], GetRandomFlags::empty()).map_err(io::Error::from)?;
    Ok(Setup { setting, clock: clock()?, seed: seed.into() })
}

/// This moment.
pub(super) fn clock() -> Result<Clock, ConversationError> {
    use std::time::{SystemTime, UNIX_EPOCH};
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    Ok(Clock { unix_seconds: now.as_secs(), nanoseconds: now.subsec_nanos() })
}
