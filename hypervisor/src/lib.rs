//! One VM in one process: KVM, vCPU threads, guest memory, the event loop, configuration.
//!
//! | module | what it knows |
//! |---|---|
//! | [`cli`] | the command line of `bulkhead-vmm` |
//! | [`config`] | the configuration file |
//! | `memory` | guest memory, and how kernel and initramfs get into it |
//! | `kvm` | the thin layer that hands our tables to KVM |
//! | `vcpu` | the threads that run the guest |
//! | `bus` | which device answers at which address |
//! | `event` | what the main thread waits for |
//! | `console` | stdin, stdout and the terminal |
//! | `disk` | the files behind disks |
//! | [`jail`] | what this process can still do once it is locked in, and the process that waits outside |
//! | `vsock` | the Unix sockets behind the socket device |
//! | [`stop`] | how a VM ends |
//! | `limits` | what one VM may cost the host |
//! | [`error`], [`logging`] | what keeps a VM from starting; the log |
//! | [`machine`] | all of it put together |
//! | [`probe`] | whether KVM can run Linux here |
//! | `x86_64`, `aarch64` | what only one architecture has; the one that is built is `native` to all the others |
//!
//! The main thread does all device work that is not a plain register access; each vCPU thread does nothing but run the
//! guest and answer its exits, and a virtio device's registers only note what is to be done. Each disk has a thread of
//! its own, for which nothing else waits. `unsafe` stands in `memory::overlay`, `memory::ram`, `kvm::run_page`,
//! `kvm::irq`, `kvm::vm`, `vcpu::kick`, `event::signals`, `machine::devices::net::tap`, `x86_64::probe` or
//! `aarch64::probe`, and in `jail` where the C library or the kernel has no other interface: `descriptors`, `environment`, `folder`, `landlock`, `namespaces`, `outside`.

mod bus;
pub mod cli;
pub mod config;
mod console;
mod disk;
pub mod error;
mod event;
pub mod jail;
mod kvm;
mod limits;
pub mod logging;
pub mod machine;
mod memory;
pub mod probe;
pub mod stop;
#[cfg(feature = "traitor")]
pub mod traitor;
mod vcpu;
mod vsock;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64 as native;
#[cfg(target_arch = "x86_64")]
use x86_64 as native;
