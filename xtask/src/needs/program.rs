//! The programs of the distribution, each with its use, its package and its place.

use std::path::{Path, PathBuf};

use super::packages::Packages;
use super::{apt, install};
use crate::arch::Arch;
use crate::error::Error;

/// A program of a Debian package.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// Its file name.
    pub name: &'static str,
    /// What it is used for.
    pub purpose: &'static str,
    /// The Debian packages that hold it, the newest release's first.
    pub packages: &'static [&'static str],
    /// Where it is when it is not on the PATH.
    elsewhere: &'static [&'static str],
    /// It has to run where there is no dynamic linker.
    is_static: bool,
}

const fn on_path(
    name: &'static str,
    purpose: &'static str,
    packages: &'static [&'static str],
) -> Program {
    Program { name, purpose, packages, elsewhere: &[], is_static: false }
}

/// The emulator of the emulated x86_64 host.
static QEMU_X86_64: Program =
    on_path("qemu-system-x86_64", "emulated x86_64 host", &["qemu-system-x86"]);

/// The emulator of the emulated aarch64 host.
static QEMU_AARCH64: Program =
    on_path("qemu-system-aarch64", "emulated aarch64 host", &["qemu-system-arm"]);

/// Both emulators.
static EMULATORS: [&Program; 2] = [&QEMU_X86_64, &QEMU_AARCH64];

/// The server of the emulated host's root file system. A package of its own since Debian 13.
pub static VIRTIOFSD: Program = Program {
    elsewhere: &["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd"],
    ..on_path("virtiofsd", "emulated host", &["virtiofsd", "qemu-system-common"])
};

/// The emulated host's first program and the demo image's shell.
pub static BUSYBOX: Program = Program {
    is_static: true,
    ..on_path("busybox", "emulated host, demo image, tests", &["busybox-static"])
};

/// Unpacks the kernel package.
pub static DPKG_DEB: Program = on_path("dpkg-deb", "kernel packages", &["dpkg"]);

/// Compiles the fuzzer.
pub static CXX: Program = on_path("c++", "fuzzing", &["g++"]);

/// Counts system calls, and has a VMM make one that its filters refuse.
pub static STRACE: Program = on_path("strace", "benchmark, tests", &["strace"]);

/// Link programs for the other architecture without rustup's targets: the linker, and the C library that it links in.
static CROSS_X86_64: [Program; 2] = [
    on_path("x86_64-linux-gnu-gcc", "x86_64 binaries", &["gcc-x86-64-linux-gnu"]),
    Program {
        elsewhere: &["/usr/x86_64-linux-gnu/lib/libc.a"],
        ..on_path("libc.a", "x86_64 binaries", &["libc6-dev-amd64-cross"])
    },
];

/// Likewise.
static CROSS_AARCH64: [Program; 2] = [
    on_path("aarch64-linux-gnu-gcc", "aarch64 binaries", &["gcc-aarch64-linux-gnu"]),
    Program {
        elsewhere: &["/usr/aarch64-linux-gnu/lib/libc.a"],
        ..on_path("libc.a", "aarch64 binaries", &["libc6-dev-arm64-cross"])
    },
];

/// Build the guest kernel on any machine. (The header is what the kernel's own checker of object files is compiled with.)
static KERNEL: [Program; 7] = [
    on_path("make", "guest kernel", &["make"]),
    on_path("gcc", "guest kernel", &["gcc"]),
    on_path("flex", "guest kernel", &["flex"]),
    on_path("bison", "guest kernel", &["bison"]),
    on_path("bc", "guest kernel", &["bc"]),
    Program {
        elsewhere: &["/usr/include/libelf.h"],
        ..on_path("libelf.h", "guest kernel", &["libelf-dev"])
    },
    Program {
        elsewhere: &["/usr/include/stdio.h"],
        ..on_path("stdio.h", "guest kernel", &["libc6-dev"])
    },
];

/// A guest's network without rights, as the other end of its interface.
pub static PASST: Program = on_path("passt", "networks of guests, benchmark", &["passt"]);

/// What only tests use: makers of images, and judges of what we make. Emulated hosts of another architecture have all of it too.
pub static TESTS: [Program; 22] = [
    on_path("umoci", "tests", &["umoci"]),
    on_path("skopeo", "tests", &["skopeo"]),
    on_path("podman", "tests", &["podman"]),
    on_path("docker-registry", "tests", &["docker-registry"]),
    on_path("openssl", "tests", &["openssl"]),
    CERTIFICATES,
    on_path("fsck.erofs", "tests", &["erofs-utils"]),
    on_path("mke2fs", "scratch disks", &["e2fsprogs"]),
    on_path("cpio", "tests", &["cpio"]),
    on_path("iasl", "tests", &["acpica-tools"]),
    on_path("dtc", "tests", &["device-tree-compiler"]),
    on_path("passt", "networks, tests", &["passt"]),
    on_path("xz", "guest kernel, tests", &["xz-utils"]),
    on_path("zstd", "tests", &["zstd"]),
    on_path("lz4", "tests", &["lz4"]),
    on_path("zsh", "tests", &["zsh"]),
    on_path("fish", "tests", &["fish"]),
    on_path("groff", "tests", &["groff-base"]),
    Program {
        elsewhere: &["/usr/lib/podman/netavark"],
        ..on_path("netavark", "networks of names", &["netavark"])
    },
    Program {
        elsewhere: &["/usr/lib/podman/aardvark-dns"],
        ..on_path("aardvark-dns", "networks of names", &["aardvark-dns"])
    },
    on_path("iptables", "networks of names", &["iptables"]),
    on_path("ip", "tests", &["iproute2"]),
];

/// The certificate authorities that the distribution trusts, in one file. No program, but as good as one: without it there
/// is no TLS.
const CERTIFICATES: Program = Program {
    elsewhere: &["/etc/ssl/certs/ca-certificates.crt"],
    ..on_path("ca-certificates.crt", "tests", &["ca-certificates"])
};

/// All of them, as `cargo xtask check` lists them.
pub fn all() -> impl Iterator<Item = &'static Program> {
    let tools = [&VIRTIOFSD, &BUSYBOX, &DPKG_DEB, &CXX, &STRACE, &PASST];
    EMULATORS.into_iter().chain(tools).chain(&KERNEL).chain(&TESTS)
}

/// What builds the guest kernel for an architecture.
pub fn kernel(arch: Arch) -> Vec<&'static Program> {
    let cross = (arch != Arch::NATIVE).then(|| &cross_linker(arch)[0]);
    let unpack = TESTS.iter().filter(|program| program.name == "xz").chain([&DPKG_DEB]);
    KERNEL.iter().chain(unpack).chain(cross).collect()
}

/// The emulator of an emulated host.
pub fn emulator(arch: Arch) -> &'static Program {
    match arch {
        Arch::X86_64 => &QEMU_X86_64,
        Arch::Aarch64 => &QEMU_AARCH64,
    }
}

/// The linker for `arch` on a machine of the other architecture, and its C library.
pub fn cross_linker(arch: Arch) -> &'static [Program; 2] {
    match arch {
        Arch::X86_64 => &CROSS_X86_64,
        Arch::Aarch64 => &CROSS_AARCH64,
    }
}

impl Program {
    /// Where it is installed.
    pub fn find(&self) -> Option<PathBuf> {
        let elsewhere = self.elsewhere.iter().map(PathBuf::from);
        let mut candidates = search(self.name).chain(elsewhere).filter(|path| path.is_file());
        candidates.find(|path| !self.is_static || is_static(path))
    }

    /// Where it is installed; an error when it is not.
    pub fn require(&self) -> Result<PathBuf, Error> {
        self.find().ok_or_else(|| {
            let Program { name, .. } = self;
            Error::Missing(format!("{name} is missing; install it with: {}", self.remedy()))
        })
    }

    /// The command that installs it.
    pub fn remedy(&self) -> String {
        apt::command(&[Packages::system().first_offered(self.packages)])
    }
}

/// Installs those of `programs` that are missing, all in one call of the package manager.
pub fn provide(programs: &[&Program]) -> Result<(), Error> {
    let missing: Vec<&Program> =
        programs.iter().copied().filter(|program| program.find().is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut needs: Vec<&[&str]> = missing.iter().map(|program| program.packages).collect();
    // All emulators have to be of one version: one that is here would be removed for a newer other, unless it is named too.
    if missing.iter().any(|program| EMULATORS.contains(program)) {
        let here = EMULATORS.iter().filter(|program| program.find().is_some());
        needs.extend(here.map(|program| program.packages));
    }
    if apt::may_install() {
        return install::install(&needs);
    }
    let names: Vec<&str> = missing.iter().map(|program| program.name).collect();
    let command = apt::command(&install::choose(&needs));
    Err(Error::Missing(format!("missing: {}; install with: {command}", names.join(", "))))
}

/// Where `name` would be. Debian keeps the system administrator's programs off a user's PATH.
fn search(name: &str) -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let name = name.to_owned();
    folders.into_iter().chain(["/usr/sbin".into(), "/sbin".into()]).map(move |dir| dir.join(&name))
}

/// Whether an ELF file names no dynamic linker (which no initramfs of ours holds).
fn is_static(path: &Path) -> bool {
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
        assert!(!is_static(Path::new("/no such file")));
    }

    #[test]
    fn programs_are_looked_up_on_the_path() {
        let program = on_path("sh", "", &[]);
        assert!(program.find().is_some());
        assert_eq!(Program { is_static: true, ..program }.find(), None);
        let missing = on_path("no such program", "", &["no-such-package"]);
        let message = missing.require().unwrap_err().to_string();
        assert!(message.ends_with("apt-get install --no-install-recommends no-such-package"));
        let elsewhere = Program { elsewhere: &["/bin/sh"], ..missing };
        assert_eq!(elsewhere.find(), Some("/bin/sh".into()));
    }
}
