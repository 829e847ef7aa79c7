//! A process's terminal: one of the container's own pseudoterminals (pty(7)).

use std::os::fd::{AsFd, BorrowedFd};

use protocol::TerminalSize;
use rustix::fs::Mode;
use rustix::mount::mount_bind;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::stdio;
use crate::error::{During, StartError};
use crate::order::{self, Report};
use crate::users::User;

/// Opens one, makes it the session's, and hands its controlling side to guest-init. The first process's is the container's
/// console as well, as in docker.
pub(super) fn open(
    size: TerminalSize,
    is_console: bool,
    user: &User,
    socket: BorrowedFd<'_>,
) -> Result<(), StartError> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let control = openpt(flags).during("open /dev/ptmx")?;
    grantpt(&control).and_then(|()| unlockpt(&control)).during("unlock the terminal")?;
    let name = ptsname(&control, Vec::new()).during("find the terminal's name")?;
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
    let terminal =
        rustix::fs::open(&name, flags, Mode::empty()).during("open the container's terminal")?;
    rustix::process::ioctl_tiocsctty(&terminal).during("make the terminal the session's")?;
    let window = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, window).during("set the terminal's size")?;
    stdio::own(&terminal, user)?;
    if is_console {
        const CONSOLE: &str = "/dev/console";
        std::fs::File::create(CONSOLE).during("make /dev/console")?;
        mount_bind(name.as_c_str(), CONSOLE).during("make the terminal /dev/console")?;
    }
    stdio::become_from(&terminal)?;
    order::send(socket, &Report::Terminal, Some(control.as_fd()))
}
