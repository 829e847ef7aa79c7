//! The transmitter's far end: a file that may be slow, closed or broken without harm to the guest.

use std::io::{Error, ErrorKind, Write};

/// How often one byte is tried again after a signal came in between. A bound, so that a stop of the machine gets through.
const TRIES: usize = 4;

/// Where the sent bytes go.
pub(super) struct Output {
    file: Box<dyn Write + Send>,
    /// From then on all are lost. The file stays: whoever runs the guest may not be allowed to close one.
    closed: bool,
}

impl Output {
    pub(super) fn new(file: Box<dyn Write + Send>) -> Self {
        Self { file, closed: false }
    }

    /// Sends one byte, or loses it.
    pub(super) fn send(&mut self, byte: u8) {
        if self.closed {
            return;
        }
        let sent = (0..TRIES)
            .map(|_| self.file.write(&[byte]))
            .find(|result| !matches!(result, Err(e) if e.kind() == ErrorKind::Interrupted));
        let problem = match sent {
            Some(Ok(0)) => Some("it takes no more bytes".to_string()),
            Some(Ok(_)) => {
                self.file.flush().err().filter(is_lasting).map(|error| error.to_string())
            }
            Some(Err(error)) if is_lasting(&error) => Some(error.to_string()),
            Some(Err(_)) | None => None,
        };
        if let Some(why) = problem {
            log::warn!("serial: output is closed, what the guest sends from now on is lost: {why}");
            self.closed = true;
        }
    }
}

/// Whether the next byte would fare no better.
fn is_lasting(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock)
}
