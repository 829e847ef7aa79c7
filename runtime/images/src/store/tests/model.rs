//! What the store should hold after each change.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

/// What a process does next.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// One process goes on loading an image: its blobs one by one, then its name.
    Load {
        image: usize,
        name: Option<usize>,
    },
    Tag {
        from: usize,
        to: usize,
    },
    RemoveName(usize),
    RemoveImage {
        image: usize,
        force: bool,
    },
    Prune,
}

pub const IMAGES: usize = 4;
pub const NAMES: [&str; 3] = ["a:1", "b:1", "b:2"];

/// A container uses this image, whatever happens to its names.
pub const IN_USE: usize = 1;

/// Names, and images without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    pub names: BTreeMap<usize, usize>,
    pub nameless: BTreeSet<usize>,
}

impl Model {
    pub fn names_of(&self, image: usize) -> usize {
        self.names.values().filter(|named| **named == image).count()
    }

    pub fn add(&mut self, image: usize, name: Option<usize>) {
        match name {
            Some(name) => {
                let before = self.names.insert(name, image);
                self.nameless.remove(&image);
                if let Some(before) = before.filter(|before| self.names_of(*before) == 0) {
                    self.nameless.insert(before);
                }
            }
            None if self.names_of(image) == 0 => {
                self.nameless.insert(image);
            }
            None => {}
        }
    }

    /// The state after `op`, when it succeeds.
    pub fn after(&self, op: Op) -> Self {
        let mut after = self.clone();
        match op {
            Op::Load { image, name } => after.add(image, name),
            Op::Tag { from, to } => {
                if let Some(image) = self.names.get(&from) {
                    after.add(*image, Some(to));
                }
            }
            Op::RemoveName(name) => {
                after.names.remove(&name);
            }
            Op::RemoveImage { image, force } => {
                if self.names_of(image) <= 1 || force {
                    after.names.retain(|_, named| *named != image);
                    after.nameless.remove(&image);
                }
            }
            Op::Prune => after.nameless.retain(|image| *image == IN_USE),
        }
        after
    }
}

/// Any change.
pub fn op() -> impl Strategy<Value = Op> {
    let (image, name) = (0..IMAGES, 0..NAMES.len());
    prop_oneof![
        6 => (image.clone(), proptest::option::of(name.clone()))
            .prop_map(|(image, name)| Op::Load { image, name }),
        1 => (name.clone(), name.clone()).prop_map(|(from, to)| Op::Tag { from, to }),
        1 => name.prop_map(Op::RemoveName),
        1 => (image, any::<bool>()).prop_map(|(image, force)| Op::RemoveImage { image, force }),
        1 => Just(Op::Prune),
    ]
}
