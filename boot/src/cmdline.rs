//! The kernel's command line: bytes without NUL, of bounded length.

use arch::CMDLINE_MAX;

/// Why a command line is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CmdlineError {
    /// Longer than the guest has room for.
    #[error("the kernel command line is {len} bytes: at most {} fit", CMDLINE_MAX - 1)]
    TooLong {
        /// Its length.
        len: usize,
    },
    /// A character that would end it early or break the log.
    #[error(
        "the kernel command line has the control character {byte:#04x} at byte {at}: \
         it must be one line of text"
    )]
    Control {
        /// The character.
        byte: u8,
        /// Where it is.
        at: usize,
    },
}

/// A command line that the guest will see whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cmdline(String);

impl Cmdline {
    /// Checks a command line.
    pub fn new(text: &str) -> Result<Self, CmdlineError> {
        if text.len() >= CMDLINE_MAX {
            return Err(CmdlineError::TooLong { len: text.len() });
        }
        let control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        if let Some(at) = text.bytes().position(|byte| control(&byte)) {
            return Err(CmdlineError::Control { byte: text.as_bytes()[at], at });
        }
        Ok(Cmdline(text.to_owned()))
    }

    /// The command line as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes for guest memory, with the NUL at the end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.0.as_bytes().to_vec();
        bytes.push(0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_the_nul() {
        let longest = "x".repeat(CMDLINE_MAX - 1);
        assert_eq!(Cmdline::new(&longest).unwrap().to_bytes().len(), CMDLINE_MAX);
        let len = CMDLINE_MAX;
        assert_eq!(Cmdline::new(&(longest + "x")), Err(CmdlineError::TooLong { len }));
    }

    #[test]
    fn it_is_one_line() {
        assert_eq!(Cmdline::new("").unwrap().to_bytes(), [0]);
        assert_eq!(Cmdline::new("a\0b"), Err(CmdlineError::Control { byte: 0, at: 1 }));
        let error = Cmdline::new("quiet\n").unwrap_err();
        assert!(error.to_string().contains("0x0a at byte 5"));
        assert_eq!(Cmdline::new("console=ttyS0 quiet").unwrap().as_str(), "console=ttyS0 quiet");
    }
}
