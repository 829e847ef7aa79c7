//! What the commands of xtask need from the machine: whether it is there, and the way to get it.

mod apt;
mod rust;

use std::path::PathBuf;

pub use apt::{command as apt_command, download, first_offered, may_install, refresh};
pub use rust::{BARE, MUSL, add_target, has_target};

use crate::error::Error;

/// A program of a Debian package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The emulator of the emulated host.
    Qemu,
    /// The server of the emulated host's root file system.
    Virtiofsd,
    /// The emulated host's first program and the demo image's shell. It must be static.
    Busybox,
    /// Unpacks the kernel package.
    DpkgDeb,
    /// Counts system calls for the benchmark.
    Strace,
}

impl Program {
    /// All of them, in the order in which `cargo xtask check` lists them.
    pub const ALL: [Program; 5] =
        [Program::Qemu, Program::Virtiofsd, Program::Busybox, Program::DpkgDeb, Program::Strace];

    /// The programs that the emulated host is made of.
    pub const HOST: [Program; 3] = [Program::Qemu, Program::Virtiofsd, Program::Busybox];

    /// The name to show.
    pub fn name(self) -> &'static str {
        match self {
            Program::Qemu => "qemu-system-x86_64",
            Program::Virtiofsd => "virtiofsd",
            Program::Busybox => "busybox (static)",
            Program::DpkgDeb => "dpkg-deb",
            Program::Strace => "strace",
        }
    }

    /// What it is used for.
    pub fn purpose(self) -> &'static str {
        match self {
            Program::Qemu => "emulated host",
            Program::Virtiofsd => "emulated host",
            Program::Busybox => "emulated host, demo image",
            Program::DpkgDeb => "guest kernel package",
            Program::Strace => "benchmark",
        }
    }

    /// The Debian packages that hold it, the newest release's first.
    pub fn packages(self) -> &'static [&'static str] {
        match self {
            Program::Qemu => &["qemu-system-x86"],
            // A package of its own since Debian 13.
            Program::Virtiofsd => &["virtiofsd", "qemu-system-common"],
            Program::Busybox => &["busybox-static"],
            Program::DpkgDeb => &["dpkg"],
            Program::Strace => &["strace"],
        }
    }

    /// Where it is installed.
    pub fn find(self) -> Option<PathBuf> {
        match self {
            Program::Qemu => on_path("qemu-system-x86_64"),
            Program::Virtiofsd => ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd"]
                .into_iter()
                .map(PathBuf::from)
                .find(|path| path.is_file()),
            Program::Busybox => on_path("busybox").filter(|path| is_static(path)),
            Program::DpkgDeb => on_path("dpkg-deb"),
            Program::Strace => on_path("strace"),
        }
    }

    /// Where it is installed; an error when it is not.
    pub fn require(self) -> Result<PathBuf, Error> {
        self.find().ok_or_else(|| {
            let command = apt_command(&[first_offered(self.packages())]);
            Error::Missing(format!("{} is missing; install it with: {command}", self.name()))
        })
    }
}

/// Installs those of `programs` that are missing, all in one call of the package manager.
pub fn provide(programs: &[Program]) -> Result<(), Error> {
    let missing = programs.iter().filter(|program| program.find().is_none());
    let packages: Vec<&[&str]> = missing.map(|program| program.packages()).collect();
    if packages.is_empty() { Ok(()) } else { apt::install(&packages) }
}

/// The first executable `name` on the PATH.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// Whether an ELF file names no dynamic linker (which no initramfs of ours holds).
fn is_static(path: &std::path::Path) -> bool {
    const INTERPRETER: &[u8] = b"/ld-linux";
    std::fs::read(path).is_ok_and(|elf| {
        let head = &elf[..elf.len().min(4096)];
        !head.windows(INTERPRETER.len()).any(|window| window == INTERPRETER)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dynamic_program_is_not_taken_for_a_static_one() {
        assert!(!is_static(&std::env::current_exe().unwrap()));
        assert!(!is_static(std::path::Path::new("/no such file")));
    }

    #[test]
    fn programs_are_looked_up_on_the_path() {
        assert!(on_path("sh").is_some());
        assert!(on_path("no such program").is_none());
    }
}
