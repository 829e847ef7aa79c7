//! The order of filters at the start: none of the guest's instructions runs before every thread has its own.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::park;

use rustix::thread::set_no_new_privs;

use super::{Thread, put_on, refused};

/// Who calls the roll: the main thread.
pub struct RollCall {
    filtered: bool,
    called: usize,
    sender: Sender<io::Result<()>>,
    answers: Receiver<io::Result<()>>,
    open: Arc<OnceLock<()>>,
}

/// A thread on the roll.
pub struct Member {
    filtered: bool,
    thread: Thread,
    answer: Sender<io::Result<()>>,
    open: Arc<OnceLock<()>>,
}

impl RollCall {
    /// Before the first thread is started. What filters need is done here: no new privileges, and a handler for what is
    /// refused.
    pub fn with_filters() -> io::Result<RollCall> {
        set_no_new_privs(true)?;
        refused::install_handlers()?;
        refused::end_on_panic();
        Ok(Self::new(true))
    }

    /// The same without filters, so that threads go on at once.
    pub fn without_filters() -> RollCall {
        Self::new(false)
    }

    fn new(filtered: bool) -> RollCall {
        let (sender, answers) = channel();
        RollCall { filtered, called: 0, sender, answers, open: Arc::default() }
    }

    /// Puts a thread on the roll that is about to be started.
    pub fn member(&mut self, thread: Thread) -> Member {
        self.called += 1;
        Member {
            filtered: self.filtered,
            thread,
            answer: self.sender.clone(),
            open: Arc::clone(&self.open),
        }
    }

    /// Waits until all have their filters, puts on the main thread's, and lets all go on.
    pub fn complete(self) -> io::Result<()> {
        if !self.filtered {
            return Ok(());
        }
        drop(self.sender);
        for _ in 0..self.called {
            // A thread that is gone without an answer has no filter.
            self.answers.recv().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))?;
        }
        put_on(Thread::EventLoop)?;
        // Nobody else sets it.
        let _ = self.open.set(());
        Ok(())
    }
}

impl Member {
    /// The thread's first act: puts its filter on, and waits until all have theirs.
    pub fn begin(&self) {
        if self.filtered {
            // Without a listener the process is about to end.
            let _ = self.answer.send(put_on(self.thread));
            self.open.wait();
        }
    }

    /// The thread's last act. With a filter it stays for the process's end: what a thread does when it ends (destructors, its
    /// stack) is in no table.
    pub fn end(self) {
        if self.filtered {
            loop {
                park();
            }
        }
    }
}
