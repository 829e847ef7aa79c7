//! Every target runs on its seeds, as an ordinary test. It is quick, for most of what the fuzzer does is to make more of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bulkhead_fuzz_targets::{TARGETS, Target};

/// The longest seed, in bytes. What needs more is a test of its own.
const MAX_SEED: usize = 8 << 10;

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("seeds")
}

/// A target's seeds, by path.
fn seeds_of(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = seeds().join(target.name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut seeds: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    seeds.sort();
    seeds
}

#[test]
fn every_target_has_seeds_and_every_seed_a_target() {
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names.len(), TARGETS.len(), "two targets of one name");
    let folders = fs::read_dir(seeds()).unwrap();
    let folders = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(folders.collect::<BTreeSet<_>>(), names);
    for target in TARGETS {
        let seeds = seeds_of(target);
        assert!(!seeds.is_empty(), "{}", target.name);
        for (path, seed) in seeds {
            assert!(seed.len() <= MAX_SEED, "{path:?}: {} bytes", seed.len());
        }
    }
}

#[test]
fn every_target_takes_its_seeds() {
    for target in TARGETS {
        for (path, seed) in seeds_of(target) {
            // Said before, so that a panic is about the last one.
            println!("{}", path.display());
            (target.run)(&seed);
        }
    }
}

/// The first things that a fuzzer tries: nothing, and each seed cut short, or with a bit turned.
#[test]
fn every_target_takes_seeds_that_are_damaged() {
    /// So many places of each seed.
    const PLACES: usize = 16;
    for target in TARGETS {
        (target.run)(&[]);
        for (path, seed) in seeds_of(target) {
            println!("{}", path.display());
            for place in (0..seed.len()).step_by(seed.len().div_ceil(PLACES).max(1)) {
                (target.run)(&seed[..place]);
                let mut turned = seed.clone();
                turned[place] ^= 1 << (place % 8);
                (target.run)(&turned);
            }
        }
    }
}
