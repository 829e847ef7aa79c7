//! Our trees and trees written by hand, read by the device tree compiler (package
//! device-tree-compiler).

use super::*;
use std::process::Command;

/// Checks that are not on by default: names that the specification frowns on.
const STRICT: [&str; 2] = ["-Wnode_name_chars_strict", "-Wproperty_name_chars_strict"];

/// Whether it is installed; if not, says so.
pub fn installed(test: &str) -> bool {
    let installed = Command::new("dtc").arg("--version").output().is_ok();
    if !installed {
        println!("SKIPPED: {test}: dtc is not installed");
    }
    installed
}

/// What it makes of a tree, nodes and properties sorted. It must find nothing to warn of.
fn convert(from: &str, to: &str, tree: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tree");
    std::fs::write(&file, tree).unwrap();
    let mut dtc = Command::new("dtc");
    dtc.args(["-s", "-I", from, "-O", to]).args(STRICT).arg(file);
    let output = dtc.output().expect("it was there before");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    output.stdout
}

/// A blob as text.
pub fn text(blob: &[u8]) -> String {
    String::from_utf8(convert("dtb", "dts", blob)).unwrap()
}

/// Compares property by property.
fn compare(machine: &Machine, by_hand: &str) {
    let ours = text(&blob(machine).unwrap());
    let by_hand = text(&convert("dts", "dtb", by_hand.as_bytes()));
    assert!(ours == by_hand, "--- ours:\n{ours}\n--- by hand:\n{by_hand}");
}

#[test]
fn everything_at_once_is_as_written_by_hand() {
    if !installed("everything_at_once_is_as_written_by_hand") {
        return;
    }
    let ram = ram_ranges(256 << 20);
    let machine = Machine {
        cpus: 4,
        caches: &[
            cache(2, CacheKind::Unified, 1 << 20, 2048, 2),
            cache(1, CacheKind::Data, 64 << 10, 256, 1),
            cache(3, CacheKind::Unified, 32 << 20, 32768, 64),
            cache(1, CacheKind::Instruction, 32 << 10, 128, 1),
        ],
        gic: Gic::V3,
        virtio: &[0, 1].map(|n| virtio_slot(n).unwrap()),
        cmdline: r#"console=ttyAMA0 quiet "a=b c""#,
        initrd: Some(0x4FF0_0000..0x4FFF_FFFF),
        ..smallest(&ram)
    };
    compare(&machine, include_str!("v3.dts"));
}

#[test]
fn the_least_is_as_written_by_hand() {
    if !installed("the_least_is_as_written_by_hand") {
        return;
    }
    compare(&smallest(&ram_ranges(6 << 30)), include_str!("v2.dts"));
}
