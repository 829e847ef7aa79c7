//! The jail: what a VMM that was taken over by its guest can still do to its host.
//!
//! ```text
//! bulkhead-vmm, the outer process             named bulkhead-jailer: opens, waits, passes signals on, cleans up
//!   └─ bulkhead-vmm, the inner one            the VM; PID 1 of its own namespaces, ends with the outer one
//! ```
//!
//! The outer process has one thread and no guest's byte ever comes to it. It opens what has to be opened as whoever started
//! it ([`Opened`](crate::machine::Opened)), makes the inner one ([`divide`]), and keeps nothing but what it needs to wait
//! ([`Outside::wait`]). The inner one makes the machine, and then locks itself in: the order stands in [`BEFORE`] and
//! [`LOCKS`], and nowhere else. A step that fails ends it before the guest's first instruction.
//!
//! | step | without root | as root |
//! |---|---|---|
//! | namespaces: mount, PID, network, IPC, UTS, cgroup | in a user namespace of its own | by right |
//! | who it is | the user, and no other user or group exists | the user and group of `--uid`, in no other group |
//! | root folder | an empty one that cannot be written to | the same |
//! | capabilities, new privileges | none, in no set | the same |
//! | Landlock, resource limits, environment, core dumps | the same | the same |
//!
//! As the last thing before the guest's first instruction each thread puts on a filter of system calls ([`filters`]).
//!
//! Where the host forbids an ordinary user what belongs to the first three, the others remain, and the log says what is
//! missing and how to allow it ([`Lack`]).

mod capabilities;
mod core_dumps;
mod descriptors;
mod end;
mod environment;
mod error;
pub mod filters;
mod folder;
mod identity;
mod lack;
mod landlock;
mod limits;
mod namespaces;
mod outside;
mod root;
mod session;

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

pub use descriptors::{Inherited, close_inherited};
pub use error::JailError;
pub use lack::Lack;
pub use namespaces::{Side, divide};
pub use outside::{Ended, Hearing, Outside};

use crate::config::Config;
use crate::console::Terminal;

/// What is done, with its name: a word for a person who reads why there is no VM.
type Step = (&'static str, fn(&mut Inside) -> io::Result<()>);

/// The folder of the vsock socket is opened while it still has a name, and entered when it has none any more.
const OPEN_FOLDER: Step = ("the folder of vsock.uds_path", folder::open);
const ENTER_FOLDER: Step = ("the folder of vsock.uds_path", folder::enter);

/// What comes before the inner process opens anything.
const BEFORE: [Step; 4] = [
    ("end with the outer process", end::follow_the_outside),
    ("a session of its own", session::leave),
    ("namespaces", namespaces::leave),
    ("limit on descriptors", limits::on_descriptors),
];

/// What comes once the machine is made, and before it runs.
const LOCKS: [Step; 11] = [
    ("environment", environment::clear),
    ("limits on files and core dumps", limits::on_files),
    OPEN_FOLDER,
    ("empty root folder", root::change),
    ENTER_FOLDER,
    ("capability bounding set", capabilities::bound),
    ("user and group", identity::change),
    ("capabilities", capabilities::drop),
    ("no core dumps", core_dumps::forbid),
    ("no new privileges", capabilities::no_new_privileges),
    ("Landlock", landlock::restrict),
];

/// What stands in place of [`LOCKS`] with `--no-jail`: what a device relies on.
const UNLOCKED: [Step; 2] = [OPEN_FOLDER, ENTER_FOLDER];

/// What the command line says of the jail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// There is to be none.
    pub no_jail: bool,
    /// As whom the VM runs: a user's number, and a group's.
    pub uid: Option<u32>,
}

/// The inner process, on its way into the jail.
pub struct Inside {
    wanted: Wanted,
    /// Readable once the outer process has ended.
    outside: OwnedFd,
    /// What it has of its own.
    own: namespaces::Own,
    terminal: Option<Terminal>,
    lacks: Vec<Lack>,
    needs: Needs,
    folder: Option<OwnedFd>,
}

/// What a VM needs of its host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Needs {
    descriptors: u64,
    /// The length of the longest file that it writes to. `None`: of some it does not know how long they get.
    longest_file: Option<u64>,
    /// Where its guest's connections go.
    folder: Option<PathBuf>,
}

impl Inside {
    /// Makes ready for a machine of this configuration.
    pub fn prepare(&mut self, config: &Config) -> Result<(), JailError> {
        self.needs.descriptors = limits::descriptors(config);
        self.needs.folder = config.vsock.as_ref().map(|vsock| folder::of(&vsock.uds_path));
        self.run(&BEFORE)
    }

    /// Locks this process in. The machine is made, by this only thread, and writes to disks of this length at most.
    pub fn lock(mut self, config: &Config, longest_file: u64) -> Result<Vec<Lack>, JailError> {
        let log = config.logger.path.as_deref();
        self.needs.longest_file = limits::longest_file(longest_file, log);
        if let Some(terminal) = &self.terminal {
            terminal.make_raw().map_err(|error| JailError { step: "terminal", error })?;
        }
        let no_jail = self.wanted.no_jail;
        self.run(if no_jail { &UNLOCKED[..] } else { &LOCKS[..] })?;
        Ok(self.lacks)
    }

    /// Locks this process in without a machine: what the host does not give.
    pub fn probe(mut self) -> Result<Vec<Lack>, JailError> {
        self.needs.descriptors = crate::limits::DESCRIPTORS;
        self.run(&BEFORE)?;
        self.run(&LOCKS)?;
        Ok(self.lacks)
    }

    fn run(&mut self, steps: &[Step]) -> Result<(), JailError> {
        for &(step, take) in steps {
            take(self).map_err(|error| JailError { step, error })?;
        }
        Ok(())
    }
}

/// A path that the kernel takes for the folder that this process stands in.
const HERE: &str = ".";
