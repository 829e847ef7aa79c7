//! Guests that let people wait, and people who don't.

use super::*;
use crate::limits;

/// Asks through a socket, whose other end is the second.
fn asker(guest: &Guest) -> (Guest, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (guest.asked_by(ours.into()), theirs)
}

#[track_caller]
fn assert_left<T: std::fmt::Debug>(result: Result<T, Failure>) {
    let failure = result.unwrap_err();
    assert!(matches!(*failure, ConversationError::AskerLeft), "{failure}");
}

#[test]
fn who_leaves_does_not_wait_for_an_answer() {
    let run = Run::new(process(&["sh"]));
    let fake = run.fake_guest();
    let [mut control, _stdin, stdout, stderr] = fake.started();

    let (guest, client) = asker(&run.guest);
    let copy = thread::spawn(move || guest.copy_out("/file".into(), null()));
    assert!(matches!(read_message(&mut control).unwrap(), ToGuest::CopyOut { .. }));
    drop(client);
    assert_left(copy.join().unwrap());

    let (guest, client) = asker(&run.guest);
    let stdio = Stdio { stdin: None, stdout: null(), stderr: null() };
    let exec = thread::spawn(move || guest.start(process(&["true"]), None, stdio));
    assert!(matches!(read_message(&mut control).unwrap(), ToGuest::Start(_)));
    let _streams = [Stream::Stdout { process: 1 }, Stream::Stderr { process: 1 }]
        .map(|stream| fake.open(stream));
    write_message(&mut control, &ToHost::Started { process: 1, pid: 8 }).unwrap();
    let running = exec.join().unwrap().unwrap();
    drop(client);
    assert_left(running.wait());

    // And the conversation goes on, for those who stay too.
    let (guest, _client) = asker(&run.guest);
    let question = thread::spawn(move || guest.statistics());
    assert_eq!(read_message::<ToGuest>(&mut control).unwrap(), ToGuest::Statistics);
    write_message(&mut control, &ToHost::Failed { message: "no cgroup".into() }).unwrap();
    assert_eq!(question.join().unwrap().unwrap_err().to_string(), "no cgroup");
    write_message(&mut control, &exited(ExitStatus::Code(3))).unwrap();
    drop((stdout, stderr));
    assert_eq!(status(run.outcome), ExitStatus::Code(3));
}

#[test]
fn a_failure_that_is_heard_before_the_calls_for_it_ends_nothing_else() {
    let run = Run::new(process(&["sh"]));
    let fake = run.fake_guest();
    let [mut control, _stdin, stdout, stderr] = fake.started();

    let guest = run.guest.clone();
    let stdio = Stdio { stdin: None, stdout: null(), stderr: null() };
    let exec = thread::spawn(move || guest.start(process(&["nonesuch"]), None, stdio));
    assert!(matches!(read_message(&mut control).unwrap(), ToGuest::Start(_)));
    let (kind, message) = (FailureKind::NotFound, "nonesuch: not found".into());
    write_message(&mut control, &ToHost::StartFailed { process: 1, kind, message }).unwrap();
    assert_eq!(exec.join().unwrap().unwrap_err().to_string(), "nonesuch: not found");

    let guest = run.guest.clone();
    let copy = thread::spawn(move || guest.copy_out("/nonesuch".into(), null()));
    let ToGuest::CopyOut { transfer, .. } = read_message(&mut control).unwrap() else { panic!() };
    let message = "read: no such file".into();
    write_message(&mut control, &ToHost::CopyFailed { transfer, message }).unwrap();
    assert_eq!(copy.join().unwrap().unwrap_err().to_string(), "read: no such file");

    let late = [
        Stream::Stdout { process: 1 },
        Stream::Stderr { process: 1 },
        Stream::Transfer { transfer },
    ];
    for stream in late {
        assert_eq!(fake.open(stream).read(&mut [0]).unwrap(), 0, "{stream:?} was taken");
    }
    write_message(&mut control, &exited(ExitStatus::Code(3))).unwrap();
    drop((stdout, stderr));
    assert_eq!(status(run.outcome), ExitStatus::Code(3));
}

#[test]
fn an_end_without_an_answer_reaches_who_stays() {
    let run = Run::new(process(&["sh"]));
    let [mut control, ..] = run.fake_guest().started();
    let (guest, _client) = asker(&run.guest);
    let question = thread::spawn(move || guest.statistics());
    assert_eq!(read_message::<ToGuest>(&mut control).unwrap(), ToGuest::Statistics);
    drop(control);
    let failure = question.join().unwrap().unwrap_err();
    assert!(matches!(*failure, ConversationError::GuestLeft), "{failure}");
}

#[test]
fn what_is_never_answered_does_not_pile_up() {
    let run = Run::new(process(&["sh"]));
    let _control = run.fake_guest().started();
    let (guest, client) = asker(&run.guest);
    drop(client);
    for _ in 0..limits::COPIES {
        assert_left(guest.copy_out("/file".into(), null()));
    }
    let failure = run.guest.copy_out("/file".into(), null()).unwrap_err();
    assert!(matches!(*failure, ConversationError::Silent(limits::COPIES)), "{failure}");
    for _ in 0..limits::QUESTIONS {
        assert_left(guest.statistics());
    }
    let failure = run.guest.statistics().unwrap_err();
    assert!(matches!(*failure, ConversationError::Silent(limits::QUESTIONS)), "{failure}");
}

#[test]
fn a_copy_is_done_once() {
    let run = Run::new(process(&["sh"]));
    let [mut control, ..] = run.fake_guest().started();
    let guest = run.guest.clone();
    let copy = thread::spawn(move || guest.copy_out("/file".into(), null()));
    assert!(matches!(read_message(&mut control).unwrap(), ToGuest::CopyOut { .. }));
    for _ in 0..2 {
        // Its stream is still to come.
        write_message(&mut control, &ToHost::Copied { transfer: 0 }).unwrap();
    }
    let error = in_one_line(&run.error());
    assert!(error.contains("\"copied\" when it was not its turn"), "{error}");
    assert!(copy.join().unwrap().is_err());
}

#[test]
fn more_messages_than_one_turn_hears_are_all_heard() {
    const QUESTIONS: usize = 3 * limits::MESSAGES + 1;
    let run = Run::new(process(&["sh"]));
    let [mut control, _stdin, stdout, stderr] = run.fake_guest().started();
    let askers: Vec<_> = (0..QUESTIONS)
        .map(|_| {
            let guest = run.guest.clone();
            thread::spawn(move || guest.statistics())
        })
        .collect();
    for _ in 0..QUESTIONS {
        assert_eq!(read_message::<ToGuest>(&mut control).unwrap(), ToGuest::Statistics);
    }
    let refusal = protocol::encode(&ToHost::Failed { message: "no".into() }).unwrap();
    let end = protocol::encode(&exited(ExitStatus::Code(3))).unwrap();
    control.write_all(&[refusal.repeat(QUESTIONS), end].concat()).unwrap();
    drop((stdout, stderr));
    for asker in askers {
        assert_eq!(asker.join().unwrap().unwrap_err().to_string(), "no");
    }
    assert_eq!(status(run.outcome), ExitStatus::Code(3));
}
