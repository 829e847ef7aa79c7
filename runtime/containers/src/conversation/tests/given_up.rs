//! A guest that is given up, and how long it can be.

use rustix::event::poll;

use super::*;

fn is_closed(pipe: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pipe, PollFlags::IN)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).unwrap() > 0
}

fn wait_until_closed(pipe: &OwnedFd) {
    wait(&mut [PollFd::new(pipe, PollFlags::IN)]).unwrap();
}

#[track_caller]
fn assert_given_up(failure: &Failure) {
    let ConversationError::NotReady(why) = &**failure else { panic!("{failure}") };
    assert_eq!((why.as_str(), failure.exit_code()), ("slept", 1));
    assert_eq!(failure.to_string(), "the guest did not get ready: it slept");
}

#[test]
fn a_guest_that_is_not_ready_is_given_up_by_all_who_wait() {
    let run = Run::new(process(&["sh"]));
    let other = run.guest.clone();
    let other = thread::spawn(move || other.statistics().unwrap_err());
    let _control = run.fake_guest().open(Stream::Control);
    assert!(!is_closed(&run.guest.ready().unwrap()));
    run.guest.onlooker().give_up("slept".into());
    wait_until_closed(&run.guest.ready().unwrap());
    assert_given_up(&other.join().unwrap());
    assert_given_up(&run.guest.freeze().unwrap_err());
    assert_given_up(&run.error());
}

#[test]
fn so_is_one_whose_first_process_does_not_start() {
    let run = Run::new(process(&["sh"]));
    let _control = run.fake_guest().control();
    assert!(!is_closed(&run.guest.ready().unwrap()));
    run.guest.onlooker().give_up("slept".into());
    assert_given_up(&run.error());
}

#[test]
fn one_whose_first_process_runs_is_not() {
    let run = Run::new(process(&["sh"]));
    let [mut control, _stdin, stdout, stderr] = run.fake_guest().started();
    wait_until_closed(&run.guest.ready().unwrap());
    run.guest.onlooker().give_up("slept".into());
    let exited = ToHost::Exited { process: 0, status: ExitStatus::Code(3), out_of_memory: false };
    write_message(&mut control, &exited).unwrap();
    drop((stdout, stderr));
    assert_eq!(run.outcome.join().unwrap().unwrap().status, ExitStatus::Code(3));
}

#[test]
fn nor_one_that_is_asked_for_something_else_first() {
    let folder = tempfile::tempdir().unwrap();
    let reception = Reception::open(&folder.path().join("v")).unwrap();
    let (agent_vm, _vm) = pipe();
    let guest = Guest::expect(reception, setting(), Network::default(), agent_vm.as_fd()).unwrap();
    let onlooker = guest.onlooker();
    let fake = FakeGuest::new(folder.path().join("v_1024"));
    let mut control = fake.open(Stream::Control);
    write_message(&mut control, &ToHost::Ready).unwrap();
    let (asker, statistics) = (guest.clone(), protocol::Statistics::default());
    let asked = thread::spawn(move || asker.statistics());
    assert_eq!(read_message::<Hello>(&mut control).unwrap(), Hello::new(Stream::Control));
    assert!(matches!(read_message(&mut control).unwrap(), ToGuest::Setup(_)));
    assert!(matches!(read_message(&mut control).unwrap(), ToGuest::Statistics));
    wait_until_closed(&guest.ready().unwrap());
    onlooker.give_up("slept".into());
    write_message(&mut control, &ToHost::Statistics(Box::new(statistics))).unwrap();
    asked.join().unwrap().unwrap();
    // Who could give it up does not keep it.
    drop(guest);
    assert!(read_message::<ToGuest>(&mut control).is_err());
    onlooker.give_up("slept".into());
}
