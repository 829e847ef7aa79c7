//! Guests that leave, say what they should not, or say nothing.

use super::*;

#[test]
fn the_end_of_the_vm_or_a_signal_ends_the_wait() {
    let run = Run::new(process(&["sh"]));
    drop(run.vm);
    assert!(matches!(*run.outcome.join().unwrap().unwrap_err(), ConversationError::VmEnded));

    let run = Run::new(process(&["sh"]));
    run.guest.signal(0, 2);
    assert_eq!(run.error().exit_code(), 130);
}

#[test]
fn the_guest_may_leave_at_any_step() {
    for step in 0..4 {
        let mut run = Run::new(process(&["sh"]));
        let guest = run.fake_guest();
        match step {
            0 => drop(UnixStream::connect(&run.socket).unwrap()),
            1 => drop(guest.open(Stream::Control)),
            2 => drop(guest.control()),
            _ => {
                let [control, stdin, mut stdout, stderr] = guest.started();
                stdout.write_all(b"last words").unwrap();
                drop((control, stdin, stdout, stderr));
                assert_eq!(all(&mut run.ends.stdout), "last words");
            }
        }
        let error = run.error();
        assert!(matches!(*error, ConversationError::GuestLeft), "step {step}: {error}");
    }
}

/// Connects as the guest would, sends these bytes, and returns the conversation's error.
fn complaint(connections: &[&[u8]]) -> String {
    let run = Run::new(process(&["sh"]));
    let open: Vec<_> = connections
        .iter()
        .map(|bytes| {
            let mut connection = UnixStream::connect(&run.socket).unwrap();
            connection.write_all(bytes).unwrap();
            connection
        })
        .collect();
    let error = in_one_line(&run.error());
    drop(open);
    error
}

fn frame(json: &str) -> Vec<u8> {
    [&(json.len() as u32).to_le_bytes(), json.as_bytes()].concat()
}

#[test]
fn what_can_t_be_parsed_is_refused_by_name() {
    let hello =
        |stream: &str| frame(&format!(r#"{{"version":{VERSION},"stream":{stream},"key":""}}"#));
    let control = |json: &str| complaint(&[&[hello(r#""control""#), frame(json)].concat()]);
    let version = complaint(&[&frame(r#"{"version":1,"stream":"control"}"#)]);
    let own = format!("version {VERSION}:");
    assert!(version.contains("version 1 ") && version.contains(&own), "{version}");
    assert!(complaint(&[&[0xff; 4]]).contains("the limit is"));
    assert!(complaint(&[&hello(r#""display""#)]).contains("display"));
    let unasked = complaint(&[&hello(r#"{"stdout":{"process":9}}"#)]);
    assert!(unasked.contains("Stdout { process: 9 }, which nobody asked for"), "{unasked}");
    let twice = complaint(&[&hello(r#""control""#), &hello(r#""control""#)]);
    assert!(twice.contains("Control, which nobody asked for"), "{twice}");
    assert!(complaint(&[&b""[..]; 17]).contains("without a word"));
    let started = control(r#"{"started":{"process":0,"pid":1}}"#);
    assert!(started.contains("\"started\" when it was not its turn"), "{started}");
    for turn in ["frozen", "thawed"] {
        assert!(control(&format!("{turn:?}")).contains(turn));
    }
    let exited = |code: u32| {
        let status = format!(r#""status":{{"code":{code}}},"out_of_memory":false"#);
        control(&format!(r#"{{"exited":{{"process":0,{status}}}}}"#))
    };
    assert!(exited(0).contains("\"exited\""));
    assert!(exited(256).contains("256"));
    assert!(control(r#"{"copied":{"transfer":1}}"#).contains("\"copied\""));
    assert!(control(r#"{"crashed":{}}"#).contains("crashed"));
    let words =
        control(r#"{"start-failed":{"process":0,"kind":"other","message":"a\u001b[2J\nb"}}"#);
    assert_eq!(words, "a\\u{1b}[2J\\nb");
}

/// The container's own: they can call, where no filter of system calls sees it.
#[test]
fn processes_that_call_in_guest_init_s_name_are_not_heard() {
    let mut run = Run::new(process(&["sh"]));
    let guest = run.fake_guest();
    let mut control = guest.control();
    let call = |bytes: &[u8]| {
        let mut connection = UnixStream::connect(&run.socket).unwrap();
        connection.write_all(bytes).unwrap();
        connection
    };
    let silent: Vec<_> = (0..40).map(|_| call(b"")).collect();
    let hello = |stream: Stream, key: &str| encode(&Hello::with_key(stream, key.into())).unwrap();
    let stdin = Stream::Stdin { process: 0 };
    for bytes in [
        hello(stdin, ""),
        hello(stdin, "a guess"),
        hello(Stream::Control, ""),
        hello(Stream::Transfer { transfer: 1 }, "a guess"),
        frame(r#"{"version":1,"stream":"control"}"#),
        vec![0xff; 4],
    ] {
        // Closed, with or without what it has not read.
        let _ = call(&bytes).read(&mut [0]).inspect(|&count| assert_eq!(count, 0));
    }
    drop(call(b"half a frame"));

    let process = 0;
    let [mut stdin, mut stdout, stderr] =
        [stdin, Stream::Stdout { process }, Stream::Stderr { process }]
            .map(|stream| guest.open(stream));
    write_message(&mut control, &ToHost::Started { process, pid: 7 }).unwrap();
    run.ends.stdin.write_all(b"for its eyes only").unwrap();
    let mut heard = [0; 17];
    stdin.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"for its eyes only");
    stdout.write_all(b"heard").unwrap();
    write_message(&mut control, &exited(ExitStatus::Code(5))).unwrap();
    drop((stdout, stderr, silent));
    assert_eq!(all(&mut run.ends.stdout), "heard");
    assert_eq!(status(run.outcome), ExitStatus::Code(5));
}

#[test]
fn a_guest_that_reads_nothing_hangs_nobody() {
    let run = Run::new(process(&["sh", "-c", &"x".repeat(1_000_000)]));
    let mut control = run.fake_guest().open(Stream::Control);
    write_message(&mut control, &ToHost::Ready).unwrap();
    thread::sleep(Duration::from_millis(50));
    let before = Instant::now();
    run.guest.signal(0, 15);
    assert_eq!(run.error().exit_code(), 143);
    assert!(before.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_exit_with_output_that_never_ends_is_interruptible() {
    let run = Run::new(process(&["sh"]));
    let [mut control, _stdin, stdout, stderr] = run.fake_guest().started();
    write_message(&mut control, &exited(ExitStatus::Code(0))).unwrap();
    drop(stderr);
    thread::sleep(Duration::from_millis(50));
    assert!(!run.outcome.is_finished(), "stdout is still open");
    run.guest.signal(0, 2);
    assert_eq!(run.error().exit_code(), 130);
    drop(stdout);
}
