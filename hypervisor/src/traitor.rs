//! A VMM that its guest has taken over: only tests build it (feature `traitor`).
//!
//! The guest writes the number of a thread ([`Thread`]) and that of an attempt, each one byte, to two places where this
//! machine has no device. The thread makes the attempt with its own filter on, says what came of it, and ends the process: a
//! filter that refuses ends it too, so that each attempt needs a VM.

mod attempts;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use devices::{Bell, Outcome, Registers};

use crate::bus::Buses;
use crate::event::Wake;
use crate::jail::filters::Thread;
use crate::kvm::Notification;

pub use attempts::{ATTEMPTS, Attempt};

/// Where the guest writes: a port on x86_64, an address on aarch64. No device is there (`arch`'s memory maps).
pub const PLACE: u64 = if cfg!(target_arch = "x86_64") { 0x7a0 } else { 0x0a80_0000 };

/// No attempt.
const NONE: u8 = u8::MAX;

/// What each kind of thread is to try, by its number.
static WANTED: [AtomicU8; 4] = [const { AtomicU8::new(NONE) }; 4];
/// How the disk's thread is woken.
static DISK: OnceLock<Notification> = OnceLock::new();

/// What hears the guest.
struct Ear {
    thread: u8,
    event_loop: Wake,
}

impl Registers for Ear {
    fn read(&mut self, _offset: u64, data: &mut [u8]) {
        data.fill(0);
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Outcome {
        match offset {
            0 => self.thread = data[0],
            _ => {
                WANTED[usize::from(self.thread % 4)].store(data[0], Ordering::SeqCst);
                act(Thread::Vcpu);
                self.event_loop.wake();
                if let Some(disk) = DISK.get() {
                    disk.ring();
                }
            }
        }
        Outcome::Continue
    }
}

/// Puts it on the bus.
pub fn plug(buses: &mut Buses, event_loop: &Wake) {
    let bus = if cfg!(target_arch = "x86_64") { &mut buses.ports } else { &mut buses.mmio };
    bus.insert(PLACE, 2, Arc::new(Mutex::new(Ear { thread: 0, event_loop: event_loop.clone() })));
}

/// A disk's thread waits for this.
pub fn disk_waits_for(notification: &Notification) {
    let _ = DISK.set(notification.clone());
}

/// Makes the attempt that this kind of thread is to make, if there is one.
pub fn act(thread: Thread) {
    let number = WANTED[thread as usize].swap(NONE, Ordering::SeqCst);
    let Some(attempt) = ATTEMPTS.get(usize::from(number)) else { return };
    let result = match (attempt.make)() {
        0.. => "SUCCEEDED".to_owned(),
        _ => format!("failed: {}", std::io::Error::last_os_error()),
    };
    let line = format!("traitor: {} in thread {}: {result}\n", attempt.name, thread.name());
    let _ = rustix::io::write(rustix::stdio::stderr(), line.as_bytes());
    // SAFETY: ends the process.
    unsafe { libc::_exit(0) }
}
