use super::*;

/// A pipe that the processes which other tests start don't inherit: its end would never come.
fn pipe() -> (OwnedFd, OwnedFd) {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap()
}

/// A regular file stands for a port: chunks are written to it and read back.
fn port() -> File {
    tempfile::tempfile().unwrap()
}

fn rewind(mut port: File) -> File {
    io::Seek::rewind(&mut port).unwrap();
    port
}

#[test]
fn output_of_an_ended_command_is_passed_on_though_its_pipe_stays_open() {
    let (source, writer) = pipe();
    let (stopped, stop) = pipe();
    rustix::io::write(&writer, b"last words").unwrap();
    drop(stop);
    let port = port();
    join(output(Some(source), port.try_clone().unwrap(), stopped)).unwrap();
    let mut port = rewind(port);
    assert_eq!(read_chunk(&mut port).unwrap(), b"last words");
    assert_eq!(read_chunk(&mut port).unwrap(), b"");
    drop(writer);
}

#[test]
fn input_that_nobody_reads_is_dropped_when_the_command_ends() {
    let mut port = port();
    for _ in 0..8 {
        write_chunk(&mut port, &[7; MAX_DATA]).unwrap();
    }
    write_chunk(&mut port, &[]).unwrap();
    let (_unread, target) = pipe();
    let (stopped, stop) = pipe();
    let pump = input(rewind(port), Some(target), stopped);
    assert!(!pump.is_finished());
    drop(stop);
    join(pump).unwrap();
}

#[test]
fn input_reaches_the_command_unchanged_and_ends() {
    let mut port = port();
    write_chunk(&mut port, b"\0\xff\n").unwrap();
    write_chunk(&mut port, &[]).unwrap();
    let (read, target) = pipe();
    let (stopped, _stop) = pipe();
    join(input(rewind(port), Some(target), stopped)).unwrap();
    let mut data = Vec::new();
    File::from(read).read_to_end(&mut data).unwrap();
    assert_eq!(data, b"\0\xff\n");
}
