//! `bulkhead`: containers, each in its own VM.

fn main() {}
