//! One image in five forms, each run with input, both outputs and an exit status.

use bulkhead_tests::{Images, Running, World};

/// The command of every run here: what it reads, a word on stderr, and a status that nothing else has.
const COMMAND: [&str; 3] = ["sh", "-c", "cat; echo err >&2; exit 7"];

fn runs(test: &str, image: &str) {
    let Some(world) = World::new(test) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    let image = images.get(image);
    let outcome = Running::start(&mut world.run(&[], &image, &COMMAND), "line 1\nline 2").wait();
    outcome.assert(7, "line 1\nline 2", "err\n");
    world.assert_nothing_left();
}

/// Runs before the others where those need another machine, on which the tools that make images are slow.
#[test]
fn the_images_can_be_prepared() {
    let test = "the_images_can_be_prepared";
    let Some(world) = World::new(test) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    for image in ["root", "root.tar", "layout#layered", "layout#both", "oci.tar", "docker.tar"] {
        world.prepare(&images.get(image));
    }
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_root_directory_runs() {
    runs("a_root_directory_runs", "root");
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_root_tar_runs() {
    runs("a_root_tar_runs", "root.tar");
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn one_of_the_images_of_an_oci_layout_runs() {
    runs("one_of_the_images_of_an_oci_layout_runs", "layout#plain");
}

/// The one for this machine; the other comes first and would be refused.
#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn one_image_for_two_kinds_of_machine_runs() {
    runs("one_image_for_two_kinds_of_machine_runs", "layout#both");
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn an_oci_archive_runs() {
    runs("an_oci_archive_runs", "oci.tar");
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_docker_archive_runs() {
    runs("a_docker_archive_runs", "docker.tar#busybox:plain");
}
