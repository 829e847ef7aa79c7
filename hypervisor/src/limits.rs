//! What one VM may cost the host, beyond what its configuration says and what [`devices::limits`] has: the table to
//! look at and to tune.

use std::time::Duration;

/// Descriptors of any VM: stdin, stdout and stderr, KVM's, the log, the event loop's, the fixed devices', and some to
/// spare.
pub const DESCRIPTORS: u64 = 48;

/// Descriptors of a virtio device besides its files and connections: three queues' notifications, its interrupt, what it
/// waits with and tells with, and some to spare.
pub const DESCRIPTORS_OF_A_DEVICE: u64 = 10;

/// How many of the host's programs may have opened the socket without saying which port they want. One more takes the
/// place of the one that has waited longest.
pub const MAX_WAITING: usize = 64;

/// The stack of a processor's or a disk's thread, in bytes: enough for the deepest path of a device model several times
/// over. A thread's default would be 2 MiB of address space.
pub const STACK: usize = 256 << 10;

/// How long the end of a VM waits for its vCPUs to come back from the guest: far longer than each of them has to wait for
/// a processor on a loaded host. One that does not come waits for a host's file that does not answer.
pub const VCPU_STOP: Duration = Duration::from_secs(30);

/// How long the end of a VM waits for a disk's request that is under way: far longer than a disk that works takes for
/// one.
pub const DISK_PAUSE: Duration = Duration::from_secs(2);

/// How long a new VM waits for one that was killed to let go of its disk. It ends within milliseconds, or as long as it
/// waits for a processor.
pub const DISK_UNLOCK: Duration = Duration::from_secs(3);

/// How long a VM that has ended by itself waits for the host's programs to read what it had sent them.
pub const LAST_WORDS: Duration = Duration::from_secs(60);
