//! The kernel's command line (Linux `Documentation/admin-guide/kernel-parameters.txt`).

use super::Kernel;
use host::platform::Platform;

/// On both architectures:
///
/// - `panic=-1`: a panic is an immediate reset, which ends the VM.
/// - `random.trust_cpu=on`: the CPU's random numbers count, so nothing waits for entropy at boot.
/// - `rcupdate.rcu_expedited=1`: whoever waits for a grace period of RCU, as a process does that joins a control group, waits for
///   the processors instead of for three ticks of the clock.
/// - `swiotlb=noforce`: no device needs its data below 4 GiB, for which machines with more memory would set 64 MiB aside.
/// - `initcall_blacklist=jent_mod_init`: calibrating a source of jitter takes a tenth of a distribution's boot, and a third of that
///   of our own; the CPU and the host's seed give better randomness.
/// - `dummy.numdummies=0`: where that driver is built in, it makes a `dummy0` at boot, and a container would have it beside its
///   loopback interface.
/// - `nomodule` is absent on purpose: a distribution's drivers are modules.
const COMMON: &str = "panic=-1 random.trust_cpu=on rcupdate.rcu_expedited=1 swiotlb=noforce \
                      initcall_blacklist=jent_mod_init dummy.numdummies=0";

/// For a kernel with modules: a distribution's, made for every machine there is.
///
/// - `cryptomgr.notests`: the ciphers' self-tests repeat what the distribution has tested, for a third of the boot. Our own
///   kernel has none.
const MODULAR: &str = "cryptomgr.notests";

/// On x86_64:
///
/// - `console=ttyS0`: the serial port is the console; `8250.nr_uarts=1`: do not look for three more.
/// - `reboot=k`: a reset goes through the keyboard controller.
/// - `pci=off`: there is no PCI bus to scan; devices are in the ACPI tables.
/// - `i8042.noaux i8042.nomux i8042.dumbkbd i8042.nopnp`: the keyboard controller only resets; nothing is plugged in.
/// - `tsc=reliable no_timer_check`: KVM's clocks need no calibration against a timer that is not there.
const X86_64: &str = "console=ttyS0 8250.nr_uarts=1 reboot=k pci=off i8042.noaux i8042.nomux i8042.dumbkbd i8042.nopnp \
                      tsc=reliable no_timer_check";

/// On aarch64, where the device tree says what there is:
///
/// - `console=ttyAMA0`: the PL011 serial port is the console.
/// - `cma=0`: no device needs contiguous memory, for which Debian's kernel keeps 64 MiB where it finds them.
const AARCH64: &str = "console=ttyAMA0 cma=0";

/// Added where nobody reads the console: each character of it costs a VM exit.
const QUIET: &str = "quiet";

/// The command line for a guest with this kernel, whose console is read, or is not.
pub fn command_line(platform: Platform, kernel: &Kernel, console: bool) -> String {
    let own = match platform {
        Platform::Amd64 => X86_64,
        Platform::Arm64 => AARCH64,
    };
    let modular = kernel.modules.is_some().then_some(MODULAR);
    let quiet = (!console).then_some(QUIET);
    [own, COMMON].into_iter().chain(modular).chain(quiet).collect::<Vec<_>>().join(" ")
}
