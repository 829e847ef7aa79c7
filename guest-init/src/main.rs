//! PID 1 of the guest: mounts, modules and the container's process.

fn main() {}
