//! Structures of the kernel's interface, whose layout does not change, as the bytes that they are.

use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::slice;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is bytes and nothing else. kvm-bindings can say so of its structures too, but only together with a way to read those
/// whose length a file would say (CVE-2023-50711), which this program does without.
///
/// # Safety
/// Every byte of a value is initialized, also where fields end, and any bytes are a value.
pub unsafe trait Plain: Copy {}

// SAFETY: numbers, side by side.
unsafe impl Plain for u32 {}
// SAFETY: the same.
unsafe impl<const N: usize> Plain for [u8; N] {}
// SAFETY: the same.
unsafe impl<const N: usize> Plain for [u32; N] {}

#[cfg(target_arch = "x86_64")]
mod kvm {
    use kvm_bindings::{
        kvm_debugregs, kvm_irqchip, kvm_lapic_state, kvm_regs, kvm_sregs, kvm_vcpu_events, kvm_xcrs,
    };

    use super::Plain;

    /// SAFETY: linux/arch/x86/include/uapi/asm/kvm.h. Numbers, arrays and structures of numbers, with what is between them
    /// spelled out as fields, since a kernel gives none of its own bytes away; the union of `kvm_irqchip` has one member that
    /// is as long as it, and was zeros before KVM wrote to it.
    macro_rules! plain {
        ($($name:ty, $size:literal;)*) => {$(
            // SAFETY: see above.
            unsafe impl Plain for $name {}
            const _: () = assert!(size_of::<$name>() == $size);
        )*};
    }

    plain! {
        kvm_debugregs, 128;
        kvm_irqchip, 520;
        kvm_lapic_state, 1024;
        kvm_regs, 144;
        kvm_sregs, 312;
        kvm_vcpu_events, 64;
        kvm_xcrs, 392;
    }
}

/// Such a structure. In a file it is hexadecimal digits, without the zeros at its end: most of them end with many.
#[derive(Clone)]
pub struct Raw<T>(pub T);

impl<T: Plain> Raw<T> {
    fn bytes(&self) -> &[u8] {
        // SAFETY: the bytes of the value, all of which are initialized.
        unsafe { slice::from_raw_parts((&raw const self.0).cast(), size_of::<T>()) }
    }

    fn from_bytes(bytes: impl Iterator<Item = u8>) -> Raw<T> {
        // SAFETY: any bytes are a value, and so are zeros.
        let mut value: T = unsafe { MaybeUninit::zeroed().assume_init() };
        // SAFETY: the bytes of the value, which nobody else has, and which may become any.
        let places =
            unsafe { slice::from_raw_parts_mut((&raw mut value).cast::<u8>(), size_of::<T>()) };
        for (to, from) in places.iter_mut().zip(bytes) {
            *to = from;
        }
        Raw(value)
    }
}

impl<T: Plain> PartialEq for Raw<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl<T: Plain> fmt::Debug for Raw<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&digits(self.bytes()))
    }
}

impl<T: Plain> Serialize for Raw<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&digits(self.bytes()))
    }
}

impl<'de, T: Plain> Deserialize<'de> for Raw<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Digits(PhantomData))
    }
}

fn digits(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let digit = |half: u8| char::from(DIGITS[usize::from(half & 0xF)]);
    bytes[..length].iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

struct Digits<T>(PhantomData<T>);

impl<T: Plain> Visitor<'_> for Digits<T> {
    type Value = Raw<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pairs of hexadecimal digits, at most {}", size_of::<T>())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Raw<T>, E> {
        let wrong = || E::custom(format_args!("expected at most {} bytes", size_of::<T>()));
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() > size_of::<T>() || !rest.is_empty() {
            return Err(wrong());
        }
        let mut bytes = Vec::with_capacity(pairs.len());
        for [high, low] in pairs {
            let (high, low) = half(*high).zip(half(*low)).ok_or_else(wrong)?;
            bytes.push(high << 4 | low);
        }
        Ok(Raw::from_bytes(bytes.into_iter()))
    }
}

/// The value of a digit.
fn half(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_survive_as_digits(bytes: [u8; 16], zeros in 0..=16usize) {
            let mut bytes = bytes;
            bytes[16 - zeros..].fill(0);
            let text = serde_json::to_string(&Raw(bytes)).unwrap();
            prop_assert!(text.len() <= 2 + 2 * (16 - zeros));
            prop_assert_eq!(serde_json::from_str::<Raw<[u8; 16]>>(&text).unwrap(), Raw(bytes));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for text in ["\"0\"", "\"0x\"", "\"AA\"", "\"0102030405\"", "7", "\"é\""] {
            let error = serde_json::from_str::<Raw<u32>>(text).unwrap_err().to_string();
            assert!(error.contains("at most 4"), "{text}: {error}");
        }
        assert_eq!(serde_json::from_str::<Raw<u32>>("\"01\"").unwrap(), Raw(1));
        assert_eq!(serde_json::from_str::<Raw<u32>>("\"\"").unwrap(), Raw(0));
    }
}
