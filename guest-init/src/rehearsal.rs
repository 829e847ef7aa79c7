//! A guest without a machine: the conversation's other parts, on this one, for tests of either end.
//!
//! The processes are ordinary ones, with the test's own user, root and rights; only their arguments, their variables and
//! their working directories are taken from Start. A copy is a file's bare content.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use protocol::{ByteString, Clock, ExitStatus, Setup, Start, Statistics};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process_group, pidfd_open, waitpid,
};

use crate::children::exit_status;
use crate::error::{During, StartError};
use crate::link::Connect;
use crate::session::{Child, Guest};
use crate::users::User;
use crate::{command, environment};

/// A host behind a Unix socket, as the VMM shows the host to itself.
pub struct UnixHost(pub PathBuf);

impl Connect for UnixHost {
    fn connect(&self) -> io::Result<File> {
        Ok(File::from(OwnedFd::from(UnixStream::connect(&self.0)?)))
    }
}

/// Runs each process in a process group of its own. There is no terminal, and to be frozen changes nothing for them.
#[derive(Default)]
pub struct ProcessGroups {
    /// What mounting the image fails with, if it is to.
    pub broken_disk: Option<&'static str>,
    groups: Mutex<Vec<Pid>>,
    frozen: AtomicBool,
}

impl ProcessGroups {
    /// A guest whose image can't be mounted.
    pub fn with_broken_disk(why: &'static str) -> Self {
        Self { broken_disk: Some(why), ..Self::default() }
    }

    fn groups(&self) -> MutexGuard<'_, Vec<Pid>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest for ProcessGroups {
    fn mount(&self) -> Result<(), StartError> {
        self.broken_disk.map_or(Ok(()), |why| Err(io::Error::other(why)).during("mount"))
    }

    fn set_up(&self, _setup: &Setup) -> Result<(), StartError> {
        Ok(())
    }

    fn start(&self, start: &Start, pipes: Option<[OwnedFd; 3]>) -> Result<Child, StartError> {
        let process = &start.process;
        let user = User { uid: 0, gid: 0, groups: Vec::new(), home: "/".into() };
        let variables = environment::build(&process.env, &user, &"rehearsal".into());
        let path = environment::get(&variables, b"PATH").unwrap_or_default();
        let file = command::find(&process.args[0], path)?;
        let mut program = Command::new(&file);
        program.args(process.args[1..].iter().map(|argument| argument.as_os_str())).env_clear();
        program.envs(
            variables
                .iter()
                .map(|(name, value)| (OsStr::from_bytes(name), OsStr::from_bytes(value))),
        );
        program.current_dir(process.cwd.as_os_str()).process_group(0);
        let [stdin, stdout, stderr] =
            pipes.ok_or_else(|| io::Error::other("no terminals here")).during("start")?;
        program.stdin(stdin).stdout(stdout).stderr(stderr);
        let child = program.spawn().map_err(|error| command::explain(&file, &error))?;
        let pid = Pid::from_child(&child);
        self.groups().push(pid);
        let handle = pidfd_open(pid, PidfdFlags::empty()).during("open a handle")?;
        let (sender, end) = channel();
        thread::spawn(move || {
            let status = match waitpid(Some(pid), WaitOptions::empty()) {
                Ok(Some((_, status))) => exit_status(status),
                _ => ExitStatus::Signal(9),
            };
            let _ = sender.send(status);
        });
        Ok(Child { pid: child.id(), handle, terminal: None, end })
    }

    fn end_everything(&self) {
        for group in self.groups().drain(..) {
            // What is left of the group; nothing, most often.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    fn ran_out_of_memory(&self) -> bool {
        false
    }

    fn freeze(&self) -> Result<(), StartError> {
        self.frozen.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn thaw(&self, _clock: Clock) -> Result<(), StartError> {
        match self.frozen.swap(false, Ordering::SeqCst) {
            true => Ok(()),
            false => Err(io::Error::other("it never froze")).during("thaw"),
        }
    }

    fn statistics(&self) -> Result<Statistics, StartError> {
        Ok(Statistics { pids: self.groups().len() as u64, ..Statistics::default() })
    }

    fn copy_out(&self, path: &ByteString, mut stream: File) -> Result<(), StartError> {
        let content = fs::read(path.as_os_str()).during("read")?;
        stream.write_all(&content).during("send")
    }

    fn copy_in(&self, path: &ByteString, mut stream: File) -> Result<(), StartError> {
        let mut file = File::create(path.as_os_str()).during("create")?;
        io::copy(&mut stream, &mut file).map(drop).during("receive")
    }
}
