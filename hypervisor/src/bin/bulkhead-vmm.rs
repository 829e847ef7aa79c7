//! `bulkhead-vmm`: one process, one VM.

fn main() {}
