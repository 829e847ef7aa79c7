//! Messages between host and guest, and between a command and a supervisor.

use std::fmt::Debug;
use std::io::{self, Read};

use containers::supervisor;
use protocol::{
    FrameError, FrameReader, Hello, MAX_FRAME, ToGuest, ToHost, decode, encode, read_message,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::input::Input;
use crate::kernel::check_refusal;

/// A stream that gives its bytes in portions, and now and then has none.
struct Portions<'a> {
    bytes: &'a [u8],
    /// How long the next ones are; 0: nothing is there now.
    lens: &'a [u8],
}

impl Read for Portions<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = match self.lens.split_first() {
            Some((0, rest)) => {
                self.lens = rest;
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Some((len, rest)) => {
                self.lens = rest;
                usize::from(*len)
            }
            None => usize::MAX,
        };
        let (now, rest) = self.bytes.split_at(len.min(buf.len()).min(self.bytes.len()));
        buf[..now.len()].copy_from_slice(now);
        self.bytes = rest;
        Ok(now.len())
    }
}

/// Frames in any portions are the frames that the bytes hold.
pub fn frame(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let Some(lens) = input.u8().and_then(|count| input.bytes(count.into())) else { return };
    let mut stream = Portions { bytes: input.rest(), lens };
    let mut rest = stream.bytes;
    let mut reader = FrameReader::default();
    loop {
        match reader.read(&mut stream) {
            Ok(None) => {}
            Ok(Some(frame)) => {
                let (header, after) = rest.split_first_chunk().expect("a length");
                let (body, after) = after.split_at(u32::from_le_bytes(*header) as usize);
                assert!(frame == body && frame.len() <= MAX_FRAME);
                rest = after;
            }
            Err(FrameError::TooLong(len)) => {
                assert!(len > MAX_FRAME as u64);
                return;
            }
            Err(FrameError::Closed) => return assert!(rest.is_empty()),
            Err(FrameError::Truncated(len)) => return assert_eq!(len, rest.len()),
            Err(error) => panic!("{error}"),
        }
    }
}

/// The first frame of a connection.
pub fn hello(bytes: &[u8]) {
    match Hello::check(bytes) {
        Ok(hello) => round_trip::<Hello>(&frame_body(&hello)),
        Err(error) => check_refusal(&error),
    }
}

/// What a guest may say to the host, which does not trust it.
pub fn to_host(bytes: &[u8]) {
    round_trip::<ToHost>(bytes);
}

/// What the host says to the guest: each order, and what a guest looks at before it obeys.
pub fn to_guest(bytes: &[u8]) {
    round_trip::<ToGuest>(bytes);
    let problem = match decode(bytes) {
        Ok(ToGuest::Setup(setup)) => setup.setting.check().err(),
        Ok(ToGuest::Start(start)) => start.process.check().err(),
        _ => None,
    };
    problem.iter().for_each(|problem| check_refusal(problem));
}

/// What a command asks of a container's supervisor, and what it is answered.
pub fn control(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.bool() {
        Some(true) => drop(round_trip_by_text::<supervisor::Request>(input.rest())),
        Some(false) => drop(round_trip_by_text::<supervisor::Reply>(input.rest())),
        None => {}
    }
}

fn frame_body(message: &impl Serialize) -> Vec<u8> {
    let frame = encode(message).expect("what was read can be written");
    frame[4..].to_vec()
}

/// A message that is understood is the same after it was sent on.
fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(body: &[u8]) {
    if let Some(message) = round_trip_by_text::<T>(body) {
        assert_eq!(decode::<T>(&frame_body(&message)).expect("what was written"), message);
    }
}

/// The same, of one that can't be compared but by its text.
fn round_trip_by_text<T: Serialize + DeserializeOwned>(body: &[u8]) -> Option<T> {
    match decode::<T>(body) {
        Ok(message) => {
            let frame = match encode(&message) {
                Ok(frame) => frame,
                // Its text is longer than the one that was read: numbers in the place of letters.
                Err(FrameError::TooLong(_)) => return None,
                Err(error) => panic!("{error}"),
            };
            let again: T = read_message(&mut &*frame).expect("what was written");
            assert_eq!(encode(&again).expect("as before"), frame);
            Some(message)
        }
        Err(error) => {
            check_refusal(&error);
            None
        }
    }
}
