//! The emulated host's serial console: shown when asked for, otherwise its end is kept for error messages.

use std::io::{Read, Write};
use std::process::{ChildStderr, ChildStdout};
use std::sync::{Arc, Mutex};
use std::thread;

/// How much of the console is kept.
const KEPT: usize = 4096;

/// What the kernel and the emulator said.
#[derive(Clone, Default)]
pub struct Console {
    tail: Arc<Mutex<Vec<u8>>>,
}

impl Console {
    /// Follows the emulator's output (the serial line) and standard error until they end.
    pub fn follow(stdout: ChildStdout, stderr: ChildStderr, show: bool) -> Console {
        let console = Console::default();
        for stream in [Box::new(stdout) as Box<dyn Read + Send>, Box::new(stderr)] {
            let console = console.clone();
            thread::spawn(move || console.copy(stream, show));
        }
        console
    }

    fn copy(&self, mut stream: Box<dyn Read + Send>, show: bool) {
        let mut buffer = [0; 1024];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            let data = &buffer[..length];
            if show {
                // Nothing sensible can be done when stderr is closed.
                let _ = std::io::stderr().write_all(data);
            }
            let mut tail = self.tail.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            tail.extend_from_slice(data);
            let surplus = tail.len().saturating_sub(KEPT);
            tail.drain(..surplus);
        }
    }

    /// The last lines.
    pub fn tail(&self) -> String {
        let tail = self.tail.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        String::from_utf8_lossy(&tail).trim().to_owned()
    }
}
