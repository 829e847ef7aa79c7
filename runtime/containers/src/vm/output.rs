//! What the VMM writes: the guest's console on stdout, its own messages on stderr.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::thread::{self, JoinHandle};

use super::stderr;
use host::text::printable;

/// How much of the console is kept for an explanation: what a kernel that dies writes takes 3 to 6 KiB.
const TAIL: usize = 8192;

/// The longest line of the VMM's that is passed on as one.
const MAX_LINE: u64 = 4096;

/// What a message of the VMM's starts with. Its last one says why it ends, if its exit status says that something went wrong.
const MESSAGE: &str = "bulkhead-vmm: ";

/// What the lines of the VMM's log start with instead; it is told so with `--id`.
pub const LOG_ID: &str = "vm";

/// Reads the console to its end, so that the guest never waits for us; shows it on stderr, or only keeps its tail.
pub fn console(mut input: impl Read + Send + 'static, show: bool) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut tail = Tail { last: VecDeque::with_capacity(TAIL), show };
        // An error is an end, too.
        let _ = io::copy(&mut input, &mut tail);
        tail.last.into()
    })
}

/// The last of a console's bytes.
struct Tail {
    last: VecDeque<u8>,
    show: bool,
}

impl Write for Tail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.show {
            stderr::write(bytes);
        }
        self.last.extend(bytes);
        self.last.drain(..self.last.len().saturating_sub(TAIL));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Passes on the VMM's log and messages, but keeps its last message: see [`reason`].
pub fn messages(input: impl Read + Send + 'static) -> JoinHandle<Option<String>> {
    thread::spawn(move || {
        let mut input = BufReader::new(input);
        let mut last = None;
        let mut line = Vec::new();
        while let Ok(1..) = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            let text = String::from_utf8_lossy(&line);
            match text.trim_end().strip_prefix(MESSAGE) {
                Some(message) => {
                    if let Some(before) = last.replace(message.to_owned()) {
                        pass_on(&before);
                    }
                }
                None => stderr::write(&line),
            }
            line.clear();
        }
        last
    })
}

/// The reason for the VMM's end: its last message, if it ended with an exit status that says that something went wrong.
/// Otherwise the message explains nothing, and is passed on like those before it.
pub fn reason(last_message: Option<String>, status: Option<i32>) -> Option<String> {
    match (last_message, status) {
        (Some(message), None | Some(0)) => {
            pass_on(&message);
            None
        }
        (message, _) => message,
    }
}

/// Shows a message of the VMM's as it said it.
fn pass_on(message: &str) {
    stderr::write(format!("{MESSAGE}{message}\n").as_bytes());
}

/// What a kernel that dies says of the reason, among registers and calls that say little to most (Linux: kernel/panic.c,
/// arch/x86/kernel/dumpstack.c, arch/arm64/kernel/traps.c and process.c).
const DEATH: [&str; 5] = ["Oops: ", "Internal error: ", "RIP: 0010:", "pc : ", PANIC];

/// How the last of them begins.
const PANIC: &str = "Kernel panic - not syncing: ";

/// The last lines of a console with something on them, as one line; after a kernel's death those that say why.
pub fn last_lines(console: &[u8]) -> Option<String> {
    const LINES: usize = 3;
    let lines: Vec<String> = console
        .split(|&byte| byte == b'\n' || byte == b'\r')
        .filter(|line| !line.trim_ascii().is_empty())
        .map(|line| printable(line.trim_ascii()))
        .collect();
    let first_with = |words: &&str| lines.iter().find(|line| line.contains(words)).cloned();
    let told = match first_with(&PANIC) {
        Some(_) => DEATH.iter().filter_map(first_with).collect(),
        None => lines[lines.len().saturating_sub(LINES)..].to_vec(),
    };
    (!told.is_empty()).then(|| told.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_console_is_one_line() {
        assert_eq!(last_lines(b"\r\n \n"), None);
        let text = last_lines(b"one\r\ntwo\r\n\r\nthree \x1b[0m\r\nfour\r\n").unwrap();
        assert_eq!(text, "two | three \\u{1b}[0m | four");
        let kept = console(io::repeat(b'x').take(100_000), false).join().unwrap();
        assert_eq!(kept.len(), TAIL);
    }

    #[test]
    fn of_a_kernels_death_the_reason_is_told() {
        let console = b"[ 0.1] hello\n[ 0.2] Oops: general protection fault: 0000 [#1] SMP\n\
            [ 0.2] CPU: 0 PID: 1\n[ 0.2] RIP: 0010:strlen+0x4/0x10\n[ 0.2] Call Trace:\n\
            [ 0.3] RIP: 0033:0x1\n[ 0.4] RIP: 0010:strlen+0x4/0x10\n\
            [ 0.5] Kernel panic - not syncing: Fatal exception\n[ 0.6] Kernel Offset: 0x0\n";
        let why = "[ 0.2] Oops: general protection fault: 0000 [#1] SMP | \
            [ 0.2] RIP: 0010:strlen+0x4/0x10 | [ 0.5] Kernel panic - not syncing: Fatal exception";
        assert_eq!(last_lines(console).unwrap(), why);
    }

    #[test]
    fn the_reason_for_the_end_is_kept() {
        let input =
            "bulkhead-vmm: first\nbulkhead-vmm: kernel x: not an ELF\nvm: 2 vCPUs did not stop\n";
        let last_message = messages(io::Cursor::new(input)).join().unwrap();
        assert_eq!(last_message.as_deref(), Some("kernel x: not an ELF"));
        assert_eq!(messages(io::empty()).join().unwrap(), None);
        // It ended for another reason, or for none that is wrong.
        assert_eq!(reason(last_message.clone(), Some(0)), None);
        assert_eq!(reason(last_message.clone(), None), None);
        assert_eq!(reason(last_message.clone(), Some(1)), last_message);
    }
}
