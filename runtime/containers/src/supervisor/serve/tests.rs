//! Clients of a container whose guest says nothing.

use std::fs::File;
use std::os::fd::AsFd;

use protocol::{ToGuest, ToHost};

use super::super::descriptors::raise_limit;
use super::super::lifecycle::testing::Container;
use super::*;
use crate::testing::process;

const TERM: u8 = 15;

/// A container with its server.
struct Place {
    container: Container,
    address: String,
    null: File,
}

impl Place {
    fn new() -> Self {
        raise_limit();
        let container = Container::new();
        let (listener, address) = socket::listen().unwrap();
        Server::start(listener, Arc::clone(&container.lifecycle), TERM).unwrap();
        let null = File::options().write(true).open("/dev/null").unwrap();
        Self { container, address, null }
    }

    /// A client that has said this.
    fn ask(&self, request: &Request) -> Connection {
        let connection = Connection::new(socket::connect(&self.address).unwrap(), MAX_DESCRIPTORS);
        let with = [self.null.as_fd(), self.null.as_fd()];
        let exec = matches!(request, Request::Exec { .. });
        connection.send(request, if exec { &with } else { &[] }).unwrap();
        connection
    }

    /// One whose process the guest was told to start, and does not.
    fn exec(&mut self) -> Connection {
        let process = Box::new(process(&["true"]));
        let client = self.ask(&Request::Exec { process, terminal: None, stdin: false });
        assert!(matches!(self.container.receive(), ToGuest::Start(_)));
        client
    }

    fn stop(mut self) {
        let mut stop = self.ask(&Request::Stop { signal: TERM, timeout: 1000 });
        assert_eq!(self.container.receive(), ToGuest::Signal { process: 0, number: TERM });
        self.container.lifecycle.leaving();
        self.container.lifecycle.over(0);
        assert!(matches!(stop.receive().unwrap(), Reply::Done));
    }
}

/// Why a client was refused.
fn refusal(mut client: Connection) -> String {
    match client.receive().unwrap() {
        Reply::Failed { message, .. } => message,
        other => panic!("{other:?}"),
    }
}

const CROWDED: &str = "200 clients are served already";

#[test]
fn all_clients_that_a_silent_guest_keeps_waiting_do_not_keep_stop_from_it() {
    let mut place = Place::new();
    let waiting: Vec<_> = (0..limits::CLIENTS).map(|_| place.exec()).collect();
    for request in [Request::Statistics, Request::Wait, Request::Unpause] {
        let message = refusal(place.ask(&request));
        assert!(message.starts_with(CROWDED), "{message}");
    }
    place.stop();
    drop(waiting);
}

#[test]
fn not_even_the_last_places_leave_anybody_without_an_answer() {
    let mut place = Place::new();
    let waiting: Vec<_> = (0..limits::CLIENTS).map(|_| place.exec()).collect();
    let stop = Request::Stop { signal: TERM, timeout: 1000 };
    let stopping: Vec<_> = (0..limits::LAST_CLIENTS)
        .map(|_| {
            let client = place.ask(&stop);
            assert!(matches!(place.container.receive(), ToGuest::Signal { .. }));
            client
        })
        .collect();
    // It may have been refused before it has said what it wants.
    let one_more = Connection::new(socket::connect(&place.address).unwrap(), MAX_DESCRIPTORS);
    let message = refusal(one_more);
    assert!(message.starts_with("220 clients"), "{message}");
    place.container.lifecycle.leaving();
    place.container.lifecycle.over(0);
    for mut client in stopping {
        assert!(matches!(client.receive().unwrap(), Reply::Done));
    }
    drop(waiting);
}

#[test]
fn who_leaves_gives_his_place_back() {
    let mut place = Place::new();
    let clients: Vec<_> = (0..limits::CLIENTS)
        .map(|number| if number % 2 == 0 { place.exec() } else { place.ask(&Request::Wait) })
        .collect();
    drop(clients);
    let deadline = Instant::now() + Duration::from_secs(60);
    // Nobody sends this by itself, so it is refused in any place but the last.
    let resize = || Request::Resize(protocol::TerminalSize { rows: 1, columns: 1 });
    while refusal(place.ask(&resize())).starts_with(CROWDED) {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(1));
    }
    let mut client = place.ask(&Request::Statistics);
    assert_eq!(place.container.receive(), ToGuest::Statistics);
    place.container.send(&ToHost::Statistics(Box::default()));
    assert!(matches!(client.receive().unwrap(), Reply::Statistics { .. }));
    place.stop();
}
