//! Images that are none: one line that names the image and what would be right, status 1, and nothing left.
//!
//! All of it happens before there is a VM, so none of this needs KVM.

use std::fs;
use std::os::unix::fs::FileExt;

use bulkhead_tests::{
    ELSEWHERE, HERE, Images, Layer, Meta, Running, World, busybox_folder, have, is_root, tool,
};

/// Runs a shell in the image, which cannot be.
#[track_caller]
fn refused(world: &World, image: &str, words: &[&str]) {
    let mut command = world.run(&["--pull=never"], image, &["sh"]);
    Running::start(&mut command, "").wait().assert_refused(1, words);
    world.assert_nothing_left();
}

#[test]
fn a_text_file() {
    let Some(world) = World::new("a_text_file") else { return };
    let file = world.text("notes.txt");
    fs::write(&file, "Dear image,\n").unwrap();
    refused(&world, &file, &[&file, "is not an image", "Dear image", "give an OCI layout"]);
}

#[test]
fn a_path_with_nothing_there() {
    let Some(world) = World::new("a_path_with_nothing_there") else { return };
    refused(&world, "nowhere.tar", &["'nowhere.tar' is neither a file nor an image in the store"]);
}

#[test]
fn archives_cut_in_half() {
    let test = "archives_cut_in_half";
    let Some(world) = World::new(test) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    for archive in ["root.tar", "oci.tar", "docker.tar"] {
        let whole = fs::read(images.get(archive)).unwrap();
        let half = world.text("half.tar");
        fs::write(&half, &whole[..whole.len() / 2]).unwrap();
        refused(&world, &half, &[&half, "cut short"]);
    }
}

#[test]
fn a_layer_with_another_digest_than_promised() {
    let test = "a_layer_with_another_digest_than_promised";
    let Some(world) = World::new(test) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    let layout = world.text("layout");
    tool("cp", &["-r", &images.get("layout"), &layout]);
    let blobs = fs::read_dir(world.path("layout/blobs/sha256")).unwrap().flatten();
    let largest = blobs.max_by_key(|blob| blob.metadata().unwrap().len()).unwrap();
    let file = fs::File::options().read(true).write(true).open(largest.path()).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 100_000).unwrap();
    file.write_all_at(&[!byte[0]], 100_000).unwrap();
    let name = largest.file_name().into_string().unwrap();
    refused(&world, &format!("{layout}#layered"), &[&layout, &name, "expected sha256:"]);
}

#[test]
fn a_layer_that_leaves_the_root() {
    let Some(world) = World::new("a_layer_that_leaves_the_root") else { return };
    let image = world.text("evil.tar");
    // A link to a folder outside, and a file through it: that has to end up inside the image.
    let outside = world.text("outside");
    fs::create_dir(&outside).unwrap();
    let sneaky = Layer::new().symlink("way", &outside).file("way/file", Meta::root(0o644), b"");
    fs::write(&image, sneaky.into_bytes()).unwrap();
    world.prepare(&image);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);

    let climbing = Layer::new().hard_link("passwd", "../../etc/passwd").into_bytes();
    fs::write(&image, climbing).unwrap();
    refused(&world, &image, &[&image, "'passwd' to '../../etc/passwd': it leaves the root"]);
}

#[test]
fn an_image_for_another_architecture() {
    let test = "an_image_for_another_architecture";
    let Some(world) = World::new(test) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    let (found, wanted) = (ELSEWHERE.platform(), HERE.platform());
    let words = ["layout", &format!("is for {found}, this VM runs {wanted}: give")];
    refused(&world, &images.get("layout#foreign"), &words);
}

#[test]
fn a_name_that_the_archive_does_not_hold() {
    let test = "a_name_that_the_archive_does_not_hold";
    let Some(world) = World::new(test) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    let held = ["plain", "layered", "configured", "foreign", "both"];
    refused(&world, &images.get("layout#missing"), &[&["'missing'"], &held[..]].concat());
    // Those that this machine runs; the one called both is another's, too.
    refused(&world, &images.get("layout"), &["choose one", "it holds configured, layered, plain"]);
}

#[test]
fn a_cache_without_space() {
    let test = "a_cache_without_space";
    if !is_root(test) || !have(test, &["unshare", "mount"]) {
        return;
    }
    let Some(world) = World::new(test) else { return };
    busybox_folder(&world.path("image"));
    fs::write(world.path("image/large"), vec![1; 4 << 20]).unwrap();
    // The first has no room for the initramfs, the second none for the image.
    for size in ["1M", "4M"] {
        // In a mount namespace of its own: nothing is left mounted, whatever happens.
        let mut full = world.command("unshare");
        full.args(["--mount", "sh", "-c"]);
        full.arg(format!("mount -t tmpfs -o size={size} cache cache && \"$@\"; status=$?; find cache -size +0 -type f; exit $status"));
        full.args(["sh", "bulkhead", "run", "--kernel"])
            .arg(world.kernel())
            .args(["image", "--", "sh"]);
        let outcome = Running::start(&mut full, "").wait();
        assert!(
            outcome
                .stdout
                .lines()
                .all(|file| file.contains("/initramfs/") && !file.contains("partial")),
            "{outcome:?}"
        );
        let outcome = bulkhead_tests::Outcome { stdout: String::new(), ..outcome };
        outcome.assert_refused(1, &["the cache: ", "No space left on device"]);
        world.assert_nothing_left();
    }
}
