//! The first frame of every connection.

use serde::{Deserialize, Serialize};

use crate::{ByteString, VERSION};

use crate::frame::{FrameError, decode};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Stream {
    /// Frames of [`crate::ToHost`] and [`crate::ToGuest`].
    Control,
    /// Raw bytes, host to guest: a process's standard input, or what is typed at its terminal.
    Stdin {
        /// The process, by the host's number.
        process: u32,
    },
    /// Raw bytes, guest to host: a process's standard output, or all that its terminal shows.
    Stdout {
        /// The process, by the host's number.
        process: u32,
    },
    /// Raw bytes, guest to host. A process with a terminal has none.
    Stderr {
        /// The process, by the host's number.
        process: u32,
    },
    /// A tar archive, in the direction of the request.
    Transfer {
        /// The copy, by the host's number.
        transfer: u32,
    },
}

/// Who speaks, and about what. `version` is the one field that every version of the protocol has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The sender's [`VERSION`].
    pub version: u32,
    /// What the connection carries.
    pub stream: Stream,
    /// [`crate::Setup::key`], which says that it is guest-init who calls, and none of the container's processes. Empty before
    /// Setup, when there are none yet, and from the host.
    pub key: ByteString,
}

/// Why a `Hello` was refused.
#[derive(Debug, thiserror::Error)]
pub enum HelloError {
    /// The other end speaks another version.
    #[error(
        "the other end speaks version {0} of the protocol, this end version {VERSION}: host and guest-init must be of one build"
    )]
    Version(u32),
    /// Not a `Hello` at all.
    #[error(transparent)]
    Malformed(#[from] FrameError),
}

impl Hello {
    /// This end's greeting, before Setup.
    pub fn new(stream: Stream) -> Self {
        Self::with_key(stream, ByteString::default())
    }

    /// The guest's, after it.
    pub fn with_key(stream: Stream, key: ByteString) -> Self {
        Self { version: VERSION, stream, key }
    }

    /// Reads the other end's greeting: the version first, and the rest only when it is ours.
    pub fn check(frame: &[u8]) -> Result<Self, HelloError> {
        #[derive(Deserialize)]
        struct AnyVersion {
            version: u32,
        }
        let AnyVersion { version } = decode(frame)?;
        if version != VERSION {
            return Err(HelloError::Version(version));
        }
        Ok(decode(frame)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_version_is_named_whatever_else_it_says() {
        let error = Hello::check(br#"{"version":9,"stream":"display","voice":[1]}"#).unwrap_err();
        assert!(matches!(error, HelloError::Version(9)), "{error}");
    }

    #[test]
    fn our_version_is_read_strictly() {
        let check = |stream: &str| {
            let text = format!(r#"{{"version":{VERSION},"key":"k","stream":{stream}}}"#);
            Hello::check(text.as_bytes()).map_err(|error| error.to_string())
        };
        let hello = |stream| Hello::with_key(stream, "k".into());
        assert_eq!(check(r#""control""#), Ok(hello(Stream::Control)));
        assert_eq!(check(r#"{"stdin":{"process":7}}"#), Ok(hello(Stream::Stdin { process: 7 })));
        for (wrong, word) in [
            (r#""display""#, "display"),
            (r#""control","extra":0"#, "extra"),
            (r#"{"stdin":{"process":7,"more":1}}"#, "more"),
            (r#"{"stdout":{"process":-1}}"#, "-1"),
            (r#""stdin""#, "stdin"),
        ] {
            let error = check(wrong).unwrap_err();
            assert!(error.contains(word) || error.contains("unit variant"), "{error}");
        }
        let error = Hello::check(br#"{"stream":"stdin"}"#).unwrap_err().to_string();
        assert!(error.contains("version"), "{error}");
    }
}
