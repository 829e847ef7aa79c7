//! What the tests of several modules need: a process, and a guest that the test plays.

use std::cell::RefCell;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use protocol::{
    ByteString, Hello, Process, Setting, Stream, ToGuest, ToHost, read_message, write_message,
};

/// A process with these arguments, and nothing special.
pub fn process(args: &[&str]) -> Process {
    Process {
        args: args.iter().map(|&arg| arg.into()).collect(),
        env: vec![],
        cwd: "/".into(),
        user: "".into(),
        capabilities: 0,
        limits: vec![],
        no_new_privileges: false,
        seccomp: false,
    }
}

/// A container with 128 MiB.
pub fn setting() -> Setting {
    Setting { hostname: "test".into(), read_only: false, tmpfs: vec![], memory: 1 << 27 }
}

/// Takes whatever is written.
pub fn null() -> OwnedFd {
    File::options().write(true).open("/dev/null").unwrap().into()
}

/// Says what the test wants it to.
pub struct FakeGuest {
    /// Where it is expected to call.
    pub socket: PathBuf,
    /// What Setup has said.
    key: RefCell<ByteString>,
}

impl FakeGuest {
    /// One that has not called yet.
    pub fn new(socket: PathBuf) -> Self {
        Self { socket, key: RefCell::default() }
    }

    /// A call for this stream.
    pub fn open(&self, stream: Stream) -> UnixStream {
        let mut connection = UnixStream::connect(&self.socket).unwrap();
        write_message(&mut connection, &self.hello(stream)).unwrap();
        connection
    }

    /// What it says on a call.
    pub fn hello(&self, stream: Stream) -> Hello {
        Hello::with_key(stream, self.key.borrow().clone())
    }

    /// Up to Start.
    pub fn control(&self) -> UnixStream {
        let mut control = self.open(Stream::Control);
        write_message(&mut control, &ToHost::Ready).unwrap();
        assert_eq!(read_message::<Hello>(&mut control).unwrap(), Hello::new(Stream::Control));
        let ToGuest::Setup(setup) = read_message(&mut control).unwrap() else { panic!("no Setup") };
        self.key.replace(setup.key);
        assert!(matches!(read_message(&mut control).unwrap(), ToGuest::Start(_)));
        control
    }

    /// Up to Started: control, stdin, stdout, stderr.
    pub fn started(&self) -> [UnixStream; 4] {
        let mut control = self.control();
        let process = 0;
        let streams =
            [Stream::Stdin { process }, Stream::Stdout { process }, Stream::Stderr { process }];
        let [stdin, stdout, stderr] = streams.map(|stream| self.open(stream));
        write_message(&mut control, &ToHost::Started { process, pid: 7 }).unwrap();
        [control, stdin, stdout, stderr]
    }
}
