//! The inner process ends with the outer one, whatever ended that.

use std::io;
use std::process;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::Inside;

/// Asks for it. To be asked again after a change of user, which the kernel takes for another program (prctl(2),
/// `PR_SET_PDEATHSIG`).
pub(super) fn follow_the_outside(inside: &mut Inside) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before that. In a PID namespace nobody can see its parent (getppid(2)).
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut [PollFd::new(&inside.outside, PollFlags::IN)], Some(&at_once))? {
        0 => Ok(()),
        _ => process::exit(1),
    }
}
