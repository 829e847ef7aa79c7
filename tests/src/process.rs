//! A command under way, and what came of it.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than any guest of these tests takes: an emulated host on a busy machine needs a minute for what takes a real
/// one a tenth of a second.
const LIMIT: Duration = Duration::from_secs(600);

/// What a command leaves behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Exit status, or minus the number of the signal that ended it.
    pub status: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Outcome {
    /// Checks all three.
    #[track_caller]
    pub fn assert(&self, status: i32, stdout: &str, stderr: &str) {
        let all = (self.status, self.stdout.as_str(), self.stderr.as_str());
        assert_eq!(all, (status, stdout, stderr));
    }

    /// Checks that it refused to work: no output, this status, and one line that holds all `words`.
    #[track_caller]
    pub fn assert_refused(&self, status: i32, words: &[&str]) {
        let line = self.stderr.strip_suffix('\n').unwrap_or_default();
        assert!(line.starts_with("bulkhead") && !line.contains('\n'), "not one line: {self:?}");
        for word in words {
            assert!(line.contains(word), "{word:?} is not in: {line}");
        }
        assert_eq!((self.status, self.stdout.as_str()), (status, ""), "{line}");
    }
}

/// Kills a process that the test has started, or that one of its commands has.
pub fn kill(process: u32) {
    signal(process, Signal::KILL);
}

/// Sends a signal to a process.
pub fn signal(process: u32, signal: Signal) {
    let process = Pid::from_raw(process as i32).unwrap();
    kill_process(process, signal).unwrap();
}

/// A command under way. Dropped before its end, it is killed.
pub struct Running {
    child: Child,
    stdin: Option<JoinHandle<()>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    /// Starts the command and feeds it `input`, then the end of file.
    pub fn start(command: &mut Command, input: impl Into<Vec<u8>>) -> Running {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (mut stdin, mut stderr) = (child.stdin.take().unwrap(), child.stderr.take().unwrap());
        let input = input.into();
        // Who ends without reading all of it closes the pipe: no failure of ours.
        let stdin = thread::spawn(move || drop(stdin.write_all(&input)));
        let stderr = thread::spawn(move || {
            let mut bytes = Vec::new();
            stderr.read_to_end(&mut bytes).unwrap();
            bytes
        });
        Running { child, stdin: Some(stdin), stderr: Some(stderr) }
    }

    /// Its standard output, for a test that reads it itself.
    pub fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().unwrap()
    }

    /// Reads from its standard output what has to come next.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        let mut bytes = vec![0; text.len()];
        let result = self.child.stdout.as_mut().unwrap().read_exact(&mut bytes);
        assert!(result.is_ok(), "ended before {text:?}: {:?}", self.end());
        assert_eq!(String::from_utf8_lossy(&bytes), text);
    }

    /// Its process identifier.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        // It was not waited for, so the number is its own.
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end and collects what it wrote. Too long is a failure.
    pub fn wait(mut self) -> Outcome {
        self.end()
    }

    fn end(&mut self) -> Outcome {
        let stdout = self.child.stdout.take().map(|mut stdout| {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                stdout.read_to_end(&mut bytes).unwrap();
                bytes
            })
        });
        let deadline = Instant::now() + LIMIT;
        let mut late = false;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                late = true;
                self.child.kill().unwrap();
            }
            thread::sleep(Duration::from_millis(10));
        };
        let text = |thread: Option<JoinHandle<Vec<u8>>>| {
            let bytes = thread.map(|thread| thread.join().unwrap()).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        if let Some(stdin) = self.stdin.take() {
            stdin.join().unwrap();
        }
        let outcome = Outcome {
            status: status.code().unwrap_or_else(|| -status.signal().unwrap_or(0)),
            stdout: text(stdout),
            stderr: text(self.stderr.take()),
        };
        assert!(!late, "did not end in {LIMIT:?}: {outcome:?}");
        outcome
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After its end both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The words of a command line.
pub fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}
