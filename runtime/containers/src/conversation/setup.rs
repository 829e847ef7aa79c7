//! What a guest is given when it is ready.

use std::io;

use protocol::{ByteString, Clock, Network, Setting, Setup};
use rustix::rand::{GetRandomFlags, getrandom};

use super::ConversationError;

/// How many random bytes the guest's generator starts with: twice the 256 bits that it holds.
const SEED: usize = 64;

/// Bytes of the key: as many as no process of the container guesses.
const KEY: usize = 16;

/// The container, its network, this moment's time, fresh randomness and a key.
pub(super) fn setup(setting: Setting, network: Network) -> Result<Setup, ConversationError> {
    let (seed, key) = (random(SEED)?, random(KEY)?);
    Ok(Setup { setting, network, clock: clock()?, seed, key })
}

fn random(length: usize) -> Result<ByteString, ConversationError> {
    let mut bytes = vec![0u8; length];
    // getrandom(2): up to 256 bytes come whole.
    getrandom(&mut bytes[..], GetRandomFlags::empty()).map_err(io::Error::from)?;
    Ok(bytes.into())
}

/// This moment.
pub(super) fn clock() -> Result<Clock, ConversationError> {
    use std::time::{SystemTime, UNIX_EPOCH};
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    Ok(Clock { unix_seconds: now.as_secs(), nanoseconds: now.subsec_nanos() })
}
