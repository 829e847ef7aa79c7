//! The caches of the host's processors, which are the guest's too, as Linux tells of them in sysfs
//! (Documentation/ABI/testing/sysfs-devices-system-cpu).

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use arch::aarch64::fdt::{Cache, CacheKind};

/// The first processor's: all are taken to be alike.
const HOST: &str = "/sys/devices/system/cpu/cpu0/cache";
/// More than any processor has: three levels, the first of them twice.
const MOST: u32 = 8;
/// No attribute is longer.
const ATTRIBUTE_LEN: u64 = 256;

/// The host's caches. One that the host does not know all about is left out: a guest without it
/// runs as well.
pub fn host() -> Vec<Cache> {
    read(Path::new(HOST))
}

fn read(folder: &Path) -> Vec<Cache> {
    (0..MOST).filter_map(|index| cache(&folder.join(format!("index{index}")))).collect()
}

fn cache(folder: &Path) -> Option<Cache> {
    let kind = match &*attribute(folder, "type")? {
        "Data" => CacheKind::Data,
        "Instruction" => CacheKind::Instruction,
        "Unified" => CacheKind::Unified,
        _ => return None,
    };
    Some(Cache {
        level: number(folder, "level")?,
        kind,
        size: attribute(folder, "size")?
            .strip_suffix('K')?
            .parse::<u32>()
            .ok()?
            .checked_mul(1 << 10)?,
        line_size: number(folder, "coherency_line_size")?,
        sets: number(folder, "number_of_sets")?,
        shared_by: attribute(folder, "shared_cpu_list")?
            .split(',')
            .map(processors)
            .sum::<Option<u32>>()?,
    })
}

/// How many processors a part of a list such as `0-3,8` names.
fn processors(part: &str) -> Option<u32> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    Some(u32::from(last.checked_sub(first)?) + 1)
}

fn number<T: FromStr>(folder: &Path, name: &str) -> Option<T> {
    attribute(folder, name)?.parse().ok()
}

fn attribute(folder: &Path, name: &str) -> Option<String> {
    let mut text = String::new();
    File::open(folder.join(name)).ok()?.take(ATTRIBUTE_LEN).read_to_string(&mut text).ok()?;
    Some(text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attributes of one cache, in the order of [`NAMES`].
    type Attributes = [&'static str; 6];
    const NAMES: Attributes =
        ["type", "level", "size", "coherency_line_size", "number_of_sets", "shared_cpu_list"];

    fn folder(caches: &[Attributes]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (index, attributes) in caches.iter().enumerate() {
            let cache = folder.path().join(format!("index{index}"));
            std::fs::create_dir(&cache).unwrap();
            for (name, value) in NAMES.iter().zip(attributes) {
                std::fs::write(cache.join(name), format!("{value}\n")).unwrap();
            }
        }
        folder
    }

    #[test]
    fn what_the_host_knows_is_what_the_guest_hears() {
        let folder = folder(&[
            ["Data", "1", "64K", "64", "256", "0"],
            ["Unified", "3", "32768K", "64", "32768", "0-3,8,10-11"],
        ]);
        let first = Cache {
            level: 1,
            kind: CacheKind::Data,
            size: 64 << 10,
            line_size: 64,
            sets: 256,
            shared_by: 1,
        };
        let third = Cache {
            level: 3,
            kind: CacheKind::Unified,
            size: 32 << 20,
            line_size: 64,
            sets: 1 << 15,
            shared_by: 7,
        };
        assert_eq!(read(folder.path()), [first, third]);
    }

    #[test]
    fn what_the_host_does_not_know_is_left_out() {
        let good = ["Data", "1", "64K", "64", "256", "0"];
        for (place, value) in [
            (0, "Separate"),
            (1, "first"),
            (2, "64"),
            (2, "4194304K"),
            (3, ""),
            (4, "-1"),
            (5, "3-0"),
            (5, "0-"),
        ] {
            let mut bad = good;
            bad[place] = value;
            assert_eq!(read(folder(&[bad, good]).path()).len(), 1, "{value}");
        }
        assert_eq!(read(Path::new("/nowhere")), []);
    }
}
