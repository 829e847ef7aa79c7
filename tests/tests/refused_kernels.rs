//! Kernels that no VM here can boot: one line that names the file and what would be right, status 1, and nothing left. None
//! of these gets as far as a guest.

use std::fs;

use bulkhead_tests::{ELSEWHERE, Elf, HERE, Running, World, busybox_folder};

/// A world with an image that is good, so that something else is to blame.
fn world(test: &str) -> Option<World> {
    let world = World::new(test)?;
    busybox_folder(&world.path("image"));
    Some(world)
}

/// Boots a kernel of these bytes, which cannot be.
#[track_caller]
fn refused(world: &World, kernel: &[u8], words: &[&str]) {
    let path = world.text("kernel");
    fs::write(&path, kernel).unwrap();
    let words = [&[path.as_str()], words].concat();
    let run = ["run", "--memory", "64M", "--kernel", &path, "image", "--", "sh"];
    world.bulkhead(&run, "").assert_refused(1, &words);
    world.assert_nothing_left();
}

#[test]
fn kernels_that_are_not_there() {
    let Some(world) = world("kernels_that_are_not_there") else { return };
    let missing = ["run", "--kernel", "no-kernel", "image", "--", "sh"];
    world.bulkhead(&missing, "").assert_refused(1, &["no-kernel", "No such file"]);
    let words = ["no guest kernel in the cache", HERE.kernel_name, "--kernel PATH"];
    world.bulkhead(&["run", "image", "--", "sh"], "").assert_refused(1, &words);
    world.assert_nothing_left();
}

#[test]
fn files_that_are_no_kernels() {
    let Some(world) = world("files_that_are_no_kernels") else { return };
    let boots = format!("{} boots a", HERE.architecture);
    refused(&world, b"#!/bin/sh\n", &["starts with \"#!/bin/sh", &boots]);
    refused(&world, b"", &["starts with \"\"", &boots]);
}

#[test]
fn a_kernel_cut_in_half() {
    let Some(world) = world("a_kernel_cut_in_half") else { return };
    let whole = fs::read(world.kernel()).unwrap();
    // An Image without a PE header does not tell how long it is (Documentation/arch/arm64/booting.rst, `res5`).
    let tells = HERE.kernel_name != "Image" || whole[60..64] != [0; 4];
    if tells {
        refused(&world, &whole[..whole.len() / 2], &["truncated"]);
    } else {
        refused(&world, &whole[..60], &["starts with"]);
    }
}

#[test]
fn kernels_for_another_machine() {
    let Some(world) = world("kernels_for_another_machine") else { return };
    let (found, wanted) = (ELSEWHERE.architecture, HERE.architecture);
    let elf = Elf { machine: ELSEWHERE.elf, ..Elf::new() }.to_bytes();
    for kernel in [elf, (ELSEWHERE.kernel)(0x1000)] {
        refused(&world, &kernel, &[&format!("is for {found}, this VM runs {wanted}")]);
        // The VMM has its own look.
        let config = serde_json::json!({ "boot-source": { "kernel_image_path": "kernel" } });
        fs::write(world.path("vm.json"), config.to_string()).unwrap();
        let mut vmm = world.command("bulkhead-vmm");
        vmm.args(["--no-api", "--config-file", "vm.json"]);
        let outcome = Running::start(&mut vmm, "").wait();
        outcome.assert_refused(1, &["kernel: ", found, wanted]);
    }
    let other = Elf { machine: 243, ..Elf::new() }.to_bytes();
    refused(&world, &other, &["a kernel for ", &format!("needs one for {wanted}")]);
}

#[test]
fn too_little_memory_for_the_kernel() {
    let Some(world) = world("too_little_memory_for_the_kernel") else { return };
    let words = ["RAM is too small for the kernel", "MiB, the guest has 1"];
    // The machine has room for what is in the kernel's file, not for what that says it takes besides.
    refused(&world, &(HERE.kernel)(1000 << 20), &words);
}

#[cfg(target_arch = "x86_64")]
mod elf {
    use super::*;

    #[test]
    fn headers_cut_off() {
        let Some(world) = world("headers_cut_off") else { return };
        let whole = Elf::new().to_bytes();
        refused(&world, &whole[..40], &["truncated"]);
        refused(&world, &whole[..whole.len() - 1], &["truncated"]);
    }

    #[test]
    fn segments_that_cannot_be_loaded() {
        let Some(world) = world("segments_that_cannot_be_loaded") else { return };
        let outside = Elf::new().and_page_at(0xD000_0000).to_bytes();
        refused(&world, &outside, &["segment 1: 0xd0000000..0xd0001000", "RAM"]);
        let overlapping = Elf::new().and_page_at(0x10_0800).to_bytes();
        refused(&world, &overlapping, &["segments 0 and 1 overlap at 0x100800"]);
        let wrapping = Elf::new().and_page_at(u64::MAX - 0xFFF).to_bytes();
        refused(&world, &wrapping, &["segment 1", "0xfffffffffffff000", "wraps around"]);
        let low = Elf::new().and_page_at(0x7000).to_bytes();
        refused(&world, &low, &["segment 1", "0x7000", "low memory"]);
    }
}

#[cfg(target_arch = "aarch64")]
mod image {
    use bulkhead_tests::Arm64Image;

    use super::*;

    #[test]
    fn headers_that_make_no_sense() {
        let Some(world) = world("headers_that_make_no_sense") else { return };
        let whole = Arm64Image::new();
        refused(&world, &whole.to_bytes()[..63], &["starts with", "boots an Image"]);
        let big_endian = Arm64Image { flags: 1, ..Arm64Image::new() };
        refused(&world, &big_endian.to_bytes(), &["big-endian"]);
        let wrapping = Arm64Image { text_offset: u64::MAX - 0xFFF, ..Arm64Image::new() };
        refused(&world, &wrapping.to_bytes(), &["0xfffffffffffff000", "wrap around"]);
        let elf = Elf { machine: HERE.elf, ..Elf::new() }.to_bytes();
        refused(&world, &elf, &["an ELF file (vmlinux)", "pass the Image of the same build"]);
    }
}
