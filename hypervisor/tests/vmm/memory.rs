//! What pages of the host guest memory is made of.

use std::fs;

use crate::guest::Code;
use crate::process::{Vm, kvm_is_there};

/// How much memory each of these guests has.
const MIB: u64 = 16;

fn vm(huge_pages: &str) -> Vm {
    let vm = Vm::new(&Code::new().print("hi\n").power_off().into_kernel());
    let kernel = vm.kernel();
    vm.write(&format!(
        r#"{{"boot-source": {{"kernel_image_path": {kernel:?}}},
            "machine-config": {{"vcpu_count": 1, "mem_size_mib": {MIB}, "huge_pages": {huge_pages:?}}}}}"#
    ));
    vm
}

#[test]
fn a_guest_runs_in_small_pages_and_in_large_ones() {
    if !kvm_is_there("a_guest_runs_in_small_pages_and_in_large_ones") {
        return;
    }
    for huge_pages in ["None", "Transparent"] {
        let outcome = vm(huge_pages).run(b"");
        let seen = (outcome.status, &*outcome.stdout, &*outcome.stderr);
        assert_eq!(seen, (0, "hi\n", ""), "{huge_pages}");
    }
}

/// Both ways are right: which one it is, the host's administrator has decided.
#[test]
fn the_host_s_reserve_of_large_pages_is_used_or_found_too_small() {
    if !kvm_is_there("the_host_s_reserve_of_large_pages_is_used_or_found_too_small") {
        return;
    }
    let pages = MIB / 2;
    let reserve = fs::read_to_string("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
    let free = reserve.map_or(0, |text| text.trim().parse().unwrap());
    let outcome = vm("2M").run(b"");
    if free >= pages {
        let seen = (outcome.status, &*outcome.stdout, &*outcome.stderr);
        assert_eq!(seen, (0, "hi\n", ""));
        return;
    }
    let line = outcome.stderr.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{line}");
    let words = ["machine-config.huge_pages: \"2M\"", "8 free pages", "/proc/sys/vm/nr_hugepages"];
    assert!(words.iter().all(|word| line.contains(word)), "{line}");
    assert_eq!((outcome.status, &*outcome.stdout), (1, ""));
}
