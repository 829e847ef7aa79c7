//! What only the host knows: the time, randomness, the name.

use std::fs;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use protocol::{ByteString, Clock};
use rustix::time::{ClockId, Timespec};

use crate::error::{During, StartError};

/// Sets CLOCK_REALTIME. The guest's own RTC counts whole seconds, and a guest that waited long is late.
pub fn set_clock(clock: Clock) -> Result<(), StartError> {
    let time = i64::try_from(clock.unix_seconds)
        .map(|tv_sec| Timespec { tv_sec, tv_nsec: clock.nanoseconds.into() })
        .map_err(io::Error::other);
    time.and_then(|time| Ok(rustix::time::clock_settime(ClockId::Realtime, time)?))
        .during(format!("set the clock to {}.{:09}", clock.unix_seconds, clock.nanoseconds))
}

/// Most that a seed may have; the kernel's pool holds 256 bits.
const MAX_SEED: usize = 512;

/// linux/random.h: RNDADDENTROPY, `_IOW('R', 0x03, int[2])`, and RNDRESEEDCRNG, `_IO('R', 0x07)`.
const RNDADDENTROPY: libc::c_ulong = 0x4008_5203;
const RNDRESEEDCRNG: libc::c_ulong = 0x5207;

/// linux/random.h: `struct rand_pool_info`, with room for the largest seed.
#[repr(C)]
struct RandPoolInfo {
    /// Bits of entropy.
    entropy_count: libc::c_int,
    /// Bytes in `buf`.
    buf_size: libc::c_int,
    buf: [u8; MAX_SEED],
}

/// Credits the host's random bytes to the kernel's pool, each bit of them, and makes the generator take them up.
pub fn seed(bytes: &ByteString) -> Result<(), StartError> {
    let bytes = bytes.as_bytes();
    if bytes.is_empty() || bytes.len() > MAX_SEED {
        let error =
            io::Error::other(format!("a seed has 1 to {MAX_SEED} bytes, not {}", bytes.len()));
        return Err(error).during("seed the random generator");
    }
    let mut info = RandPoolInfo {
        entropy_count: bytes.len() as libc::c_int * 8,
        buf_size: bytes.len() as libc::c_int,
        buf: [0; MAX_SEED],
    };
    info.buf[..bytes.len()].copy_from_slice(bytes);
    let device = fs::File::open("/dev/urandom").during("open /dev/urandom")?;
    // SAFETY: RNDADDENTROPY reads `buf_size` bytes of `buf`, which has them; RNDRESEEDCRNG takes no argument.
    let result = unsafe {
        match libc::ioctl(device.as_raw_fd(), RNDADDENTROPY as _, &raw const info) {
            0 => libc::ioctl(device.as_raw_fd(), RNDRESEEDCRNG as _),
            error => error,
        }
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error()).during("seed the random generator")
    }
}

/// Sets the host name.
pub fn set_hostname(hostname: &ByteString) -> Result<(), StartError> {
    rustix::system::sethostname(hostname.as_bytes())
        .during(format!("set the host name \"{hostname}\""))
}

/// Most of /etc/passwd or /etc/group that is read.
const MAX_DATABASE: u64 = 4 << 20;

/// A file of the image that guest-init itself reads. The image may have put anything there: what is no regular file,
/// or would block, reads as empty.
pub fn read_database(path: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = fs::File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    if let Ok(file) = file
        && file.metadata().is_ok_and(|metadata| metadata.is_file())
        && file.take(MAX_DATABASE).read_to_end(&mut bytes).is_err()
    {
        bytes.clear();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_a_regular_file() {
        assert!(read_database("/etc/passwd").starts_with(b"root:"));
        assert!(read_database("/no/such/file").is_empty());
        assert!(read_database("/dev/zero").is_empty());
        assert!(read_database("/etc").is_empty());
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        assert!(read_database(fifo.to_str().unwrap()).is_empty());
    }

    #[test]
    fn a_wrong_seed_or_time_is_refused_by_name() {
        assert!(seed(&"".into()).unwrap_err().to_string().contains("1 to 512 bytes, not 0"));
        assert!(seed(&"x".repeat(513).into()).unwrap_err().to_string().contains("not 513"));
        let never = Clock { unix_seconds: u64::MAX, nanoseconds: 0 };
        assert!(
            set_clock(never)
                .unwrap_err()
                .to_string()
                .starts_with("set the clock to 18446744073709551615")
        );
        let malformed = Clock { unix_seconds: 0, nanoseconds: u32::MAX };
        assert!(set_clock(malformed).is_err());
    }

    #[test]
    fn the_kernel_s_structure() {
        assert_eq!(std::mem::offset_of!(RandPoolInfo, buf), 8);
    }
}
