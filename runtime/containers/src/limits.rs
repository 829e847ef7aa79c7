//! What one guest, and the clients of one container, may cost its supervisor. Each line says why it is as much.

use std::time::Duration;

/// Connections of the guest without their Hello: it says it right after the call, and calls for few processes at a time. So
/// many are answered before others have their turn, and one.
pub const CALLS: usize = 16;

/// What the guest has not read of what it was told: several of the longest messages, of which only Start comes near that.
pub const OUTBOX: usize = 4 * protocol::MAX_FRAME;

/// Messages of the guest that are heard before others have their turn: more than it has to say at once.
pub const MESSAGES: usize = 64;

/// Processes that are under way at once, those included whose client has left.
pub const PROCESSES: usize = 1000;

/// Questions that the guest has not answered: more than all clients ask at once, as who gave up no longer counts for one.
pub const QUESTIONS: usize = 1000;

/// Copies that are under way at once.
pub const COPIES: usize = 100;

/// Characters of a guest's words that a person is shown.
pub const WORDS: usize = 1000;

/// How long a guest may take to stand still, or to go on. It gives its processes 10 seconds for the first, and one whose
/// processor is emulated on a busy machine is slower.
pub const STANDSTILL: Duration = Duration::from_secs(60);

/// How long it may take to say what its container uses: it only reads some files.
pub const STATISTICS: Duration = Duration::from_secs(10);

/// Clients that are served at once, whatever they want.
pub const CLIENTS: usize = 200;

/// And so many more, who want the container stopped or signalled: the way to end it is free when all others are taken.
pub const LAST_CLIENTS: usize = 20;

/// How long one of those may take to say it.
pub const LAST_CLIENT: Duration = Duration::from_secs(5);

/// How often those who wait for the container's end are looked after, whether they have left.
pub const GLANCE: Duration = Duration::from_secs(1);

/// How long nobody is let in when there are no descriptors for them: others give some back meanwhile.
pub const SHORTAGE: Duration = Duration::from_millis(100);

/// Descriptors of a supervisor: for each process three streams at both ends, two pipes for each of the three threads that
/// copy them, and one of who waits for it; for each client its socket twice. The rest is for all else.
pub const DESCRIPTORS: u64 = PROCESSES as u64 * 19 + 2 * CLIENTS as u64 + 512;

/// How long a killed container's output is kept for those who do not read it.
pub const READERS: Duration = Duration::from_secs(2);

/// How long its guest may take after that to say that its process has ended, before the VM is killed: docker's.
pub const GUEST: Duration = Duration::from_secs(10);
