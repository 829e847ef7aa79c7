//! What a VMM's process takes of the host's memory besides what its guest takes.

use std::path::Path;

use super::vmm::MEMORY_MIB;
use crate::error::{Doing, Error};

/// Resident memory in KiB of the process whose folder in `/proc` this is, outside guest RAM.
///
/// Every resident page of every mapping counts, also a page of a binary that other processes share. Guest RAM is a
/// mapping that is at least an eighth of the guest's memory long (the anonymous one of a peer, the rest of our
/// memfd), a mapping of our memfd, or one of the files that we map as guest RAM: kernel and initramfs.
pub fn outside_guest_ram(proc: &Path, guest_files: &[&Path]) -> Result<u64, Error> {
    let path = proc.join("smaps");
    let text = std::fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?;
    let mappings = parse(&text).ok_or_else(|| Error::Content(format!("strange smaps\n{text}")))?;
    let is_guest_ram = |mapping: &Mapping| {
        mapping.length >= MEMORY_MIB << 20 >> 3
            || mapping.name.starts_with("/memfd:")
            || guest_files.iter().any(|file| Path::new(mapping.name) == *file)
    };
    Ok(mappings
        .iter()
        .filter(|mapping| !is_guest_ram(mapping))
        .map(|mapping| mapping.rss_kib)
        .sum())
}

/// What `/proc/PID/smaps` says of a mapping (proc_pid_smaps(5)).
#[derive(Debug, Default, PartialEq, Eq)]
struct Mapping<'a> {
    length: u64,
    name: &'a str,
    rss_kib: u64,
}

fn parse(smaps: &str) -> Option<Vec<Mapping<'_>>> {
    let mut mappings: Vec<Mapping> = Vec::new();
    for line in smaps.lines() {
        let mut words = line.split_ascii_whitespace();
        let first = words.next()?;
        if let Some((start, end)) = first.split_once('-') {
            let address = |text| u64::from_str_radix(text, 16).ok();
            let length = address(end)? - address(start)?;
            // After permissions, offset, device and inode.
            mappings.push(Mapping { length, name: words.nth(4).unwrap_or_default(), rss_kib: 0 });
        } else if first == "Rss:" {
            mappings.last_mut()?.rss_kib = words.next()?.parse().ok()?;
        }
    }
    Some(mappings)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
5555-7555 r-xp 00000000 00:01 42     /tmp/vmm
Size:                  8 kB
Rss:                   4 kB
VmFlags: rd ex
7ff0-7ff1 rw-p 00000000 00:00 0 
Rss:                  12 kB
";

    #[test]
    fn mappings_have_length_name_and_resident_size() {
        let expected = [
            Mapping { length: 0x2000, name: "/tmp/vmm", rss_kib: 4 },
            Mapping { length: 1, name: "", rss_kib: 12 },
        ];
        assert_eq!(parse(SMAPS).unwrap(), expected);
    }

    #[test]
    fn guest_files_do_not_count() {
        let own = Path::new("/proc/self");
        let all = outside_guest_ram(own, &[]).unwrap();
        let program = std::env::current_exe().unwrap();
        assert!(outside_guest_ram(own, &[&program]).unwrap() < all);
    }
}
