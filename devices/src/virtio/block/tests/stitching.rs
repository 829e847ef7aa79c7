//! A stitched disk reads as its parts laid end to end.

use proptest::prelude::*;
use vm_memory::VolatileSlice;

use super::*;

fn part(file: &File, offset: u64, length: u64) -> Part {
    Part { file: file.try_clone().unwrap(), offset, length }
}

#[test]
fn parts_must_lie_in_their_files() {
    let file = file(&[1; 100]);
    for (offset, length) in [(0, 0), (0, 101), (100, 1), (u64::MAX, 2), (1, u64::MAX)] {
        let error = StitchedDisk::new(vec![part(&file, 0, 10), part(&file, offset, length)]);
        let message = error.unwrap_err().to_string();
        assert!(message.starts_with("part 1: bytes "), "{message}");
    }
    assert_eq!(StitchedDisk::new(Vec::new()).unwrap().len(), 0);
}

#[test]
fn a_guest_reads_across_parts_and_writes_nothing() {
    let [a, b] = [1, 2].map(|byte| file(&[byte; 8192]));
    let disk = StitchedDisk::new(vec![part(&a, 4096, 700), part(&b, 0, 8192)]).unwrap();
    // Even if the configuration forgets to say so.
    let mut machine = Machine::new(disk, false);
    assert_eq!(machine.send(IN, 1, &[100, 412], true), (OK, 513));
    assert_eq!(machine.data(512), [&[1; 188][..], &[2; 324]].concat());
    assert_eq!(machine.send(OUT, 0, &[512], false), (IOERR, 1));
    assert_eq!(machine.send_ranges(DISCARD, &[(0, 1, 0)]), IOERR);
    assert_eq!(machine.send_ranges(WRITE_ZEROES, &[(0, 1, 0)]), IOERR);
}

#[test]
fn reads_past_the_end_are_errors() {
    let mut disk = StitchedDisk::new(vec![part(&file(&[1; 100]), 0, 100)]).unwrap();
    let mut buffer = [0; 2];
    for offset in [99, 100, 101, u64::MAX] {
        assert!(disk.read_at(offset, &[VolatileSlice::from(&mut buffer[..])]).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_stitched_disk_is_its_parts_laid_end_to_end(
        parts in prop::collection::vec((0_u64..500, 1_u64..500), 1..20),
        reads in prop::collection::vec((0_usize..10_000, prop::collection::vec(0_usize..300, 1..6)), 20),
    ) {
        let contents: Vec<u8> = (0..1000_u32).map(|index| (index * 7 % 251) as u8).collect();
        let file = file(&contents);
        let slices = parts.iter().map(|&(at, len)| &contents[at as usize..(at + len) as usize]);
        let whole = slices.collect::<Vec<_>>().concat();
        let parts = parts.iter().map(|&(offset, length)| part(&file, offset, length)).collect();
        let mut disk = StitchedDisk::new(parts).unwrap();
        prop_assert_eq!(disk.len(), whole.len() as u64);
        for (offset, lens) in reads {
            let offset = offset % whole.len();
            let mut buffers: Vec<Vec<u8>> = lens.iter().map(|&len| vec![0; len]).collect();
            let slices: Vec<_> = buffers.iter_mut().map(|buffer| VolatileSlice::from(&mut buffer[..])).collect();
            let result = disk.read_at(offset as u64, &slices);
            let read = buffers.concat();
            match whole.get(offset..offset + read.len()) {
                Some(expected) => prop_assert!(result.is_ok() && read == expected),
                None => prop_assert!(result.is_err()),
            }
        }
    }
}
