//! The emulator: a PC whose CPU has SVM, or an Arm board whose CPU has EL2, so that KVM works in it, without any
//! hardware's help.
//!
//! QEMU's emulation of SVM has two faults, in 7.2 as in 10.0 (`helper_vmrun` of `svm_helper.c`). Which of its options is a way
//! round them has not been tried:
//! - **An interrupt is lost**, as far as the source tells; it was not caught in the act. `vmrun` adds a virtual interrupt to the processor's requests without the lock that timers and
//!   devices hold for that: what another thread adds in the same moment is gone. If that was the host's timer, and the host
//!   goes idle, it sleeps for ever. The next interrupt, whatever it is, brings the lost one along: `standstill` sees to one
//!   each second.
//! - **An interrupt is delivered twice.** After `vmrun` has delivered an injected interrupt, its vector stays behind in
//!   `exception_index` until the guest's next exit or exception. If QEMU's loop stops in between, and not for an interrupt,
//!   the vector is delivered again, though the guest has interrupts off; in its timekeeping's write section that is the end:
//!   it spins. A counting QEMU stops so for each of the host's timers. Seen by `-d int` with a guest that sleeps 0.3 ms
//!   over and over: counted, 4 of 10,895 injected interrupts came twice under 7.2, and 3 of 2,009 under 10.0; not counted,
//!   none of 13,467. So tests, which don't count, meet it seldom, and 10.0 is no better. `standstill` looks for it in both.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use super::Options;
use super::initramfs::ROOT_TAG;
use super::wire::PORTS;
use crate::arch::Arch;

/// The processor of an emulated aarch64 host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Cpu {
    /// A server's: the host kernel runs at EL2 (VHE), a guest has up to 2^48 bytes of addresses
    #[default]
    NeoverseN1,
    /// A small one, nVHE too: a guest has up to 2^40 bytes of addresses
    CortexA53,
    /// An older one: KVM is a stub at EL2 (nVHE), a guest has up to 2^44 bytes of addresses
    CortexA72,
    /// All that the emulator knows: 2^52 bytes of addresses, SVE, pointer authentication
    Max,
}

/// What is to be tried with an emulated host: `cargo xtask soak` compares hosts by it.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// Another emulator than the distribution's.
    pub emulator: Option<PathBuf>,
    /// Words at the end of its command line.
    pub words: Vec<OsString>,
    /// Words at the end of the host kernel's command line.
    pub kernel_words: Vec<String>,
}

/// The words of an option that holds several, or none.
pub fn words(option: Option<&str>) -> Vec<String> {
    option.into_iter().flat_map(str::split_whitespace).map(str::to_owned).collect()
}

/// What the emulator is connected to.
pub struct Wiring<'a> {
    /// The file server of the root.
    pub root: BorrowedFd<'a>,
    /// The ports, in the order of [`PORTS`].
    pub ports: [BorrowedFd<'a>; PORTS.len()],
    /// The initramfs.
    pub initramfs: BorrowedFd<'a>,
    /// The kernel.
    pub kernel: BorrowedFd<'a>,
    /// Who looks at the emulator.
    pub monitor: BorrowedFd<'a>,
}

impl<'a> Wiring<'a> {
    /// All file descriptors to inherit.
    pub fn descriptors(&self) -> Vec<BorrowedFd<'a>> {
        let mut all = vec![self.root, self.initramfs, self.kernel, self.monitor];
        all.extend(self.ports);
        all
    }
}

/// The emulator's command line.
pub fn command(program: &Path, options: &Options, wiring: &Wiring<'_>) -> Command {
    let mut command = Command::new(program);
    let memory = options.memory_mib;
    command
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
        .args(machine(options))
        .args(["-smp", "1", "-m", &memory.to_string(), "-serial", "stdio"])
        .args(acceleration(options))
        .args(["-kernel", &path(wiring.kernel)])
        .args(["-initrd", &path(wiring.initramfs)])
        .arg("-append")
        .arg(kernel_command_line(options))
        // vhost-user shares the guest's memory with the file server.
        .args(["-object", &format!("memory-backend-memfd,id=ram,size={memory}M,share=on")])
        .args(["-numa", "node,memdev=ram"])
        .args(["-chardev", &format!("socket,id=root,fd={}", wiring.root.as_raw_fd())])
        .args(["-device", &format!("vhost-user-fs-pci,chardev=root,tag={ROOT_TAG}")])
        .args(["-chardev", &format!("socket,id=monitor,fd={}", wiring.monitor.as_raw_fd())])
        .args(["-mon", "chardev=monitor,mode=control"])
        .args(["-device", "virtio-serial-pci"]);
    for (name, fd) in PORTS.iter().zip(wiring.ports) {
        command
            .args(["-chardev", &format!("socket,id={name},fd={}", fd.as_raw_fd())])
            .args(["-device", &format!("virtserialport,chardev={name},name={name}")]);
    }
    if options.trial.emulator.is_some() {
        command.args(data_folders(program));
    }
    command.args(&options.trial.words);
    command
}

/// The words that lead an emulator which is not where it was built for to the data that was unpacked with it.
fn data_folders(program: &Path) -> Vec<OsString> {
    let share = program.parent().unwrap_or(Path::new("/")).join("../share");
    let folders = ["qemu", "seabios"].map(|name| share.join(name));
    folders.into_iter().flat_map(|folder| ["-L".into(), folder.into()]).collect()
}

/// The name of an inherited file.
fn path(file: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn machine(options: &Options) -> [&'static str; 4] {
    let (machine, cpu) = match (options.arch, options.cpu) {
        // No la57: the guests' five-level page tables would cost an emulated level more. No erms: kernels would clear
        // and copy by `rep stosb` and `rep movsb`, which the emulator does byte by byte; by words, a container's run takes
        // 3.4 s instead of 5.3.
        (Arch::X86_64, _) => ("q35", "max,-la57,-erms,-fsrm"),
        (Arch::Aarch64, Cpu::NeoverseN1) => (VIRT, "neoverse-n1"),
        (Arch::Aarch64, Cpu::CortexA53) => (VIRT, "cortex-a53"),
        (Arch::Aarch64, Cpu::CortexA72) => (VIRT, "cortex-a72"),
        // The architecture's own algorithm of pointer authentication would take half of the emulator's time.
        (Arch::Aarch64, Cpu::Max) => (VIRT, "max,pauth-impdef=on"),
    };
    ["-M", machine, "-cpu", cpu]
}

/// The board, with EL2 and a GICv3.
const VIRT: &str = "virt,virtualization=on,gic-version=3";

fn acceleration(options: &Options) -> Vec<String> {
    let words = if options.trial.words.iter().any(|word| word == "-accel") {
        // The first one would be taken.
        String::new()
    } else if options.icount {
        // The clock counts instructions, 1 ns each: two runs of the same set-up agree to the nanosecond.
        format!(
            "-accel tcg,thread=single -icount shift=0,sleep=off -seed {} -rtc base=2026-01-01,clock=vm",
            options.seed
        )
    } else {
        "-accel tcg,thread=multi".to_owned()
    };
    self::words(Some(&words))
}

/// What the host's kernel need not do. As a guest's does not (see runtime/containers/src/guest/command_line.rs): no self-tests of ciphers and no
/// calibration of jitter, which take a third of the boot; randomness from the processor; and no ticks waited for in a grace
/// period of RCU.
const SHORT_CUTS: &str = "random.trust_cpu=on cryptomgr.notests initcall_blacklist=jent_mod_init rcupdate.rcu_expedited=1";

/// The serial line is the slowest thing there is, so the kernel stays quiet unless asked.
fn kernel_command_line(options: &Options) -> String {
    let console = match options.arch {
        Arch::X86_64 => "ttyS0",
        Arch::Aarch64 => "ttyAMA0",
    };
    // At an address of its own in each process, code would be translated again for each.
    // `init_on_alloc`: the file server fills pages without QEMU's knowledge. Had a page code before, QEMU would go on with that,
    // if nobody had written to the page in between (see `zeroing` as well).
    let mut line = format!(
        "console={console} panic=-1 nokaslr norandmaps init_on_alloc=1 mitigations=off {SHORT_CUTS}"
    );
    if !options.verbose {
        line.push_str(" quiet");
    }
    for word in &options.trial.kernel_words {
        line.push(' ');
        line.push_str(word);
    }
    line
}
