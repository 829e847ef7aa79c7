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

/// How many connections, or pairs of ports, an egress filter remembers each way: those that came in, and those to
/// addresses that a name resolved to. Some 3 MiB in the worst case. The oldest is forgotten for a new one.
pub const FLOWS: usize = 16_384;

/// How long a TCP connection is remembered without a word from the peer: 2 hours and 4 minutes (RFC 5382 REQ-5).
pub const TCP_IDLE: Duration = Duration::from_secs(7_440);

/// The same if the peer has said nothing yet, or only its first word: 4 minutes (RFC 5382 REQ-5).
pub const TCP_OPENING: Duration = Duration::from_secs(240);

/// The same for UDP: 5 minutes (RFC 4787 REQ-5).
pub const UDP_IDLE: Duration = Duration::from_secs(300);

/// How long a ping may be answered: a minute (RFC 5508 REQ-2).
pub const PING_IDLE: Duration = Duration::from_secs(60);

/// How often at most what is remembered of a flow is renewed: each time takes some hundred instructions.
pub const FLOW_TICK: Duration = Duration::from_secs(1);

/// How many pairs of an address and the rule by whose name it was found an egress filter knows. Some 1 MiB.
pub const ADMITTED: usize = 4_096;

/// For how long an address is let through at least: less would cut off a program that takes its time between a question
/// and its use (FACTS.md §2, as with smolvm).
pub const ADMITTED_AT_LEAST: Duration = Duration::from_secs(60);

/// And at most: names move (the same).
pub const ADMITTED_AT_MOST: Duration = Duration::from_secs(3_600);

/// How many questions may be without an answer: some 600 KiB. The oldest is forgotten for a new one.
pub const QUESTIONS: usize = 1_024;

/// How long an answer may take. C libraries ask again after 5 s (`RES_TIMEOUT`), resolvers give up after some 10 s.
pub const QUESTION_TIME: Duration = Duration::from_secs(30);

/// How many connections to resolvers are read. One more has to wait until one of these was idle for
/// [`DNS_STREAM_IDLE`].
pub const DNS_STREAMS: usize = 64;

/// How long a connection to a resolver is read without a question. Resolvers close theirs after seconds (RFC 7766
/// §6.2.3).
pub const DNS_STREAM_IDLE: Duration = Duration::from_secs(120);

/// How many messages of one segment are looked at: glibc sends two questions at once. A segment of more questions is
/// dropped.
pub const DNS_TOGETHER: usize = 8;

/// How many records of an answer are looked at.
pub const DNS_RECORDS: usize = 64;

/// How many aliases are followed, from one name to the next. Resolvers themselves follow 8 to 16.
pub const DNS_ALIASES: usize = 16;

/// How many answers to a guest's own frames, of an egress filter or a back end, wait for its buffers: a C library asks two
/// questions for a name, and some programs ask for many names at once. Less than 1 KiB each.
pub const ANSWERS: usize = 64;
