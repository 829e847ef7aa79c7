//! Gives each kernel its linker script.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=linker");
    // For the build machine's own target there is nothing to link but an empty program.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let folder = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    for kernel in ["bare-guest", "one-page"] {
        let script = Path::new(&folder).join("linker").join(format!("{kernel}.ld"));
        println!("cargo:rustc-link-arg-bin={kernel}=-T{}", script.display());
        // A kernel stands at a fixed address; the target's default is position independent.
        println!("cargo:rustc-link-arg-bin={kernel}=--no-pie");
    }
}
