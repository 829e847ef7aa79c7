//! How wide the guest's physical addresses (KVM's "IPA", intermediate physical addresses) are.

use super::layout::RAM_START;

/// The fewest that KVM takes (Documentation/virt/kvm/api.rst, `KVM_CREATE_VM`).
const FEWEST: u32 = 32;
const MIB: u64 = 1 << 20;

/// The host's addresses do not reach the end of RAM.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{asked_mib} MiB of memory need guest physical addresses of {needed} bits, but this host's KVM \
     has {limit}: at most {most_mib} MiB fit"
)]
pub struct IpaError {
    asked_mib: u64,
    needed: u32,
    limit: u32,
    most_mib: u64,
}

/// The bits that a machine with `ram` bytes needs, on a host that has up to `limit`
/// (`KVM_CAP_ARM_VM_IPA_SIZE`). The fewest that do: the fewer, the fewer levels have the page
/// tables that KVM walks for each access that the TLB does not know.
pub fn bits(ram: u64, limit: u32) -> Result<u32, IpaError> {
    let last = RAM_START.saturating_add(ram) - 1;
    let needed = (u64::BITS - last.leading_zeros()).max(FEWEST);
    if needed <= limit {
        return Ok(needed);
    }
    let end = 1u64.checked_shl(limit).unwrap_or(u64::MAX);
    let most_mib = end.saturating_sub(RAM_START) / MIB;
    Err(IpaError { asked_mib: ram.div_ceil(MIB), needed, limit, most_mib })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn as_few_as_reach_the_end_of_ram() {
        assert_eq!(bits(64 << 20, 40), Ok(32));
        assert_eq!(bits(3 * GIB, 40), Ok(32));
        assert_eq!(bits(3 * GIB + 1, 40), Ok(33));
        assert_eq!(bits(1023 * GIB, 40), Ok(40));
    }

    #[test]
    fn more_than_the_host_has_is_refused_with_what_would_be_right() {
        assert_eq!(
            bits(1 << 40, 40).unwrap_err().to_string(),
            "1048576 MiB of memory need guest physical addresses of 41 bits, but this host's KVM \
             has 40: at most 1047552 MiB fit"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_asked_the_bits_suffice(ram: u64, limit in 0u32..64) {
            match bits(ram, limit) {
                Ok(bits) => {
                    prop_assert!(bits <= limit);
                    prop_assert!((RAM_START + ram - 1) >> (bits - 1) <= 1);
                }
                Err(error) => prop_assert!(bits(error.most_mib * MIB, limit.max(32)).is_ok()),
            }
        }
    }
}
