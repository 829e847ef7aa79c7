//! Guest memory: what another processor changes meanwhile, and where it ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use devices::fixed::serial::{Serial, SerialState};
use devices::testing::{Counter, memory};
use devices::virtio::queue::{Queue, QueueState};
use devices::{Device, GuestMemory};
use vm_memory::{Bytes, GuestAddress};

use super::driver::{Ring, WRITE};

/// Two indexes, one after the other, of which both halves differ: half of each is far away from both.
const NONE: u16 = 0x00ff;
const ONE: u16 = 0x0100;

/// vm-memory (GHSA-mm4m-qg48-f7wc) copied a ring's index byte by byte with some C libraries. Who read it while the other side
/// wrote it saw half of the old and half of the new one, and the device went astray. Ours reads and writes it whole.
#[test]
fn cve_2020_13759_an_index_is_not_read_by_halves() {
    let mem = memory(0x1_0000);
    let ring = Ring::new(&mem, 0, 4);
    let index = GuestAddress(ring.available() + 2);
    mem.store(NONE, index, Ordering::SeqCst).unwrap();
    let state = QueueState { next_avail: NONE, ..ring.queue().state().clone() };
    let mut queue = Queue::from_state(state, &mem).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                mem.store(ONE, index, Ordering::Relaxed).unwrap();
                mem.store(NONE, index, Ordering::Relaxed).unwrap();
            }
        });
        let looks = (0..300_000).try_for_each(|_| queue.enable_notification(&mem).map(drop));
        over.store(true, Ordering::Relaxed);
        looks.unwrap();
    });
}

/// The other way round: the device writes the same two to the used ring.
#[test]
fn cve_2020_13759_an_index_is_not_written_by_halves() {
    let mem = memory(0x1_0000);
    let ring = Ring::new(&mem, 0, 4);
    let index = GuestAddress(ring.used() + 2);
    mem.store(NONE, index, Ordering::SeqCst).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..300_000 {
                let next_used = if round % 2 == 0 { NONE } else { NONE - 1 };
                let state = QueueState { next_used, ..ring.queue().state().clone() };
                Queue::from_state(state, &mem).unwrap().push(&mem, 0, 0).unwrap();
            }
            over.store(true, Ordering::Relaxed);
        });
        while !over.load(Ordering::Relaxed) {
            let seen: u16 = mem.load(index, Ordering::Relaxed).unwrap();
            assert!([NONE, ONE].contains(&seen), "{seen:#x}");
        }
    });
}

/// The same: what was checked is what is used, whatever the driver writes in between.
#[test]
fn cve_2020_13759_descriptors_are_read_once() {
    let mem = memory(0x1_0000);
    let mut ring = Ring::new(&mem, 0, 4);
    let mut queue = ring.queue();
    ring.describe(0, &[(0x8000, 8, WRITE)]);
    ring.offer(0);
    let chain = queue.pop(&mem).unwrap().unwrap();
    for (address, len) in [(0x9000, 8), (u64::MAX, 8), (0x8000, u32::MAX)] {
        ring.describe(0, &[(address, len, WRITE)]);
        chain.write_at(&mem, 0, &[0xee; 8]).unwrap();
        assert!(chain.write_at(&mem, 1, &[0xee; 8]).is_err());
        assert_eq!(chain.writable_len(), 8);
    }
    assert_eq!(mem.read_obj::<u64>(GuestAddress(0x8000)).unwrap(), u64::MAX / 0xff * 0xee);
    assert_eq!(mem.read_obj::<u64>(GuestAddress(0x9000)).unwrap(), 0);
    queue.push(&mem, chain.head, 8).unwrap();
}

/// vm-memory (GHSA-49hh-fprx-m68g) did not check, where a kind of memory did not do so itself, that a slice of it lies inside.
#[test]
fn cve_2023_41051_a_buffer_is_inside_of_memory_or_refused() {
    // Two regions that touch, a hole, and one more.
    let regions = [(0, 0x4000), (0x4000, 0x4000), (0x1_0000, 0x1000)];
    let ranges = regions.map(|(start, len)| (GuestAddress(start), len));
    let mem = GuestMemory::from_ranges(&ranges).unwrap();
    let inside = |address: u64, len: u64| {
        let end = address.checked_add(len);
        end.is_some_and(|end| end <= 0x8000 || (0x1_0000 <= address && end <= 0x1_1000))
    };
    let mut borders = vec![0, 0x4000, 0x8000, 0x1_0000, 0x1_1000, 1 << 32, 1 << 63];
    borders.push(u64::MAX - 8);
    for border in borders {
        for address in border.saturating_sub(8)..=border + 8 {
            for len in (1..=16).chain([0x1000, 0x8000, 1 << 20, u32::MAX]) {
                let mut ring = Ring::new(&mem, 0, 4);
                let mut queue = ring.queue();
                ring.describe(0, &[(address, len, WRITE)]);
                mem.write_obj(0_u16, GuestAddress(ring.available() + 2)).unwrap();
                ring.offer(0);
                let chain = queue.pop(&mem);
                let expected = inside(address, len.into());
                assert_eq!(chain.is_ok(), expected, "{len:#x} at {address:#x}");
                // All of it, not over the ring itself.
                if let (Ok(Some(chain)), true) = (chain, address >= Ring::LEN) {
                    chain.write_at(&mem, 0, &vec![1; len as usize]).unwrap();
                    assert!(chain.write_at(&mem, 1, &vec![1; len as usize]).is_err());
                }
            }
        }
    }
}

/// vmm-sys-util (GHSA-875g-mfp6-g7f9) believed the length that a saved structure gave of its own entries. None is read from
/// outside here; what is, a device's saved state, is checked against what the device has.
#[test]
fn cve_2023_50711_a_saved_length_is_checked() {
    let mem = memory(0x1_0000);
    let state = serde_json::to_value(Ring::new(&mem, 0, 4).queue().state()).unwrap();
    let restore = |field: &str, value: u64| {
        let mut state = state.clone();
        state[field] = value.into();
        serde_json::from_value::<QueueState>(state)
            .is_ok_and(|state| Queue::from_state(state, &mem).is_ok())
    };
    assert!(restore("size", 2));
    for (field, value) in [
        ("size", 0),
        ("size", 8),
        ("size", 3),
        ("size", 65536),
        ("max_size", 2),
        ("max_size", 0),
        ("descriptors", 0xfff0),
        ("driver", 0xfff8),
        ("device", u64::MAX - 3),
    ] {
        assert!(!restore(field, value), "{field}: {value:#x}");
    }

    let mut serial = Serial::new(Box::new(std::io::sink()), Box::new(Counter::default()));
    let mut state = serde_json::to_value(serial.save()).unwrap();
    state["input"] = vec![0_u8; 65].into();
    let state: SerialState = serde_json::from_value(state).unwrap();
    assert!(serial.restore(&state).is_err());
}

/// The three crates' versions that have the mends; and kvm-bindings, whose saved forms of such structures need the `serde`
/// that it is built without.
#[test]
fn the_crates_are_those_with_the_mends() {
    const LOCK: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"));
    let packages = |name: &str| {
        let name = format!("name = \"{name}\"\n");
        LOCK.split("[[package]]\n").filter(|text| text.starts_with(&name)).collect::<Vec<_>>()
    };
    // RUSTSEC-2020-0157, GHSA-49hh-fprx-m68g, RUSTSEC-2024-0002.
    for (name, mended) in [("vm-memory", [0, 12, 2]), ("vmm-sys-util", [0, 12, 0])] {
        let found = packages(name);
        assert!(!found.is_empty(), "{name}");
        for package in found {
            let version =
                package.lines().find_map(|line| line.strip_prefix("version = \"")).unwrap();
            let version: Vec<u32> = version
                .trim_end_matches('"')
                .split('.')
                .map(|part| part.parse().unwrap())
                .collect();
            assert!(version >= mended.to_vec(), "{name} {version:?}");
        }
    }
    assert!(packages("linux-loader").is_empty(), "boot reads kernels itself");
    let bindings = packages("kvm-bindings");
    assert!(!bindings.is_empty() && bindings.iter().all(|package| !package.contains("serde")));
}
