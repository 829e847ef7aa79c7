//! What one guest may cost the host, as far as devices decide it: the table to look at and to tune.
//!
//! A number that a model's specification gives (the size of a queue, a register's width) stands with the model.

use std::time::Duration;

/// What a turn of a device may make the host do, in bytes that are copied or written, before others have theirs: some
/// milliseconds. The last request may go beyond it.
pub const TURN_BYTES: u64 = 16 << 20;

/// What a flush counts as in a turn, in bytes: what a slow disk writes in some milliseconds.
pub const FLUSH_COST: u64 = 1 << 20;

/// How long each of a block request's pieces of data may be, in bytes (`size_max`, virtio 1.2 §5.2.4). Linux's requests
/// have up to some MiB in all.
pub const MAX_SEGMENT: u32 = 128 << 10;

/// How long the range of a discard or a write of zeroes may be, in bytes: in the worst case they are written out.
pub const MAX_RANGE: u32 = 32 << 20;

/// How many random bytes one chain gets: with the 64 chains of its queue an entropy device makes 32 KiB a turn. A driver
/// that wants more asks again.
pub const MAX_FILL: usize = 512;

/// How many connections a socket device has, those that only drain their buffer included. With 64 KiB for each
/// ([`BUF_ALLOC`](crate::virtio::vsock::BUF_ALLOC)) a guest can make it use 128 MiB, if the host's programs read
/// nothing from any of them.
pub const MAX_CONNECTIONS: usize = 2048;

/// How many resets may wait for a buffer of the guest's before its socket device takes no more packets from it (virtio
/// 1.2 §5.10.6.1: the additional resources that keep the two queues from blocking each other are bounded).
pub const MAX_RESETS: usize = 1024;

/// How often a socket device looks after the host's programs that wait for the guest to accept them.
pub const REQUEST_TICK: Duration = Duration::from_secs(1);

/// At which of these they are sent away: two seconds, as with Firecracker (`CONN_REQUEST_TIMEOUT_MS`), and what was
/// left of the second in which they came.
pub const MAX_REQUEST_TICKS: u8 = 3;
