//! A program that is given some text and says some, and may be hostile: what it says is bounded, and its end is waited for
//! by its descriptor, not by the ends of its pipes, which whatever it leaves behind may hold.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use host::child::spawn_bound;
use host::poll;

/// What a program may say on each of stdout and stderr, in bytes: an answer about sixteen networks is a few KiB.
const MAX_OUTPUT: usize = 1 << 20;

/// How a program ended, and what it said.
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Runs it to its end. It dies with the calling thread, and at once when it says too much.
pub fn run(command: &mut Command, input: &[u8]) -> io::Result<Outcome> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn_bound(command, &[], Signal::KILL)?;
    let told = tell(&mut child, input);
    if told.is_err() {
        let _ = child.kill();
    }
    let status = child.wait()?;
    let (stdout, stderr) = told?;
    Ok(Outcome { status, stdout, stderr })
}

fn tell(child: &mut Child, input: &[u8]) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let end = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let mut input =
        Input { pipe: child.stdin.take().map(|pipe| own(&pipe)).transpose()?, rest: input };
    child.stdin.take();
    let mut outputs = [
        Output { pipe: child.stdout.take().map(|pipe| own(&pipe)).transpose()?, text: Vec::new() },
        Output { pipe: child.stderr.take().map(|pipe| own(&pipe)).transpose()?, text: Vec::new() },
    ];
    let mut has_ended = false;
    while !has_ended {
        let mut fds = vec![PollFd::new(&end, PollFlags::IN)];
        fds.extend(
            outputs
                .iter()
                .filter_map(|output| Some(PollFd::new(output.pipe.as_ref()?, PollFlags::IN))),
        );
        fds.extend(input.pipe.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::OUT)));
        poll::wait(&mut fds)?;
        // What it said before its end is read after that.
        has_ended = !fds[0].revents().is_empty();
        drop(fds);
        input.write()?;
        outputs.iter_mut().try_for_each(Output::read)?;
    }
    Ok(outputs.map(|output| output.text).into())
}

/// As a file that never waits.
fn own(pipe: &impl AsFd) -> io::Result<File> {
    let pipe = pipe.as_fd().try_clone_to_owned()?;
    fcntl_setfl(&pipe, fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?;
    Ok(pipe.into())
}

struct Input<'a> {
    pipe: Option<File>,
    rest: &'a [u8],
}

impl Input<'_> {
    fn write(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        match pipe.write(self.rest) {
            Ok(count) => self.rest = &self.rest[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // It does not want to know more.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.rest = &[],
            Err(error) => return Err(error),
        }
        if self.rest.is_empty() {
            self.pipe = None;
        }
        Ok(())
    }
}

struct Output {
    pipe: Option<File>,
    text: Vec<u8>,
}

impl Output {
    /// All that is there now.
    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(count) if self.text.len() + count > MAX_OUTPUT => {
                    return Err(io::Error::other(format!("it says more than {MAX_OUTPUT} bytes")));
                }
                Ok(count) => self.text.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, input: &[u8]) -> io::Result<Outcome> {
        run(Command::new("sh").args(["-c", script]), input)
    }

    #[test]
    fn a_program_is_heard_to_its_end() {
        let outcome = shell("cat; echo e >&2; exit 3", &[b'x'; 300_000]).unwrap();
        assert_eq!(
            (outcome.stdout.len(), outcome.stderr, outcome.status.code()),
            (300_000, b"e\n".to_vec(), Some(3))
        );
        // One that reads nothing.
        assert!(shell("exec <&-; echo a", &[b'x'; 300_000]).unwrap().status.success());
        // One that leaves another behind, with its pipes.
        let outcome = shell("sleep 1000 & echo $!", b"").unwrap();
        let left: i32 = String::from_utf8(outcome.stdout).unwrap().trim().parse().unwrap();
        rustix::process::kill_process(Pid::from_raw(left).unwrap(), Signal::KILL).unwrap();
    }

    #[test]
    fn who_says_too_much_is_ended() {
        for script in ["cat /dev/zero", "cat /dev/zero >&2"] {
            let error = shell(script, b"").err().unwrap().to_string();
            assert!(error.contains("more than 1048576 bytes"), "{error}");
        }
    }
}
