//! Driver and device on two threads: with event index, neither sleeps through what the other did.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use super::driver::Driver;
use super::*;
use crate::testing::memory;

const CHAINS: u16 = 20_000;
/// Far longer than any pause of a loaded machine: only a lost notification lasts that long.
const LOST: Duration = Duration::from_secs(60);

#[test]
fn no_notification_is_lost() {
    let mem = memory(0x10000);
    let driver = Driver::new(&mem, 0, 4);
    let mut queue = driver.device();
    queue.set_event_index(true);
    let (kick, kicks) = channel();
    let (interrupt, interrupts) = channel();
    let device = thread::spawn(move || run_device(&mem, queue, &kicks, &interrupt));
    run_driver(driver, &kick, &interrupts);
    drop(kick);
    device.join().unwrap();
}

fn run_device(mem: &GuestMemory, mut queue: Queue, kicks: &Receiver<()>, interrupt: &Sender<()>) {
    while kicks.recv().is_ok() {
        // One at a time, so that interrupts are decided as often as can be.
        while queue.enable_notification(mem).unwrap() {
            let chain = queue.pop(mem).unwrap().unwrap();
            queue.push(mem, chain.head, 0).unwrap();
            if queue.needs_interrupt(mem).unwrap() {
                let _driver_may_be_done = interrupt.send(());
            }
        }
    }
}

/// Keeps the ring full; notifies only when the device asked to be, sleeps only when nothing was used.
fn run_driver(mut driver: Driver, kick: &Sender<()>, interrupts: &Receiver<()>) {
    let (mut offered, mut done) = (0, 0);
    while done < CHAINS {
        let old = offered;
        while offered < CHAINS && offered - done < driver.size {
            driver.offer_chain(&[(0x5000, 1, true)]);
            offered += 1;
        }
        fence(Ordering::SeqCst);
        if old != offered && crossed(driver.avail_event(), old, offered) {
            kick.send(()).unwrap();
        }
        driver.set_used_event(done);
        fence(Ordering::SeqCst);
        let before = done;
        while driver.take_used().is_some() {
            done += 1;
        }
        if done == before {
            interrupts.recv_timeout(LOST).expect("an interrupt for the next used chain");
        }
    }
}
