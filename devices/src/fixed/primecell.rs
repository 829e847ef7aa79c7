//! What Arm's PrimeCells have in common: word-wide registers, and eight bytes by which a driver knows them.

use crate::Outcome;

/// Reads 32-bit registers, which answer at their own offsets only. As behind a bus of that width, a wider access is one to each of
/// two neighbours, and a narrower one gives the lowest bytes.
pub(super) fn read_words(offset: u64, data: &mut [u8], mut register: impl FnMut(u64) -> u32) {
    for (i, part) in (0..).zip(data.chunks_mut(4)) {
        let value = register(offset.wrapping_add(4 * i)).to_le_bytes();
        part.copy_from_slice(&value[..part.len()]);
    }
}

/// Writes 32-bit registers, lowest first. What a narrow access leaves out is zero.
pub(super) fn write_words(offset: u64, data: &[u8], mut register: impl FnMut(u64, u32)) -> Outcome {
    for (i, part) in (0..).zip(data.chunks(4)) {
        let mut value = [0; 4];
        value[..part.len()].copy_from_slice(part);
        register(offset.wrapping_add(4 * i), u32::from_le_bytes(value));
    }
    Outcome::Continue
}

/// The offset of the first identification register; each holds one byte (Arm DDI 0183G §3.3.15 and §3.3.16, and likewise for
/// every PrimeCell).
const FIRST: u64 = 0xfe0;

/// Peripheral and PrimeCell identification, eight bytes.
pub(super) struct Identification([u8; 8]);

impl Identification {
    /// Of a part that Arm (JEP106 code 0x41) designed.
    pub(super) const fn of_arm_part(part: u16, revision: u8) -> Self {
        let [low, high] = part.to_le_bytes();
        Self([low, 0x1 << 4 | high, revision << 4 | 0x4, 0, 0x0d, 0xf0, 0x05, 0xb1])
    }

    /// What a read at `offset` gives; elsewhere than at the identification registers zero.
    pub(super) fn read(&self, offset: u64) -> u32 {
        let place = (0..).zip(self.0).find(|(i, _)| FIRST + 4 * i == offset);
        place.map_or(0, |(_, byte)| byte.into())
    }
}
