//! Links each program as what starts it expects.

use std::env;
use std::path::Path;

/// Set to 1 by who builds the programs for a target with an operating system, where no other can be had.
const FREESTANDING: &str = "BULKHEAD_FREESTANDING";

/// What a compiler driver needs to know to link without a C library.
const WITHOUT_LIBRARIES: [&str; 5] =
    ["-nostartfiles", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none"];

fn main() {
    println!("cargo:rerun-if-changed=linker");
    println!("cargo:rerun-if-env-changed={FREESTANDING}");
    println!("cargo:rustc-check-cfg=cfg(freestanding)");
    let target = |what| env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    let bare_metal = target("OS") == "none";
    // For the build machine's own target there is nothing to link but empty programs.
    if !bare_metal && env::var(FREESTANDING).as_deref() != Ok("1") {
        return;
    }
    println!("cargo:rustc-cfg=freestanding");
    // Without an operating system the linker is called directly.
    let prefix = if bare_metal { "" } else { "-Wl," };
    if !bare_metal {
        WITHOUT_LIBRARIES.iter().for_each(|argument| println!("cargo:rustc-link-arg={argument}"));
    }
    let folder = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let folder = Path::new(&folder).join("linker").join(target("ARCH"));
    // They stand at fixed addresses: nobody would relocate them.
    for program in ["garbage", "network-load"] {
        println!("cargo:rustc-link-arg-bin={program}={prefix}--no-pie");
    }
    for kernel in ["bare-guest", "one-page"] {
        let script = folder.join(format!("{kernel}.ld"));
        let link = |argument| println!("cargo:rustc-link-arg-bin={kernel}={prefix}{argument}");
        link(format!("-T{}", script.display()));
        // A kernel stands at a fixed address; the target's default is position independent.
        link("--no-pie".into());
        // The boot protocol's flat Image instead of an ELF file.
        // GNU ld can't write it: there it is left to objcopy.
        if target("ARCH") == "aarch64" && bare_metal {
            link("--oformat=binary".into());
        }
    }
}
