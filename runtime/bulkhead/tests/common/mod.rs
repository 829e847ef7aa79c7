//! What the tests of the command share.
#![allow(dead_code)]

pub mod net;
#[path = "../../../images/tests/common/mod.rs"]
mod of_images;
pub mod podman;
pub mod registry;
pub mod store;

pub use of_images::*;
