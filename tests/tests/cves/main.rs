//! The published causes of faults in other VMMs and runtimes, each tried on this one. SECURITY.md has the table: what each
//! was, what it means for a guest of ours, and what holds it.
//!
//! | advisory | here | besides |
//! |---|---|---|
//! | Firecracker CVE-2019-18960 | [`vsock`] | `devices: virtio::vsock::tests::hostile` |
//! | Firecracker CVE-2020-16843 | [`network`] | `devices: virtio::net::tests::flow` |
//! | Firecracker CVE-2020-27174 | [`console`] | `hypervisor: vmm: ends` |
//! | Firecracker CVE-2026-1386 | [`jail`] | `tests: jail` |
//! | Firecracker CVE-2026-5747 | [`queue`] | `devices: virtio::mmio::tests` |
//! | Cloud Hypervisor CVE-2026-45782 | [`disk`] | `devices: virtio::mmio::tests::turns` |
//! | Cloud Hypervisor GHSA-jmr4-g2hv-mjj6 | [`disk`] | |
//! | linux-loader GHSA-52h2-m2cf-9jh6 | [`kernel`] | fuzz target `elf` |
//! | vm-memory CVE-2020-13759, CVE-2023-41051; vmm-sys-util CVE-2023-50711 | [`memory`] | `devices: virtio::queue::exhaustive_tests` |
//! | QEMU CVE-2021-3748, CVE-2023-6693 | [`network`] | `devices: virtio::net::tests` |
//! | Linux CVE-2024-41090, CVE-2024-41091, CVE-2024-43897 | [`network`] | `devices: virtio::net::tests::headers` |
//! | Kata CVE-2020-2023 | [`guest`] | `tests: isolation`, `a_container_opens_no_devices_but_docker_s` |
//! | Moby CVE-2022-36109 | [`guest`] | `guest-init: users::tests` |
//! | runc CVE-2019-5736 | [`guest`] | |
//! | runc CVE-2024-21626 | [`guest`] | `hypervisor: vmm: jail`, `what_was_left_open_is_closed` |
//! | runc CVE-2025-31133, CVE-2025-52565, CVE-2025-52881 | [`guest`] | `tests: isolation` |
//!
//! The first half knows models of the VMM by their public interface, as none of the other end-to-end tests does: a guest
//! that means harm there is a kernel, and a test is a better one than Linux.

mod console;
mod disk;
mod driver;
mod guest;
mod jail;
mod kernel;
mod memory;
mod network;
mod queue;
mod vsock;
