//! A host that has no descriptors left.

use std::process::Command;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};

use super::*;

/// Set in the process that has few of them: the limit is a whole process's.
const INSIDE: &str = "BULKHEAD_TEST_OF_SHORTAGE";
const NAME: &str = "conversation::tests::shortage::a_process_that_lacks_descriptors_harms_no_other";

/// Opens files until no more can be, and then closes so many.
fn all_but(free: usize) -> Vec<File> {
    let mut held: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    held.truncate(held.len() - free);
    held
}

#[test]
fn a_process_that_lacks_descriptors_harms_no_other() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 256 && exec \"$0\" --exact \"$1\""]).env(INSIDE, "");
    let output = command.arg(std::env::current_exe().unwrap()).arg(NAME).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn inside() {
    let run = Run::new(process(&["sh"]));
    let fake = run.fake_guest();
    let [mut control, _stdin, stdout, mut stderr] = fake.started();
    // The first process has all its descriptors, or its lack of one would be the end of everything.
    stderr.write_all(b"!").unwrap();
    (&run.ends.stderr).read_exact(&mut [0]).unwrap();
    let start = || {
        let (guest, stdio) =
            (run.guest.clone(), Stdio { stdin: None, stdout: null(), stderr: null() });
        thread::spawn(move || guest.start(process(&["true"]), None, stdio))
    };
    let open = |process| {
        let streams = [Stream::Stdout { process }, Stream::Stderr { process }];
        streams.map(|stream| fake.open(stream))
    };

    let exec = start();
    assert!(matches!(read_message(&mut control).unwrap(), ToGuest::Start(_)));
    // For both ends of two streams, and none for the pipes of the threads that copy them.
    let held = all_but(5);
    let streams = open(1);
    write_message(&mut control, &ToHost::Started { process: 1, pid: 8 }).unwrap();
    let failure = exec.join().unwrap().unwrap_err();
    let ConversationError::Io(error) = &*failure else { panic!("{failure}") };
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    let killed: ToGuest = read_message(&mut control).unwrap();
    assert_eq!(killed, ToGuest::Signal { process: 1, number: 9 });
    let status_of_it = ExitStatus::Signal(9);
    let its_exit = ToHost::Exited { process: 1, status: status_of_it, out_of_memory: false };
    write_message(&mut control, &its_exit).unwrap();
    drop((held, streams));

    let exec = start();
    assert!(matches!(read_message(&mut control).unwrap(), ToGuest::Start(_)));
    // The guest's ends are there already: its calls are not answered yet, and nobody minds.
    let mut ends = [(); 2]
        .map(|()| File::from(socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap()));
    let held = all_but(0);
    let kinds = [Stream::Stdout { process: 2 }, Stream::Stderr { process: 2 }];
    let address = SocketAddrUnix::new(&fake.socket).unwrap();
    for (end, kind) in ends.iter_mut().zip(kinds) {
        connect(&*end, &address).unwrap();
        write_message(end, &fake.hello(kind)).unwrap();
    }
    write_message(&mut control, &ToHost::Started { process: 2, pid: 9 }).unwrap();
    let guest = run.guest.clone();
    let question = thread::spawn(move || guest.statistics());
    assert_eq!(read_message::<ToGuest>(&mut control).unwrap(), ToGuest::Statistics);
    write_message(&mut control, &ToHost::Failed { message: "no cgroup".into() }).unwrap();
    assert_eq!(question.join().unwrap().unwrap_err().to_string(), "no cgroup");
    drop(held);
    assert_eq!(exec.join().unwrap().unwrap().number, 2);

    write_message(&mut control, &exited(ExitStatus::Code(3))).unwrap();
    drop((stdout, stderr));
    assert_eq!(status(run.outcome), ExitStatus::Code(3));
}
