//! Initramfs writer: the "newc" cpio format (Linux Documentation/driver-api/early-userspace/buffer-format.rst).
//!
//! An entry is a header of 110 ASCII characters, the NUL-terminated name, and the content, each padded to 4 bytes. An archive
//! ends with an entry named `TRAILER!!!`; the kernel unpacks as many archives as follow each other, so an initramfs
//! can be put together from parts. [`Writer::finish`] pads with zeros to a page: then the next part starts aligned, and the
//! whole can be mapped into guest memory instead of being copied.
//!
//! Equal input gives equal bytes: times are zero, owners are root, inodes are counted up.

#[cfg(test)]
mod tests;

use std::io::{self, Read, Write};

/// A whole archive's length is a multiple of this.
pub const PAGE: u64 = 4096;
/// The kernel skips entries with longer names and links (Linux `PATH_MAX`, with the final NUL).
const PATH_MAX: usize = 4096;
/// The name that ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// File type bits of a mode (POSIX `sys/stat.h`).
const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHAR_DEVICE: u32 = 0o020_000;
const PERMISSIONS: u32 = 0o7777;

/// Why an entry can't be written. After an error the archive is incomplete and of no use.
#[derive(Debug, thiserror::Error)]
pub enum CpioError {
    /// A name that does not stay below the root, or would not be read back as written.
    #[error(
        "initramfs entry {name:?}: the name {problem}; right is a relative path such as \"etc/hosts\""
    )]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A symbolic link's target that the kernel would skip.
    #[error(
        "initramfs entry {name:?}: its link target is empty, has a NUL byte or 4096 or more bytes"
    )]
    Target {
        /// The link's name.
        name: String,
    },
    /// A mode with bits outside the permissions.
    #[error("initramfs entry {name:?}: mode {mode:#o} has bits outside 0o7777")]
    Mode {
        /// The entry's name.
        name: String,
        /// The mode.
        mode: u32,
    },
    /// The format has 32 bits for a size.
    #[error("initramfs entry {name:?}: {len} bytes, but the format ends at 4294967295")]
    TooLarge {
        /// The file's name.
        name: String,
        /// Its length.
        len: u64,
    },
    /// A file that changed while it was read.
    #[error("initramfs entry {name:?}: content ended after {got} of {len} bytes")]
    Short {
        /// The file's name.
        name: String,
        /// The length that was announced.
        len: u64,
        /// The length that was there.
        got: u64,
    },
    /// Reading content or writing the archive failed.
    #[error("initramfs entry {name:?}: {error}")]
    Io {
        /// The entry's name.
        name: String,
        /// What failed.
        error: io::Error,
    },
}

/// What stands in an entry's header besides the name.
#[derive(Default)]
struct Header {
    mode: u32,
    links: u32,
    len: u32,
    device: (u32, u32),
}

/// Writes one archive.
pub struct Writer<W: Write> {
    out: W,
    /// Bytes of this archive so far; alignment counts from its start.
    written: u64,
    inode: u32,
}

impl<W: Write> Writer<W> {
    /// Starts an archive. `out` must stand at a multiple of 4 bytes, as it does after another archive.
    pub fn new(out: W) -> Self {
        Self { out, written: 0, inode: 0 }
    }

    /// A directory. The kernel makes no parents: they come first, as entries of their own.
    pub fn directory(&mut self, name: &str, mode: u32) -> Result<(), CpioError> {
        let header =
            Header { mode: DIRECTORY | check_mode(name, mode)?, links: 2, ..Header::default() };
        self.entry(name, header, &[])
    }

    /// A file with its content.
    pub fn file(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<(), CpioError> {
        self.file_from(name, mode, content.len() as u64, content)
    }

    /// A file whose `len` bytes are read from `content`, which may have more.
    pub fn file_from(
        &mut self,
        name: &str,
        mode: u32,
        len: u64,
        content: impl Read,
    ) -> Result<(), CpioError> {
        let too_large = |_| CpioError::TooLarge { name: name.into(), len };
        let len32 = u32::try_from(len).map_err(too_large)?;
        let mode = FILE | check_mode(name, mode)?;
        self.start(name, Header { mode, links: 1, len: len32, ..Header::default() })?;
        let got = io::copy(&mut content.take(len), &mut self.out).map_err(io_error(name))?;
        if got < len {
            return Err(CpioError::Short { name: name.into(), len, got });
        }
        self.written += got;
        self.pad(4).map_err(io_error(name))
    }

    /// A symbolic link.
    pub fn symlink(&mut self, name: &str, target: &str) -> Result<(), CpioError> {
        if target.is_empty() || target.len() >= PATH_MAX || target.contains('\0') {
            return Err(CpioError::Target { name: name.into() });
        }
        let len = target.len() as u32;
        let header = Header { mode: SYMLINK | 0o777, links: 1, len, ..Header::default() };
        self.entry(name, header, target.as_bytes())
    }

    /// A character device, such as `/dev/console` (5, 1), which the kernel opens for init before anything is mounted.
    pub fn char_device(
        &mut self,
        name: &str,
        mode: u32,
        major: u32,
        minor: u32,
    ) -> Result<(), CpioError> {
        let mode = CHAR_DEVICE | check_mode(name, mode)?;
        let header = Header { mode, links: 1, device: (major, minor), ..Header::default() };
        self.entry(name, header, &[])
    }

    /// Ends the archive with its trailer, pads it to [`PAGE`], and gives the output back.
    pub fn finish(mut self) -> Result<W, CpioError> {
        self.header(TRAILER, Header { links: 1, ..Header::default() })
            .and_then(|()| self.pad(PAGE))
            .and_then(|()| self.out.flush())
            .map_err(io_error(TRAILER))?;
        Ok(self.out)
    }

    fn entry(&mut self, name: &str, header: Header, content: &[u8]) -> Result<(), CpioError> {
        self.start(name, header)?;
        self.put(content).and_then(|()| self.pad(4)).map_err(io_error(name))
    }

    fn start(&mut self, name: &str, header: Header) -> Result<(), CpioError> {
        if let Some(problem) = name_problem(name) {
            return Err(CpioError::Name { name: name.into(), problem });
        }
        self.inode = self.inode.wrapping_add(1);
        self.header(name, header).map_err(io_error(name))
    }

    fn header(&mut self, name: &str, header: Header) -> io::Result<()> {
        let fields = [
            self.inode,
            header.mode,
            0, // owner
            0, // group
            header.links,
            0, // time of modification
            header.len,
            0, // device that holds the file: major
            0, // and minor
            header.device.0,
            header.device.1,
            name.len() as u32 + 1,
            0, // checksum, unused in this variant of the format
        ];
        self.put(b"070701")?;
        for field in fields {
            self.put(format!("{field:08x}").as_bytes())?;
        }
        self.put(name.as_bytes())?;
        self.put(&[0])?;
        self.pad(4)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn pad(&mut self, alignment: u64) -> io::Result<()> {
        let missing = self.written.next_multiple_of(alignment) - self.written;
        self.put(&[0; PAGE as usize][..missing as usize])
    }
}

fn check_mode(name: &str, mode: u32) -> Result<u32, CpioError> {
    if mode & !PERMISSIONS == 0 {
        Ok(mode)
    } else {
        Err(CpioError::Mode { name: name.into(), mode })
    }
}

fn name_problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("is empty")
    } else if name.len() >= PATH_MAX {
        Some("has 4096 or more bytes")
    } else if name.contains('\0') {
        Some("has a NUL byte")
    } else if name == TRAILER {
        Some("is the one that ends an archive")
    } else if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        Some("has an empty part, \".\" or \"..\"")
    } else {
        None
    }
}

fn io_error(name: &str) -> impl Fn(io::Error) -> CpioError {
    move |error| CpioError::Io { name: name.into(), error }
}
