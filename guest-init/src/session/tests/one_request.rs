//! A request that can't be carried out is the only thing that fails.

use super::*;

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
