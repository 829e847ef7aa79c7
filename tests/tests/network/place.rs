//! What is in a test's network namespace.

use std::fs;

use bulkhead_tests::{World, alone, busybox_folder, have};

/// A world with an image, in a network namespace of its own. `None` where that can't be, after a line that says so.
pub fn setting(test: &str) -> Option<World> {
    if !have(test, &["passt", "ip"]) || !alone(test) {
        return None;
    }
    let world = World::new(test)?;
    busybox_folder(&world.path("image"));
    Some(world)
}

/// The world's passt.
#[track_caller]
pub fn passt(world: &World) -> u32 {
    let is_it = |process: &u32| {
        let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        name.starts_with("passt")
    };
    let found: Vec<u32> = world.processes().into_iter().filter(is_it).collect();
    match found[..] {
        [process] => process,
        _ => panic!("{found:?}"),
    }
}
