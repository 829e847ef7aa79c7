//! A disk's own thread: what a disk takes its time for, nothing else waits for.
//!
//! The thread sleeps in a read of the queue's ioeventfd, which is the device's bell too: a notification of the driver's
//! wakes it without another thread in between, and it is what a pause or the end rings.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use devices::virtio::block::{Block, Disk, turn};
use devices::{Bell, Device};

use crate::jail::filters::Member;
use crate::kvm::Notification;
use crate::limits::STACK;
use crate::machine::devices::slot::Plugged;

/// What the thread and its owner share.
pub struct Worker {
    device: Plugged<Block>,
    /// A turn ended while the device was to pause.
    idle: Condvar,
    ended: AtomicBool,
}

impl Worker {
    /// A worker for this device. It has no thread yet.
    pub fn new(device: Plugged<Block>) -> Worker {
        Worker { device, idle: Condvar::new(), ended: AtomicBool::new(false) }
    }

    /// Starts the thread, which has the disk from now on, of the drive with this name.
    pub fn start(
        worker: &Arc<Worker>,
        id: &str,
        mut disk: Box<dyn Disk>,
        member: Member,
    ) -> io::Result<()> {
        worker.bell().make_blocking()?;
        #[cfg(feature = "traitor")]
        crate::traitor::disk_waits_for(worker.bell());
        let worker = Arc::clone(worker);
        let thread = Builder::new().name(format!("disk {id}")).stack_size(STACK);
        // Nobody waits for its end: a disk that hangs must not keep the process from ending.
        let work = move || {
            member.begin();
            worker.run(&mut *disk);
            member.end();
        };
        thread.spawn(work).map(drop)
    }

    fn bell(&self) -> &Notification {
        &self.device.queues()[0]
    }

    fn run(&self, disk: &mut dyn Disk) {
        let memory = self.device.lock().memory().clone();
        loop {
            self.bell().wait();
            #[cfg(feature = "traitor")]
            crate::traitor::act(crate::jail::filters::Thread::Disk);
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            while turn(self.device.mmio(), disk, &memory) {}
            // Only a pause waits, and it makes any turn the last.
            if self.device.lock().is_paused() {
                self.idle.notify_all();
            }
        }
    }

    /// Takes no further request, and waits until the one that is under way is answered. False: it was not within
    /// `limit`, and will never be.
    pub fn pause(&self, limit: Duration) -> bool {
        let mut mmio = self.device.lock();
        mmio.pause();
        let (mut mmio, waited) = self
            .idle
            .wait_timeout_while(mmio, limit, |mmio| mmio.is_in_turn())
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            mmio.abandon_turn();
        }
        !waited.timed_out()
    }

    /// Ends the thread after the request that is under way.
    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.bell().ring();
    }
}
