//! The report: one line for each check on the serial port, and a last one with the sums.

use core::fmt::{self, Write};

use super::machine::serial;

/// Why a check failed.
pub type Fault = &'static str;

/// A line in the making. What does not fit is left out.
pub struct Line {
    bytes: [u8; 160],
    len: usize,
}

impl Line {
    pub fn new() -> Self {
        Self { bytes: [0; 160], len: 0 }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = byte;
                self.len += 1;
            }
        }
        Ok(())
    }
}

/// Writes into a line, which never fails.
macro_rules! put {
    ($line:expr, $($what:tt)*) => {{
        use core::fmt::Write as _;
        let _ = write!($line, $($what)*);
    }};
}
pub(super) use put;

/// Counts the checks.
#[derive(Default)]
pub struct Report {
    checks: u32,
    failed: u32,
}

impl Report {
    /// Runs a check; it writes its findings into the line, and these are reported whether it passes or fails.
    pub fn check(
        &mut self,
        name: &str,
        check: impl FnOnce(&mut Line) -> Result<(), Fault>,
    ) -> bool {
        let mut detail = Line::new();
        let result = check(&mut detail);
        self.checks += 1;
        match result {
            Ok(()) => send_line(&[b"ok ", name.as_bytes(), b" ", detail.as_bytes()]),
            Err(fault) => {
                self.failed += 1;
                let parts: &[&[u8]] =
                    &[b"FAIL ", name.as_bytes(), b" ", fault.as_bytes(), b": ", detail.as_bytes()];
                send_line(parts);
            }
        }
        result.is_ok()
    }

    /// Says that something could not be checked, which is no failure.
    pub fn skip(&mut self, name: &str, reason: &str) {
        send_line(&[b"skip ", name.as_bytes(), b" ", reason.as_bytes()]);
    }

    /// The last line.
    pub fn end(&self) {
        let mut sums = Line::new();
        put!(sums, "bare-guest: {} checks, {} failed", self.checks, self.failed);
        send_line(&[sums.as_bytes()]);
    }
}

/// Sends one line.
pub fn send_line(parts: &[&[u8]]) {
    for part in parts {
        serial::send(part);
    }
    serial::send(b"\n");
}
