//! Whatever the file holds: no panic, and a plan that is carried out stays in RAM.

use super::builder::{Elf, Load};
use super::{Entry, Kernel, RAM, parse, parse_elf};
use crate::elf::ElfError;
use crate::source::ReadError;
use crate::testing::file;
use arch::x86_64::layout;
use proptest::prelude::*;

/// What the VMM relies on when it carries out a plan.
fn check_plan(kernel: &Kernel, file_len: u64) {
    for segment in &kernel.segments {
        let end = segment.gpa.checked_add(segment.mem_len).unwrap();
        assert!(segment.gpa >= layout::KERNEL && end <= kernel.end);
        assert!(RAM.iter().any(|ram| ram.contains(&segment.gpa) && end <= ram.end));
        assert!(segment.file_len <= segment.mem_len);
        assert!(segment.file_offset.checked_add(segment.file_len).unwrap() <= file_len);
    }
    for pair in kernel.segments.windows(2) {
        assert!(pair[0].gpa + pair[0].mem_len <= pair[1].gpa);
    }
}

/// Kernels of one to four segments that do not overlap, entered in one of them.
fn valid() -> impl Strategy<Value = Elf> {
    let gap_and_lengths = (0u64..0x10_0000, 1u64..0x3000, 0u64..0x8000);
    let loads = prop::collection::vec(gap_and_lengths, 1..5);
    (loads, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(parts, entered, pvh)| {
        let mut next = layout::KERNEL;
        let mut loads = Vec::new();
        for (gap, file_len, zeros) in parts {
            let gpa = next + gap;
            loads.push(Load { gpa, file_len, mem_len: file_len + zeros });
            next = gpa + file_len + zeros;
        }
        let load = entered.get(&loads);
        let entry = load.gpa + load.file_len / 2;
        let (entry, pvh) = if pvh { (0, Some(entry)) } else { (entry, None) };
        Elf { loads, entry, pvh, ..Elf::linux() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        prop_assert!(parse(&file(&bytes), &RAM).is_err());
    }

    #[test]
    fn an_arbitrary_header_behind_the_magic_is_no_harm(
        tail in prop::collection::vec(any::<u8>(), 58..2048),
    ) {
        let bytes = [b"\x7FELF\x02\x01", &tail[..]].concat();
        if let Ok(kernel) = parse(&file(&bytes), &RAM) {
            check_plan(&kernel, bytes.len() as u64);
        }
    }

    #[test]
    fn a_valid_kernel_is_planned_as_it_says(elf in valid()) {
        let kernel = parse_elf(&elf).unwrap();
        check_plan(&kernel, u64::MAX);
        let expected = match elf.pvh {
            Some(entry) => Entry::Pvh { eip: entry as u32 },
            None => Entry::Linux64 { rip: elf.entry },
        };
        prop_assert_eq!(kernel.entry, expected);
        let planned: Vec<_> =
            kernel.segments.iter().map(|s| (s.gpa, s.file_len, s.mem_len)).collect();
        let wanted: Vec<_> = elf.loads.iter().map(|l| (l.gpa, l.file_len, l.mem_len)).collect();
        prop_assert_eq!(planned, wanted);
    }

    #[test]
    fn a_mutated_kernel_is_refused_or_planned_within_ram(
        elf in valid(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        in_notes in any::<bool>(),
    ) {
        let mut bytes = elf.bytes();
        // Change what is read: the headers, or the notes at the end.
        let read = if in_notes && elf.pvh.is_some() {
            elf.note_offset()..bytes.len()
        } else {
            0..64 + 56 * (elf.loads.len() + 1)
        };
        for (at, byte) in changes {
            bytes[read.start + at.index(read.len())] = byte;
        }
        match parse(&file(&bytes), &RAM) {
            Ok(kernel) => check_plan(&kernel, bytes.len() as u64),
            Err(ElfError::Read(error @ ReadError::Failed { .. })) => panic!("{error}"),
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
    }
}
