//! Both real halves, around an ordinary shell.

use super::*;

#[test]
fn both_real_halves_run_a_shell() {
    let (mut run, guest) = Run::with_guest("cat; echo err >&2; exit 7");
    let socket = run.socket.clone();
    run.ends.stdin.write_all(b"through\n").unwrap();
    drop(run.ends.stdin);
    assert_eq!(all(&mut run.ends.stdout), "through\n");
    assert_eq!(all(&mut run.ends.stderr), "err\n");
    assert_eq!(status(run.outcome), ExitStatus::Code(7));
    guest.join().unwrap();
    assert!(!socket.exists());
}

#[test]
fn a_process_that_leaves_its_input_alone_ends_the_run() {
    let (run, guest) = Run::with_guest("exit 3");
    // stdin stays open, and silent.
    assert_eq!(status(run.outcome), ExitStatus::Code(3));
    guest.join().unwrap();
}

#[test]
fn much_output_to_a_slow_reader_arrives_whole() {
    const LENGTH: usize = 64 << 20;
    let (mut run, guest) = Run::with_guest(&format!("yes 0123456 | head -c {LENGTH}"));
    let mut buffer = vec![0; 1 << 16];
    let (mut total, mut place) = (0, 0);
    thread::sleep(Duration::from_millis(100));
    loop {
        let count = run.ends.stdout.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        for &byte in &buffer[..count] {
            assert_eq!(byte, b"0123456\n"[place]);
            place = (place + 1) % 8;
        }
        total += count;
    }
    assert_eq!(total, LENGTH);
    assert_eq!(status(run.outcome), ExitStatus::Code(0));
    guest.join().unwrap();
}

#[test]
fn a_reader_that_leaves_breaks_the_process_s_pipe() {
    let (run, guest) = Run::with_guest("exec yes");
    drop(run.ends.stdout);
    assert_eq!(status(run.outcome), ExitStatus::Signal(libc::SIGPIPE as u8));
    guest.join().unwrap();
}

#[test]
fn signals_are_passed_on() {
    let (mut run, guest) =
        Run::with_guest("trap 'echo usr1' USR1; echo; while :; do sleep 0.02; done");
    let mut line = [0];
    run.ends.stdout.read_exact(&mut line).unwrap();
    // Not SIGHUP: a shell under nohup can't trap that.
    run.guest.signal(0, libc::SIGUSR1 as u8);
    let mut line = [0; 5];
    run.ends.stdout.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"usr1\n");
    run.guest.signal(0, libc::SIGTERM as u8);
    assert_eq!(status(run.outcome).exit_code(), 143);
    guest.join().unwrap();
}

#[test]
fn what_can_t_be_started_has_its_own_status() {
    let run = Run::new(process(&["no-such-command"]));
    let socket = run.socket.clone();
    let guest = thread::spawn(move || {
        guest_init::session::run(&UnixHost(socket), &ProcessGroups::default()).unwrap();
    });
    let error = run.error();
    assert_eq!(error.exit_code(), 127);
    assert!(error.to_string().starts_with("no-such-command: not found in PATH"), "{error}");
    guest.join().unwrap();
}

#[test]
fn a_malformed_request_is_refused_and_harms_nothing_else() {
    let (mut run, guest) = Run::with_guest("read line; exit 4");
    let refused = |args: &[&str]| {
        let failure = run.guest.start(process(args), None, stdio().0).unwrap_err();
        in_one_line(&failure)
    };
    assert!(refused(&[]).contains("args: empty"));
    assert!(refused(&[&"x".repeat(1 << 20)]).contains("the limit is 1048576"));
    run.ends.stdin.write_all(b"\n").unwrap();
    assert_eq!(status(run.outcome), ExitStatus::Code(4));
    guest.join().unwrap();

    let error = in_one_line(&Reception::open(Path::new("/no/such/folder/v")).unwrap_err());
    assert!(
        error.starts_with("/no/such/folder/v_1024: cannot listen there: No such file"),
        "{error}"
    );
}

#[test]
fn a_second_process_runs_beside_the_first() {
    let (mut run, guest) = Run::with_guest("echo; read line; exit 4");
    // It is the first only once it was asked for.
    run.ends.stdout.read_exact(&mut [0]).unwrap();
    let (second, mut ends) = stdio();
    let second = run.guest.start(process(&["sh", "-c", "cat; exit 3"]), None, second).unwrap();
    assert_eq!(second.number, 1);
    ends.stdin.write_all(b"second").unwrap();
    drop(ends.stdin);
    assert_eq!(all(&mut ends.stdout), "second");
    assert_eq!(all(&mut ends.stderr), "");
    assert_eq!(second.wait().unwrap().status, ExitStatus::Code(3));
    let failure = run.guest.start(process(&["no-such-command"]), None, stdio().0).unwrap_err();
    assert_eq!(failure.exit_code(), 127);
    // Without input of its own it finds an end of file.
    let (mut third, mut ends) = stdio();
    third.stdin = None;
    let third = run.guest.start(process(&["cat"]), None, third).unwrap();
    assert_eq!(all(&mut ends.stdout), "");
    assert_eq!(third.wait().unwrap().status, ExitStatus::Code(0));

    run.ends.stdin.write_all(b"\n").unwrap();
    assert_eq!(status(run.outcome), ExitStatus::Code(4));
    guest.join().unwrap();
}

#[test]
fn questions_and_copies_are_answered() {
    let (mut run, guest) = Run::with_guest("echo; read line; exit 4");
    run.ends.stdout.read_exact(&mut [0]).unwrap();
    assert_eq!(run.guest.thaw().unwrap_err().to_string(), "thaw: it never froze");
    run.guest.freeze().unwrap();
    run.guest.thaw().unwrap();
    assert_eq!(run.guest.statistics().unwrap().pids, 1);

    let file = run._folder.path().join("file");
    let (archive, mut content) = agent_reads();
    content.write_all(b"content").unwrap();
    drop(content);
    let path = || file.clone().into_os_string().into();
    run.guest.copy_in(path(), archive).unwrap();
    let (archive, mut content) = agent_writes();
    run.guest.copy_out(path(), archive).unwrap();
    assert_eq!(all(&mut content), "content");
    let (archive, mut content) = agent_writes();
    let failure = run.guest.copy_out("/no/such/file".into(), archive).unwrap_err();
    assert!(failure.to_string().starts_with("read: No such file"), "{failure}");
    assert_eq!(all(&mut content), "");

    run.ends.stdin.write_all(b"\n").unwrap();
    let guest_handle = run.guest.clone();
    assert_eq!(status(run.outcome), ExitStatus::Code(4));
    guest.join().unwrap();
    assert!(matches!(*guest_handle.statistics().unwrap_err(), ConversationError::Over));
}
