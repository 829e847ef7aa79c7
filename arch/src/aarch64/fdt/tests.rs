//! The tree as a kernel reads it, and as another implementation does: the device tree compiler.

mod dtc;
mod properties;
mod reader;

use super::*;
use crate::aarch64::layout::{ram_ranges, virtio_slot};

const SEEDS: Seeds = Seeds {
    rng: [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
        25, 26, 27, 28, 29, 30, 31,
    ],
    kaslr: 0x0123_4567_89AB_CDEF,
};

/// A cache with lines of 64 bytes.
fn cache(level: u32, kind: CacheKind, size: u32, sets: u32, shared_by: u32) -> Cache {
    Cache { level, kind, size, line_size: 64, sets, shared_by }
}

/// One vCPU and nothing that could be left out.
fn smallest(ram: &[Range<u64>]) -> Machine<'_> {
    Machine {
        cpus: 1,
        caches: &[],
        ram,
        gic: Gic::V2,
        virtio: &[],
        cmdline: "",
        initrd: None,
        seeds: &SEEDS,
    }
}

#[test]
fn it_has_room_for_the_vcpus_of_its_gic_and_no_more() {
    let ram = ram_ranges(256 << 20);
    for (gic, most) in [(Gic::V2, 8), (Gic::V3, 32)] {
        let machine = |cpus| Machine { cpus, gic, ..smallest(&ram) };
        assert!(blob(&machine(most)).is_ok());
        for cpus in [0, most + 1, u32::MAX] {
            let error = blob(&machine(cpus)).unwrap_err().to_string();
            assert_eq!(error, format!("{cpus} vCPUs: a machine with a {gic} has 1 to {most}"));
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let ram = ram_ranges(256 << 20);
    let error = |cmdline| blob(&Machine { cmdline, ..smallest(&ram) }).unwrap_err().to_string();
    assert_eq!(error("a\0b"), "device tree: Strings cannot contain NUL");
    assert!(error(&"x".repeat(2 << 20)).ends_with("bytes: at most 2097152 fit"));
}
