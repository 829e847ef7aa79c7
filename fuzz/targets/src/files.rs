//! Files in memory.

use std::fs::File;
use std::io::Write;

/// A file without a name that holds these bytes.
pub fn file(bytes: &[u8]) -> File {
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::memfd_create("fuzz", flags).expect("a file in memory"));
    file.write_all(bytes).expect("room for it");
    file
}

/// A path under which such a file can be opened.
pub fn path_of(file: &File) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd())
}
