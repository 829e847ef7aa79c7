//! A hard time limit for a child process.

use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::error::{Doing, Error};

/// Kills a process when its time is up; dropped earlier, it does nothing.
pub struct Watchdog {
    limit: Option<Duration>,
    expired: Arc<AtomicBool>,
    _alive: Sender<()>,
}

impl Watchdog {
    /// Starts the clock.
    pub fn start(child: &Child, limit: Option<Duration>) -> Result<Watchdog, Error> {
        let doing = || "watch a child process".to_owned();
        let process: OwnedFd =
            pidfd_open(Pid::from_child(child), PidfdFlags::empty()).doing(doing)?;
        let expired = Arc::new(AtomicBool::new(false));
        let (_alive, dropped) = channel();
        if let Some(limit) = limit {
            let expired = Arc::clone(&expired);
            thread::spawn(move || {
                if dropped.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                    expired.store(true, Ordering::SeqCst);
                    let _ = pidfd_send_signal(&process, Signal::KILL);
                }
            });
        }
        Ok(Watchdog { limit, expired, _alive })
    }

    /// The limit, when it was reached.
    pub fn expired(&self) -> Option<Duration> {
        self.limit.filter(|_| self.expired.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn kills_only_when_the_time_is_up() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        drop(Watchdog::start(&child, Some(Duration::from_millis(1000))).unwrap());
        let watchdog = Watchdog::start(&child, Some(Duration::from_millis(1))).unwrap();
        assert!(!child.wait().unwrap().success());
        assert_eq!(watchdog.expired(), Some(Duration::from_millis(1)));
    }
}
