//! A VM that runs while its process is looked at.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use crate::guest::Code;
use crate::proc::child_of;
use crate::process::{Outcome, Vm, finish};

/// A VM that runs, with whatever is to come.
pub struct Running {
    outer: Option<Child>,
    pub inner: u32,
}

impl Drop for Running {
    /// A VM of a test that has failed does not stay.
    fn drop(&mut self) {
        if let Some(outer) = &mut self.outer {
            outer.kill().unwrap();
            outer.wait().unwrap();
        }
    }
}

impl Running {
    /// Starts a VM of this configuration with this much in front of its command line, and waits for its guest's first words.
    pub fn start(more: &str, arguments: &[&str], before: &[&str]) -> (Vm, Running) {
        let vm = Vm::new(&Code::new().print("go").forever().into_kernel());
        let vm = arguments.iter().fold(vm, |vm, argument| vm.argument(argument));
        vm.configure(more);
        let plain = vm.command();
        let mut command = match before {
            [] => plain,
            [program, words @ ..] => {
                let mut command = Command::new(program);
                command.args(words).arg(plain.get_program()).args(plain.get_args());
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("SECRET", "of whoever starts it");
        let running = Running::spawn(&mut command);
        (vm, running)
    }

    pub fn spawn(command: &mut Command) -> Running {
        let mut outer = command.spawn().unwrap();
        let mut said = [0; 2];
        if outer.stdout.as_mut().unwrap().read_exact(&mut said).is_err() {
            panic!("{:?}", finish(outer));
        }
        assert_eq!(said, *b"go");
        let inner = child_of(outer.id()).unwrap();
        Running { outer: Some(outer), inner }
    }

    /// The process that was started.
    pub fn outer(&self) -> u32 {
        self.outer.as_ref().unwrap().id()
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Outcome {
        finish(self.outer.take().unwrap())
    }

    /// Sends a signal.
    pub fn kill(&self, process: u32, signal: i32) {
        // SAFETY: neither has been waited for by whoever started it, so that the numbers are theirs.
        assert_eq!(unsafe { libc::kill(process as i32, signal) }, 0);
    }

    /// Asks it to end, and gives what it said on stderr.
    pub fn end(self) -> String {
        self.kill(self.outer(), libc::SIGTERM);
        let outcome = self.finish();
        assert_eq!(outcome.status, 0, "{outcome:?}");
        outcome.stderr
    }
}
