//! CRC-64/XZ (ECMA-182, reflected; initial value and final exclusive or all ones): what has become of a file by accident.

/// ECMA-182's polynomial with its bits in reverse.
const POLYNOMIAL: u64 = 0xC96C_5795_D787_0F42;

/// What a byte does, for four places in a row ("slicing by 4").
const TABLES: [[u64; 256]; 4] = tables();

const fn tables() -> [[u64; 256]; 4] {
    let mut tables = [[0; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut place = 1;
    while place < 4 {
        let mut byte = 0;
        while byte < 256 {
            let before: u64 = tables[place - 1][byte];
            tables[place][byte] = before >> 8 ^ tables[0][before as usize & 0xFF];
            byte += 1;
        }
        place += 1;
    }
    tables
}

/// The checksum of these bytes.
pub fn crc64(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut crc = u64::MAX;
    for word in words {
        let low = crc as u32 ^ u32::from_le_bytes(*word);
        let at = |place: usize, byte: u32| TABLES[place][byte as usize & 0xFF];
        crc = crc >> 32 ^ at(3, low) ^ at(2, low >> 8) ^ at(1, low >> 16) ^ at(0, low >> 24);
    }
    for byte in rest {
        crc = crc >> 8 ^ TABLES[0][(crc as u8 ^ byte) as usize];
    }
    !crc
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The check value of the catalogue of parametrised CRC algorithms.
    #[test]
    fn it_is_the_one_of_the_catalogue() {
        assert_eq!(crc64(b"123456789"), 0x995D_C9BB_DF19_39FA);
        assert_eq!(crc64(b""), 0);
    }

    proptest! {
        #[test]
        fn bits_side_by_side_that_change_are_noticed(
            bytes in proptest::collection::vec(any::<u8>(), 8..200), at: usize, change in 1..=u64::MAX
        ) {
            let mut changed = bytes.clone();
            let at = at % (bytes.len() - 7);
            for (byte, change) in changed[at..].iter_mut().zip(change.to_le_bytes()) {
                *byte ^= change;
            }
            prop_assert_ne!(crc64(&bytes), crc64(&changed));
        }
    }
}
