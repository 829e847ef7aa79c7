//! Requests about a container that runs: each is answered, and of one that can't be carried out nothing else fails.

use super::*;

fn thaw() -> ToGuest {
    ToGuest::Thaw { clock: Clock { unix_seconds: 0, nanoseconds: 0 } }
}

#[test]
fn questions_and_copies_are_answered_each_by_its_number() {
    let host = Host::new(ProcessGroups::default());
    let mut control = host.set_up();
    let _first = host.start(&mut control, 0, "exec sleep 1000");
    let mut ask = |message: ToGuest| {
        write_message(&mut control, &message).unwrap();
        read_message::<ToHost>(&mut control).unwrap()
    };
    assert_eq!(ask(thaw()), ToHost::Failed { message: "thaw: it never froze".into() });
    let statistics = Statistics { pids: 1, ..Statistics::default() };
    assert_eq!(ask(ToGuest::Statistics), ToHost::Statistics(Box::new(statistics)));

    let path = host.folder.path().join("file");
    let path: ByteString = path.into_os_string().into();
    let copy_in = ToGuest::CopyIn { transfer: 4, path: path.clone() };
    write_message(&mut control, &copy_in).unwrap();
    let mut stream = host.expect(Stream::Transfer { transfer: 4 });
    stream.write_all(b"content").unwrap();
    drop(stream);
    assert_eq!(read_message::<ToHost>(&mut control).unwrap(), ToHost::Copied { transfer: 4 });
    write_message(&mut control, &ToGuest::CopyOut { transfer: 5, path }).unwrap();
    let mut stream = host.expect(Stream::Transfer { transfer: 5 });
    assert_eq!(all(&mut stream), "content");
    drop(stream);
    assert_eq!(read_message::<ToHost>(&mut control).unwrap(), ToHost::Copied { transfer: 5 });
    let missing = ToGuest::CopyOut { transfer: 6, path: "/no/such/file".into() };
    write_message(&mut control, &missing).unwrap();
    drop(host.expect(Stream::Transfer { transfer: 6 }));
    assert!(matches!(read_message(&mut control).unwrap(), ToHost::CopyFailed { transfer: 6, .. }));
}

#[test]
fn real_time_signals_arrive_and_numbers_of_none_are_passed_over() {
    let host = Host::new(ProcessGroups::default());
    let mut streams = host.first("echo ready; exec sleep 1000");
    let mut line = [0; 6];
    streams.stdout.read_exact(&mut line).unwrap();
    // 65 is the first that there is not; a process that there is not minds none.
    for (process, number) in [(0, 65), (0, 255), (7, 37), (0, 37)] {
        write_message(&mut streams.control, &ToGuest::Signal { process, number }).unwrap();
    }
    assert_eq!(streams.exit_status(), ExitStatus::Signal(37));
}

#[test]
fn while_it_is_frozen_nothing_is_begun_and_thawing_is_answered() {
    let host = Host::new(ProcessGroups::default());
    let mut control = host.set_up();
    let _first = host.start(&mut control, 0, "exec sleep 1000");
    write_message(&mut control, &ToGuest::Freeze).unwrap();
    // As an exec and copies do that the host sent off while it did not know.
    send_start(&mut control, 1, &["true"]);
    write_message(&mut control, &ToGuest::CopyOut { transfer: 2, path: "/".into() }).unwrap();
    write_message(&mut control, &ToGuest::CopyIn { transfer: 3, path: "/".into() }).unwrap();
    write_message(&mut control, &thaw()).unwrap();
    let mut answers = || read_message::<ToHost>(&mut control).unwrap();
    assert_eq!(answers(), ToHost::Frozen);
    let (kind, message) = (FailureKind::Other, String::from("the container is paused"));
    let failed = ToHost::StartFailed { process: 1, kind, message: message.clone() };
    assert_eq!(answers(), failed);
    assert_eq!(answers(), ToHost::CopyFailed { transfer: 2, message: message.clone() });
    assert_eq!(answers(), ToHost::CopyFailed { transfer: 3, message });
    assert_eq!(answers(), ToHost::Thawed);
    drop(host.start(&mut control, 4, "exec true"));
}
