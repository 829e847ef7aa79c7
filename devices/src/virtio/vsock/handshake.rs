//! The line with which a program on the host asks for a connection into the guest:
//! `CONNECT port\n`, as in Firecracker's hybrid vsock.

/// The longest line there is: `CONNECT 4294967295\n`.
pub const CONNECT_LINE_MAX: usize = PREFIX.len() + DIGITS_MAX + 1;

const PREFIX: &[u8] = b"CONNECT ";
/// Decimal digits of the largest port.
const DIGITS_MAX: usize = 10;

/// Recognizes the line in whatever pieces it arrives.
#[derive(Clone, Debug, Default)]
pub struct ConnectLine {
    /// Bytes of the line so far, which are right.
    len: usize,
    port: Option<u32>,
}

/// How far the line has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectProgress {
    /// All bytes belong to the line, and it goes on.
    More,
    /// The line is complete. `used` of the bytes just given belong to it; the rest is the first of
    /// the stream's data.
    Port {
        /// The guest port that is asked for.
        port: u32,
        /// How many bytes of the last piece belong to the line.
        used: usize,
    },
}

/// The bytes are no such line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "byte {position} of a host connection's first line: must be of the form \"CONNECT port\\n\""
)]
pub struct ConnectLineError {
    /// Where the line goes wrong, counted from 0.
    pub position: usize,
}

impl ConnectLine {
    /// Takes the next bytes. After a result other than [`ConnectProgress::More`] the line is done
    /// with.
    pub fn push(&mut self, bytes: &[u8]) -> Result<ConnectProgress, ConnectLineError> {
        for (index, &byte) in bytes.iter().enumerate() {
            let wrong = ConnectLineError { position: self.len };
            match (PREFIX.get(self.len), byte, self.port) {
                (Some(&expected), _, _) if byte == expected => {}
                (None, b'0'..=b'9', port) if self.len < PREFIX.len() + DIGITS_MAX => {
                    let digit = u32::from(byte - b'0');
                    let port = port.unwrap_or(0).checked_mul(10).and_then(|p| p.checked_add(digit));
                    self.port = Some(port.ok_or(wrong)?);
                }
                (None, b'\n', Some(port)) => {
                    return Ok(ConnectProgress::Port { port, used: index + 1 });
                }
                _ => return Err(wrong),
            }
            self.len += 1;
        }
        Ok(ConnectProgress::More)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wrong_lines_are_refused_where_they_go_wrong() {
        for (line, position) in [
            ("GET / HTTP/1.1\r\n", 0),
            ("CONNECT\n", 7),
            ("CONNECT \n", 8),
            ("CONNECT  1\n", 8),
            ("CONNECT +1\n", 8),
            ("CONNECT 1 \n", 9),
            ("CONNECT 1\r\n", 9),
            ("CONNECT 4294967296\n", 17),
            ("CONNECT 00000000001\n", 18),
        ] {
            assert_eq!(
                ConnectLine::default().push(line.as_bytes()),
                Err(ConnectLineError { position }),
                "{line:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_line_is_understood_however_it_is_split(
            port: u32,
            rest: Vec<u8>,
            cuts in prop::collection::vec(1..30usize, 0..30),
        ) {
            let line = format!("CONNECT {port}\n").into_bytes();
            prop_assert!(line.len() <= CONNECT_LINE_MAX);
            let bytes = [line.clone(), rest].concat();
            let mut parser = ConnectLine::default();
            let mut at = 0;
            for cut in cuts.into_iter().chain(std::iter::repeat(7)) {
                let end = bytes.len().min(at + cut);
                match parser.push(&bytes[at..end]).unwrap() {
                    ConnectProgress::More => prop_assert!(end < line.len()),
                    ConnectProgress::Port { port: found, used } => {
                        prop_assert_eq!((found, at + used), (port, line.len()));
                        break;
                    }
                }
                at = end;
            }
        }

        #[test]
        fn arbitrary_bytes_end_within_a_lines_length(bytes: Vec<u8>) {
            let mut parser = ConnectLine::default();
            let mut taken = 0;
            for byte in bytes.iter().chain(&[b'x'; CONNECT_LINE_MAX]) {
                match parser.push(&[*byte]) {
                    Ok(ConnectProgress::More) => taken += 1,
                    Ok(ConnectProgress::Port { .. }) | Err(_) => break,
                }
            }
            prop_assert!(taken < CONNECT_LINE_MAX);
        }
    }
}
