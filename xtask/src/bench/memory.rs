//! What a VMM's process takes of the host's memory besides what its guest takes.

use std::path::Path;

use super::vmm::MEMORY_MIB;
use crate::error::{Doing, Error};

/// The part in KiB of the process whose folder in `/proc` this is in resident memory outside guest RAM.
///
/// Every resident page of every mapping counts, also one of a binary's; one that both of a VMM's processes have counts half for
/// each (`Pss`), and nobody else has their binary while it is measured. Guest RAM is a
/// mapping of a memfd, of one of the files that we map as guest RAM (kernels), or one that is at least an eighth
/// of the guest's memory long; and what makes a whole of just the guest's memory together with the longest, without a hole:
/// where a file is mapped into the middle of anonymous memory, a small piece of that is left before it.
pub fn outside_guest_ram(proc: &Path, guest_files: &[&Path]) -> Result<u64, Error> {
    let path = proc.join("smaps");
    let text = std::fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?;
    let mappings = parse(&text).ok_or_else(|| Error::Content(format!("strange smaps\n{text}")))?;
    let whole = whole(&mappings, MEMORY_MIB << 20);
    let is_guest_ram = |mapping: &Mapping| {
        mapping.length() >= MEMORY_MIB << 20 >> 3
            || mapping.name.starts_with("/memfd:")
            || guest_files.iter().any(|file| Path::new(mapping.name) == *file)
            || whole.contains(mapping)
    };
    let outside = mappings.iter().filter(|mapping| !is_guest_ram(mapping));
    Ok(outside.map(|mapping| mapping.pss_kib).sum())
}

/// The mappings without a hole between them that are so long together, the longest of all among them.
fn whole<'a, 'b>(mappings: &'b [Mapping<'a>], length: u64) -> &'b [Mapping<'a>] {
    let Some(longest) = (0..mappings.len()).max_by_key(|&place| mappings[place].length()) else {
        return &[];
    };
    for first in 0..=longest {
        for last in longest..mappings.len() {
            let part = &mappings[first..=last];
            let is_whole = part.windows(2).all(|pair| pair[0].end == pair[1].start);
            if is_whole && part[part.len() - 1].end - part[0].start == length {
                return part;
            }
        }
    }
    &[]
}

/// What `/proc/PID/smaps_rollup` says of a process's memory (proc_pid_smaps(5)), in KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollup {
    /// Resident.
    pub rss_kib: u64,
    /// Its proportional share of that: of a page that two processes have, half.
    pub pss_kib: u64,
    /// What no other process has.
    pub private_kib: u64,
}

impl Rollup {
    /// Of the process whose folder in `/proc` this is.
    pub fn of(proc: &Path) -> Result<Rollup, Error> {
        let path = proc.join("smaps_rollup");
        let text = std::fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?;
        parse_rollup(&text).ok_or_else(|| Error::Content(format!("strange smaps_rollup\n{text}")))
    }
}

fn parse_rollup(text: &str) -> Option<Rollup> {
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line?.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    Some(Rollup {
        rss_kib: value("Rss")?,
        pss_kib: value("Pss")?,
        private_kib: value("Private_Clean")? + value("Private_Dirty")?,
    })
}

/// What `/proc/PID/smaps` says of a mapping (proc_pid_smaps(5)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mapping<'a> {
    start: u64,
    end: u64,
    name: &'a str,
    pss_kib: u64,
}

impl Mapping<'_> {
    fn length(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

fn parse(smaps: &str) -> Option<Vec<Mapping<'_>>> {
    let mut mappings: Vec<Mapping> = Vec::new();
    for line in smaps.lines() {
        let mut words = line.split_ascii_whitespace();
        let first = words.next()?;
        if let Some((start, end)) = first.split_once('-') {
            let address = |text| u64::from_str_radix(text, 16).ok();
            let (start, end) = (address(start)?, address(end)?);
            // After permissions, offset, device and inode.
            let name = words.nth(4).unwrap_or_default();
            mappings.push(Mapping { start, end, name, pss_kib: 0 });
        } else if first == "Pss:" {
            mappings.last_mut()?.pss_kib = words.next()?.parse().ok()?;
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
Rss:                   8 kB
Pss:                   4 kB
VmFlags: rd ex
7ff0-7ff1 rw-p 00000000 00:00 0 
Rss:                  12 kB
Pss:                  12 kB
";

    #[test]
    fn mappings_have_length_name_and_share() {
        let expected = [
            Mapping { start: 0x5555, end: 0x7555, name: "/tmp/vmm", pss_kib: 4 },
            Mapping { start: 0x7ff0, end: 0x7ff1, name: "", pss_kib: 12 },
        ];
        assert_eq!(parse(SMAPS).unwrap(), expected);
    }

    #[test]
    fn a_piece_before_a_mapped_kernel_is_guest_ram_and_a_neighbour_is_not() {
        let mapping = |start, end| Mapping { start, end, ..Mapping::default() };
        let neighbours = [mapping(0, 9), mapping(10, 12), mapping(12, 15), mapping(15, 26)];
        let all = [&neighbours[..], &[mapping(26, 30), mapping(31, 33)][..]].concat();
        assert_eq!(whole(&all, 16), &neighbours[1..]);
        assert_eq!(whole(&all, 11), &neighbours[3..]);
        assert_eq!(whole(&all, 17), &[]);
        assert_eq!(whole(&[], 17), &[]);
    }

    #[test]
    fn what_a_process_has_alone_is_clean_or_dirty() {
        let text = "\
7ff0-7ff1 ---p 00000000 00:00 0     [rollup]
Rss:                  20 kB
Pss:                  13 kB
Pss_Dirty:             5 kB
Shared_Clean:         12 kB
Private_Clean:         3 kB
Private_Dirty:         5 kB
";
        let expected = Rollup { rss_kib: 20, pss_kib: 13, private_kib: 8 };
        assert_eq!(parse_rollup(text), Some(expected));
        assert_eq!(parse_rollup("Rss: 1 kB\n"), None);
        let own = Rollup::of(Path::new("/proc/self")).unwrap();
        assert!(own.private_kib <= own.pss_kib && own.pss_kib <= own.rss_kib, "{own:?}");
    }

    #[test]
    fn guest_files_do_not_count() {
        let own = Path::new("/proc/self");
        let all = outside_guest_ram(own, &[]).unwrap();
        let program = std::env::current_exe().unwrap();
        assert!(outside_guest_ram(own, &[&program]).unwrap() < all);
    }
}
