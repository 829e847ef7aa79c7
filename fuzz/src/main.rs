//! libFuzzer with all the fuzz targets in one program. The environment says which of them runs.

#![no_main]

use std::sync::OnceLock;

use fuzz_targets::{TARGET_VARIABLE, Target};
use libfuzzer_sys::fuzz_target;

/// The target that was asked for.
fn target() -> &'static Target {
    static TARGET: OnceLock<&Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var(TARGET_VARIABLE).unwrap_or_default();
        fuzz_targets::find(&name).unwrap_or_else(|| {
            eprintln!(
                "{TARGET_VARIABLE}: \"{name}\" is no fuzz target; `cargo xtask fuzz` lists them"
            );
            std::process::exit(2);
        })
    })
}

fuzz_target!(init: {
    target();
}, |input: &[u8]| (target().run)(input));
