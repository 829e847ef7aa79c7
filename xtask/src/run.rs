//! `cargo xtask run`: builds what it takes, fetches what is missing meanwhile, and runs one container or the bare guest.

pub mod bare;
mod container;
pub mod demo;

use std::ffi::OsString;

use clap::{ArgAction, Args, ValueEnum};
pub use demo::DemoArgs;
use host::kvm::Kvm;

use crate::arch::Arch;
use crate::build;
use crate::error::Error;

const EXAMPLES: &str = "\
Examples:
  cargo xtask run                                         the demo image
  cargo xtask run app.tar sh -c 'cat; exit 7' <input      an archive, with another command
  cargo xtask run --cpus 2 -m 512M images.tar#app:1.2     one of several images
  cargo xtask run --arch aarch64                          on an Arm machine, if need be an emulated one
  cargo xtask run --arch aarch64 --cpus 2 images.tar      flags of this command go first
  cargo xtask run --guest bare                            our own kernel's self-test

IMAGE is a demo when none is given; else an OCI layout folder, an OCI or docker archive, or a root file system (folder or tar).";

/// Run a container, or the bare guest, in a microVM of its own
#[derive(Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true)]
pub struct RunArgs {
    /// The machine's architecture [default: this machine's]
    #[arg(long, value_enum, value_name = "ARCH", default_value_t = Arch::NATIVE, hide_default_value = true)]
    arch: Arch,
    /// Where to run: this machine's KVM or the emulated host
    #[arg(long, value_enum, default_value_t)]
    accel: Accel,
    /// What to run
    #[arg(long, value_enum, default_value_t)]
    guest: Guest,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    /// Flags of `bulkhead run`, the image, and perhaps a command and its arguments instead of the image's own
    ///
    /// `bulkhead prepare --help` lists those flags.
    #[arg(value_names = ["FLAGS", "IMAGE", "COMMAND"], num_args = 0.., trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Where a guest runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Accel {
    /// KVM where it can do the work, otherwise the emulated host
    #[default]
    Auto,
    /// This machine's KVM or not at all
    Kvm,
    /// The emulated host
    Emulated,
}

/// What runs in the microVM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Guest {
    /// A container on a Linux kernel
    #[default]
    Linux,
    /// Our own kernel, which tests the machine and reports
    Bare,
}

/// The way that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// On this machine's KVM.
    Direct,
    /// In the emulated host.
    Emulated,
}

impl RunArgs {
    /// Runs it; the exit status is the entrypoint's.
    pub fn run(self) -> Result<u8, Error> {
        if self.accel == Accel::Kvm && self.arch != Arch::NATIVE {
            let (guest, native) = (self.arch.name(), Arch::NATIVE.name());
            return Err(Error::Usage(format!(
                "--accel kvm: this machine's KVM runs {native} guests, not {guest} ones"
            )));
        }
        match self.guest {
            Guest::Linux => container::run(self),
            Guest::Bare if !self.words.is_empty() => Err(Error::Usage(
                "--guest bare takes no image and no command: its kernel is all there is".into(),
            )),
            Guest::Bare => bare::run(self.accel, self.arch),
        }
    }
}

/// Decides where to run, and why, in a line for stderr. `capable` tells whether such a KVM will do. The VMM is built, which
/// finds out what the KVM of this machine can do, where that matters.
pub fn choose(accel: Accel, arch: Arch, capable: fn(&Kvm) -> bool) -> Result<(Way, String), Error> {
    decide(accel, arch, capable, || Ok(Kvm::probe(&build::quick_vmm(Arch::NATIVE)?)?))
}

/// The line is for people: why a KVM can't run Linux, in its own words, `cargo xtask check` tells.
fn decide(
    accel: Accel,
    arch: Arch,
    capable: fn(&Kvm) -> bool,
    probe: impl FnOnce() -> Result<Kvm, Error>,
) -> Result<(Way, String), Error> {
    let (guest, native) = (arch.name(), Arch::NATIVE.name());
    let emulated = |why| Ok((Way::Emulated, format!("xtask: {why}")));
    if accel == Accel::Emulated {
        return emulated(format!("running in the emulated {guest} host, as asked"));
    }
    if arch != Arch::NATIVE {
        return emulated(format!(
            "running in the emulated {guest} host: this machine's KVM runs {native} guests only"
        ));
    }
    let kvm = probe()?;
    if capable(&kvm) {
        let limits = if kvm == Kvm::Linux { "" } else { ", which can't run Linux" };
        return Ok((Way::Direct, format!("xtask: running on this {guest} machine's KVM{limits}")));
    }
    if accel == Accel::Kvm {
        let why = kvm.obstacle().unwrap_or_default();
        return Err(Error::Missing(format!(
            "--accel kvm: this machine's KVM can't run this guest: {why}"
        )));
    }
    let lack = match kvm {
        Kvm::Linux | Kvm::Bare(_) => "this machine's KVM can't run Linux",
        Kvm::Slow(_) => "this machine's KVM is too slow for Linux",
        Kvm::None(_) => "this machine has no KVM for us",
    };
    emulated(format!("{lack}: using an emulated host instead"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the probe says of a cloud's KVM.
    const WHY: &str = "cmpxchg16b: KVM internal error 1 at RIP 0x10f3: f0 48 0f c7 0f";

    fn line(accel: Accel, capable: fn(&Kvm) -> bool, kvm: Kvm) -> (Way, String) {
        decide(accel, Arch::NATIVE, capable, || Ok(kvm)).unwrap()
    }

    #[test]
    fn own_flags_go_first_and_all_else_is_bulkheads() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            run: RunArgs,
        }
        let parse = |line: &str| {
            let words = std::iter::once("run").chain(line.split_whitespace());
            let run = <Line as clap::Parser>::try_parse_from(words).unwrap().run;
            (run.arch, run.accel, run.words.join(std::ffi::OsStr::new("|")).into_string().unwrap())
        };
        let (arch, accel, words) = parse("--arch aarch64 --accel emulated --cpus 2 -h x a.tar sh");
        assert_eq!((arch, accel), (Arch::Aarch64, Accel::Emulated));
        assert_eq!(words, "--cpus|2|-h|x|a.tar|sh");
        let (arch, _, words) = parse("a.tar sh --arch riscv64 --help");
        assert_eq!((arch, words.as_str()), (Arch::NATIVE, "a.tar|sh|--arch|riscv64|--help"));
        assert_eq!(parse("").2, "");
    }

    #[test]
    fn why_there_is_an_emulated_host_is_said_in_words_for_people() {
        let linux: fn(&Kvm) -> bool = |kvm| *kvm == Kvm::Linux;
        let (way, said) = line(Accel::Auto, linux, Kvm::Bare(WHY.into()));
        assert_eq!(way, Way::Emulated);
        assert_eq!(
            said,
            "xtask: this machine's KVM can't run Linux: using an emulated host instead"
        );
        for kvm in [Kvm::Slow(WHY.into()), Kvm::None(WHY.into())] {
            let (way, said) = line(Accel::Auto, linux, kvm);
            assert_eq!(way, Way::Emulated);
            assert!(said.ends_with(": using an emulated host instead"), "{said}");
            assert!(!said.contains("RIP") && said.split(' ').count() <= 14, "{said}");
        }
        let (way, said) = line(Accel::Auto, |_| true, Kvm::Bare(WHY.into()));
        assert!(way == Way::Direct && !said.contains("RIP"), "{said}");
        // Who insists on it is told all.
        let refused = decide(Accel::Kvm, Arch::NATIVE, linux, || Ok(Kvm::Bare(WHY.into())));
        assert!(refused.unwrap_err().to_string().contains(WHY));
    }

    #[test]
    fn nothing_is_built_to_find_out_what_does_not_matter() {
        let probe = || -> Result<Kvm, Error> { panic!("it was asked") };
        let foreign = [Arch::X86_64, Arch::Aarch64].into_iter().find(|arch| *arch != Arch::NATIVE);
        for (accel, arch) in [(Accel::Emulated, Arch::NATIVE), (Accel::Auto, foreign.unwrap())] {
            assert_eq!(decide(accel, arch, |_| true, probe).unwrap().0, Way::Emulated);
        }
    }
}
