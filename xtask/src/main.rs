//! Build, fetch, run, test and bench: the only entry point a person needs.

fn main() {}
