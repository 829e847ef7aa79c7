//! The transmitter's far end: a file that may be slow, closed or broken without harm to the guest.

use std::io::{Error, ErrorKind, Write};

/// How often one byte is tried again after a signal came in between. A bound, so that a stop of the machine gets through.
const TRIES: usize = 4;

/// Where the sent bytes go; `None` once it is closed.
pub(super) struct Output(Option<Box<dyn Write + Send>>);

impl Output {
    pub(super) fn new(out: Box<dyn Write + Send>) -> Self {
        Self(Some(out))
    }

    /// Sends one byte, or loses it.
    pub(super) fn send(&mut self, byte: u8) {
        let Some(out) = &mut self.0 else { return };
        let sent = (0..TRIES)
            .map(|_| out.write(&[byte]))
            .find(|result| !matches!(result, Err(e) if e.kind() == ErrorKind::Interrupted));
        let problem = match sent {
            Some(Ok(0)) => Some("it takes no more bytes".to_string()),
            Some(Ok(_)) => out.flush().err().filter(is_lasting).map(|error| error.to_string()),
            Some(Err(error)) if is_lasting(&error) => Some(error.to_string()),
            Some(Err(_)) | None => None,
        };
        if let Some(why) = problem {
            log::warn!("serial: output is closed, what the guest sends from now on is lost: {why}");
            self.0 = None;
        }
    }
}

/// Whether the next byte would fare no better.
fn is_lasting(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock)
}
