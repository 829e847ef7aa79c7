//! The two machines as data: memory maps, page tables, register values, CPUID, ACPI tables.
//!
//! Nothing here opens a file or talks to KVM. Every function takes numbers and gives numbers or
//! bytes, so that the tables of each machine are tested wherever the tests run, whatever the
//! architecture of the host.

pub mod x86_64;
