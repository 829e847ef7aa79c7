//! Pulling from a real registry: what skopeo pushes there comes in.

#[path = "../common/mod.rs"]
mod common;
mod platforms;
mod pulls;
mod trust;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use common::net::{Limit, Proxy};
use common::registry::Registry;
use common::store::Place;
use common::{text, tool};
use serde_json::{Value, json};

const PULL: [&str; 2] = ["pull", "--tls-verify=false"];

fn start(test: &str, more: &str) -> Option<(Place, Registry)> {
    let place = Place::new(test)?;
    let registry = Registry::start(test, &place, more)?;
    Some((place, registry))
}

fn layout(place: &Place, image: &str) -> String {
    format!("oci:{}:{image}", text(&place.path("layout")))
}

/// Leave the store without images.
fn forget(place: &Place) {
    fs::remove_dir_all(place.path("data")).unwrap();
}
