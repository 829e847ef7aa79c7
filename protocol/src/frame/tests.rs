use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::network::tests::network;
use crate::{
    ByteString, Clock, ExitStatus, FailureKind, Hello, Limit, Process, Setting, Setup, Start,
    Statistics, Stream, TerminalSize, Tmpfs, ToGuest, ToHost, VERSION,
};

/// Gives its bytes in the portions asked for; a portion of 0 is "would block".
struct Portions {
    bytes: Cursor<Vec<u8>>,
    sizes: std::vec::IntoIter<usize>,
}

impl Read for Portions {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.sizes.next() {
            Some(0) => Err(ErrorKind::WouldBlock.into()),
            Some(size) => {
                let size = size.min(buffer.len());
                self.bytes.read(&mut buffer[..size])
            }
            None => self.bytes.read(buffer),
        }
    }
}

pub(crate) fn byte_string() -> impl Strategy<Value = ByteString> {
    prop_oneof![
        any::<String>().prop_map(ByteString::from),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(ByteString::from),
    ]
}

prop_compose! {
    fn process()(
        args in prop::collection::vec(byte_string(), 0..5),
        env in prop::collection::vec(byte_string(), 0..5),
        cwd in byte_string(),
        user in byte_string(),
        capabilities in any::<u64>(),
        limits in prop::collection::vec(any::<(u8, Option<u64>, Option<u64>)>(), 0..3),
        no_new_privileges in any::<bool>(),
        seccomp in any::<bool>(),
    ) -> Process {
        let limit = |(resource, soft, hard)| Limit { resource, soft, hard };
        let limits = limits.into_iter().map(limit).collect();
        Process { args, env, cwd, user, capabilities, limits, no_new_privileges, seccomp }
    }
}

prop_compose! {
    fn setup()(
        hostname in byte_string(),
        read_only in any::<bool>(),
        tmpfs in prop::collection::vec((byte_string(), any::<(Option<u64>, u32, bool)>()), 0..3),
        memory in any::<u64>(),
        network in network(),
        clock in clock(),
        seed in byte_string(),
        key in byte_string(),
    ) -> Setup {
        let mount = |(path, (size, mode, executable))| Tmpfs { path, size, mode, executable };
        let tmpfs = tmpfs.into_iter().map(mount).collect();
        let setting = Setting { hostname, read_only, tmpfs, memory };
        Setup { setting, network, clock, seed, key }
    }
}

fn clock() -> impl Strategy<Value = Clock> {
    any::<(u64, u32)>().prop_map(|(unix_seconds, nanoseconds)| Clock { unix_seconds, nanoseconds })
}

fn size() -> impl Strategy<Value = TerminalSize> {
    any::<(u16, u16)>().prop_map(|(rows, columns)| TerminalSize { rows, columns })
}

fn to_guest() -> impl Strategy<Value = ToGuest> {
    let start = (any::<u32>(), process(), prop::option::of(size()), any::<bool>());
    let number = any::<u32>;
    prop_oneof![
        setup().prop_map(|setup| ToGuest::Setup(Box::new(setup))),
        start.prop_map(|(number, process, terminal, stdin)| {
            ToGuest::Start(Box::new(Start { number, process, terminal, stdin }))
        }),
        any::<(u32, u8)>().prop_map(|(process, number)| ToGuest::Signal { process, number }),
        (number(), size()).prop_map(|(process, size)| ToGuest::Resize { process, size }),
        Just(ToGuest::Freeze),
        clock().prop_map(|clock| ToGuest::Thaw { clock }),
        Just(ToGuest::Statistics),
        (number(), byte_string()).prop_map(|(transfer, path)| ToGuest::CopyOut { transfer, path }),
        (number(), byte_string()).prop_map(|(transfer, path)| ToGuest::CopyIn { transfer, path }),
    ]
}

fn to_host() -> impl Strategy<Value = ToHost> {
    let kind = prop_oneof![
        Just(FailureKind::NotFound),
        Just(FailureKind::NotExecutable),
        Just(FailureKind::Other)
    ];
    let status = prop_oneof![
        any::<u8>().prop_map(ExitStatus::Code),
        any::<u8>().prop_map(ExitStatus::Signal)
    ];
    prop_oneof![
        Just(ToHost::Ready),
        any::<(u32, u32)>().prop_map(|(process, pid)| ToHost::Started { process, pid }),
        (any::<u32>(), kind, any::<String>()).prop_map(|(process, kind, message)| {
            ToHost::StartFailed { process, kind, message }
        }),
        (any::<u32>(), status, any::<bool>()).prop_map(|(process, status, out_of_memory)| {
            ToHost::Exited { process, status, out_of_memory }
        }),
        Just(ToHost::Frozen),
        Just(ToHost::Thawed),
        any::<[u64; 6]>().prop_map(|[a, b, c, d, e, f]| {
            ToHost::Statistics(Box::new(Statistics {
                cpu_nanoseconds: a,
                memory_bytes: b,
                memory_limit: c,
                pids: d,
                block_read_bytes: e,
                block_written_bytes: f,
            }))
        }),
        any::<u32>().prop_map(|transfer| ToHost::Copied { transfer }),
        any::<(u32, String)>()
            .prop_map(|(transfer, message)| ToHost::CopyFailed { transfer, message }),
        any::<String>().prop_map(|message| ToHost::Failed { message }),
    ]
}

/// Reads until the frame is there or the stream says something else.
fn read_through(stream: &mut Portions) -> Result<Vec<u8>, FrameError> {
    let mut reader = FrameReader::default();
    loop {
        if let Some(body) = reader.read(stream)? {
            return Ok(body);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Any message comes back as it was, however the stream cuts it, and what follows stays in the stream.
    #[test]
    fn round_trip_over_any_split(
        guest in to_guest(),
        host in to_host(),
        sizes in prop::collection::vec(0usize..9, 0..60),
        rest in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        let mut bytes = encode(&guest).unwrap();
        bytes.extend(encode(&host).unwrap());
        bytes.extend(&rest);
        let mut stream = Portions { bytes: Cursor::new(bytes), sizes: sizes.into_iter() };
        prop_assert_eq!(decode::<ToGuest>(&read_through(&mut stream).unwrap()).unwrap(), guest);
        prop_assert_eq!(decode::<ToHost>(&read_through(&mut stream).unwrap()).unwrap(), host);
        let mut left = Vec::new();
        stream.bytes.read_to_end(&mut left).unwrap();
        prop_assert_eq!(left, rest);
    }

    /// Whatever arrives: a message or an error, never a panic, never a buffer over the limit.
    #[test]
    fn arbitrary_bytes_are_answered(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        length in prop::option::of(0u32..300),
        sizes in prop::collection::vec(0usize..9, 0..60),
    ) {
        let mut input = length.map(|length| length.to_le_bytes().to_vec()).unwrap_or_default();
        input.extend(&bytes);
        let mut stream = Portions { bytes: Cursor::new(input), sizes: sizes.into_iter() };
        let mut reader = FrameReader::default();
        for _ in 0..100 {
            match reader.read(&mut stream) {
                Ok(Some(body)) => {
                    let _ = decode::<ToGuest>(&body);
                    let _ = decode::<ToHost>(&body);
                    let _ = Hello::check(&body);
                }
                Ok(None) => prop_assert!(reader.body.capacity() <= 2 * MAX_FRAME),
                Err(error) => {
                    prop_assert!(!error.to_string().contains('\n'));
                    break;
                }
            }
        }
    }

    /// A message with one byte changed is a message or an error that fits on a line.
    #[test]
    fn a_damaged_message_is_refused_or_read(guest in to_guest(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = encode(&guest).unwrap().split_off(HEADER);
        let at = at.index(body.len());
        body[at] = byte;
        if let Err(error) = decode::<ToGuest>(&body) {
            prop_assert!(!error.to_string().contains(char::is_control));
        }
    }
}

#[test]
fn a_claimed_length_costs_nothing() {
    let mut stream: &[u8] = &[0xff, 0xff, 0xff, 0xff, 1, 2, 3];
    let error = FrameReader::default().read(&mut stream).unwrap_err();
    assert_eq!(error.to_string(), "a frame of 4294967295 bytes; the limit is 1048576");

    let mut reader = FrameReader::default();
    let mut stream =
        Portions { bytes: Cursor::new(vec![0, 0, 16, 0, b'x']), sizes: vec![4, 1, 0].into_iter() };
    assert!(reader.read(&mut stream).unwrap().is_none());
    assert_eq!(reader.body.len(), 1);
    assert!(reader.body.capacity() <= 2 * STEP);
    assert!(matches!(reader.read(&mut stream), Err(FrameError::Truncated(5))));
}

#[test]
fn the_longest_frame_passes_and_one_byte_more_does_not() {
    let text = "x".repeat(MAX_FRAME - 2);
    let frame = encode(&text).unwrap();
    assert_eq!(read_message::<String>(&mut frame.as_slice()).unwrap(), text);
    assert!(
        matches!(encode(&(text + "x")), Err(FrameError::TooLong(length)) if length == MAX_FRAME as u64 + 1)
    );
}

#[test]
fn an_end_between_frames_differs_from_one_inside() {
    assert!(matches!(FrameReader::default().read(&mut [].as_slice()), Err(FrameError::Closed)));
    assert!(matches!(
        FrameReader::default().read(&mut [1, 0].as_slice()),
        Err(FrameError::Truncated(2))
    ));
    assert!(matches!(
        FrameReader::default().read(&mut [9, 0, 0, 0, 7].as_slice()),
        Err(FrameError::Truncated(5))
    ));
}

#[test]
fn an_unknown_field_or_message_is_named() {
    let named = |json: &str, what: &str| {
        let error = decode::<ToGuest>(json.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(what), "{json}: {error}");
    };
    named(r#"{"signal":{"process":0,"number":9,"pid":1}}"#, "pid");
    named(r#"{"signal":{"process":0}}"#, "number");
    named(r#"{"signal":{"process":0,"number":300}}"#, "300");
    named(r#"{"reboot":{}}"#, "reboot");
    named(r#"{"start":{"process":{"args":[],"tty":true}}}"#, "tty");
    named(&format!(r#"{{"{}":1}}"#, "a\\n".repeat(500)), "…");
    named(&"[".repeat(1000), "line 1");
}

#[test]
fn the_wire_form_is_readable() {
    let text = |frame: Vec<u8>| String::from_utf8(frame[HEADER..].to_vec()).unwrap();
    assert_eq!(
        text(encode(&Hello::new(Stream::Control)).unwrap()),
        format!(r#"{{"version":{VERSION},"stream":"control","key":""}}"#)
    );
    assert_eq!(
        text(encode(&ToGuest::Signal { process: 0, number: 15 }).unwrap()),
        r#"{"signal":{"process":0,"number":15}}"#
    );
    assert_eq!(text(encode(&ToHost::Ready).unwrap()), r#""ready""#);
    let exited = ToHost::Exited { process: 0, status: ExitStatus::Code(7), out_of_memory: false };
    assert_eq!(
        text(encode(&exited).unwrap()),
        r#"{"exited":{"process":0,"status":{"code":7},"out_of_memory":false}}"#
    );
    let stdin = Hello::with_key(Stream::Stdin { process: 3 }, "k".into());
    assert_eq!(
        text(encode(&stdin).unwrap()),
        format!(r#"{{"version":{VERSION},"stream":{{"stdin":{{"process":3}}}},"key":"k"}}"#)
    );
}
