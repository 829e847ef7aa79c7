//! Who has a port of the host's, as far as this user may know.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;

use super::Protocol;
use host::text::printable;

/// As much of a table of sockets is looked at, in bytes: a hundred thousand lines.
const MAX_TABLE: u64 = 16 << 20;

/// TCP_LISTEN, linux/net/tcp_states.h.
const LISTEN: &str = "0A";

/// The first process that has it.
pub fn holder(port: u16, protocol: Protocol) -> Option<String> {
    let tables = match protocol {
        Protocol::Tcp => ["tcp", "tcp6"],
        Protocol::Udp => ["udp", "udp6"],
    };
    let mut sockets = BTreeSet::new();
    for table in tables {
        let mut text = Vec::new();
        let file = File::open(format!("/proc/net/{table}"));
        // A kernel without IPv6 has one table.
        let _ = file.and_then(|file| file.take(MAX_TABLE).read_to_end(&mut text));
        sockets.extend(inodes(&String::from_utf8_lossy(&text), port, protocol));
    }
    if sockets.is_empty() {
        return None;
    }
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let (process, name) =
        processes.filter(|&process| has(process, &sockets)).find_map(|process| {
            // One that ends meanwhile has nothing any more.
            Some((process, fs::read(format!("/proc/{process}/comm")).ok()?))
        })?;
    Some(format!("process {process} ({})", printable(name.trim_ascii_end())))
}

/// The sockets that have it: linux/Documentation/networking/proc_net_tcp.rst.
fn inodes(table: &str, port: u16, protocol: Protocol) -> Vec<u64> {
    let inode = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let (local, state, inode) = (words.get(1)?, words.get(3)?, words.get(9)?);
        let number = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
        let is_it = number == port && (protocol == Protocol::Udp || *state == LISTEN);
        inode.parse().ok().filter(|_| is_it)
    };
    table.lines().skip(1).filter_map(inode).collect()
}

fn has(process: u32, sockets: &BTreeSet<u64>) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd"));
    descriptors.into_iter().flatten().flatten().any(|entry| {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        let inode =
            target.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']'));
        inode.and_then(|inode| inode.parse().ok()).is_some_and(|inode| sockets.contains(&inode))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_found_in_the_kernels_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0\n\
            \x20  1: 0100007F:1F90 0100007F:8000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0\n\
            \x20  2: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0\n\
            nonsense\n";
        assert_eq!(inodes(table, 8080, Protocol::Tcp), [4711]);
        assert_eq!(inodes(table, 8080, Protocol::Udp), [4711, 4712]);
        assert!(
            inodes(table, 80, Protocol::Tcp).is_empty() && inodes("", 80, Protocol::Tcp).is_empty()
        );
    }
}
