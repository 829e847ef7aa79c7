//! Containers through the command, as far as that needs no VM.

#[path = "../common/mod.rs"]
mod common;
mod damage;
mod dockers;
mod networks;
mod records;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use common::store::Place;
use serde_json::Value;

/// A place with an image called `localhost/second:3`.
fn place(test: &str) -> Option<Place> {
    let place = Place::new(test)?;
    place.says(&["load", "-i", "oci.tar"]);
    place.guest();
    Some(place)
}

/// `create` with these flags; the ID.
fn create(place: &Place, flags: &[&str]) -> String {
    let id = place.says(&create_arguments(flags)).trim_end().to_owned();
    assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    id
}

fn create_arguments<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    let guest = ["create", "--kernel", "kernel", "--initramfs", "initramfs"];
    [&guest, flags, &["localhost/second:3", "sh", "-c", "echo a long command"]].concat()
}

fn folder(place: &Place, id: &str) -> PathBuf {
    place.path("data/bulkhead/containers").join(id)
}

/// Output of a success that complained about something.
fn with_complaint(output: &Output, complaint: &str) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.contains(complaint), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    String::from_utf8(output.stdout.clone()).unwrap()
}
