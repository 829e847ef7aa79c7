//! Any order of changes by several processes, any of which may die at any step, against the model.

use std::collections::BTreeSet;
use std::fs;

use proptest::prelude::*;

use super::model::{IMAGES, IN_USE, Model, NAMES, Op, op};
use super::names;
use super::sample::Sample;
use crate::store::{ImageStore, Name, Session, StoreError};
use host::digest::Digest;
use host::file::crash;

struct World {
    _folder: tempfile::TempDir,
    store: ImageStore,
    samples: Vec<Sample>,
    model: Model,
    /// The process that loads: its session, the image, and how many of its blobs are there.
    loading: Option<(Session, usize, usize)>,
    /// The image in use was in the store.
    in_use: bool,
}

impl World {
    fn new() -> Self {
        crash::plan(None);
        let (folder, store) = super::store();
        let samples = (0..IMAGES).map(Sample::new).collect();
        let model = Model::default();
        Self { _folder: folder, store, samples, model, loading: None, in_use: false }
    }

    /// A container can only use an image that was in the index.
    fn in_use(&self) -> Vec<Digest> {
        self.in_use.then(|| self.samples[IN_USE].digest()).into_iter().collect()
    }

    /// Do it, or as much of it as the process lives for; whether the index may have changed.
    fn run(&mut self, op: Op) -> Result<bool, StoreError> {
        let in_use = self.in_use();
        match op {
            Op::Load { image, name } => return self.load(image, name),
            Op::Tag { from, to } => {
                self.store.tag(NAMES[from], &Name::parse(NAMES[to]).unwrap())?;
            }
            Op::RemoveName(name) => {
                self.store.remove(NAMES[name], false, &|| Ok(in_use.clone()))?;
            }
            Op::RemoveImage { image, force } => {
                let id = self.samples[image].id.hex();
                self.store.remove(&id[..20], force, &|| Ok(in_use.clone()))?;
            }
            // It would wait for the process that loads.
            Op::Prune if self.loading.is_some() => return Ok(false),
            Op::Prune => {
                self.store.prune(&|| Ok(in_use.clone()))?;
            }
        }
        Ok(true)
    }

    fn load(&mut self, image: usize, name: Option<usize>) -> Result<bool, StoreError> {
        let (session, image, done) = match self.loading.take() {
            Some(loading) => loading,
            None => (self.store.session()?, image, 0),
        };
        let sample = &self.samples[image];
        if done < sample.blobs.len() {
            sample.put(&session, done)?;
            self.loading = Some((session, image, done + 1));
            return Ok(false);
        }
        let name = name.map(|name| Name::parse(NAMES[name]).unwrap());
        session.add(&[(sample.manifest.clone(), name)])?;
        Ok(true)
    }

    fn step(&mut self, op: Op, death: Option<u32>) {
        // What is loaded is what was begun.
        let op = match (op, &self.loading) {
            (Op::Load { name, .. }, Some((_, image, _))) => Op::Load { image: *image, name },
            _ => op,
        };
        let (before, after) = (self.model.clone(), self.model.after(op));
        crash::plan(death);
        let result = self.run(op);
        let died = crash::died();
        crash::plan(None);
        let found = self.found();
        match result {
            Ok(true) => assert_eq!(found, after, "{op:?}"),
            Ok(false) => assert_eq!(found, before, "{op:?}"),
            Err(_) if died => assert!(found == before || found == after, "{op:?}: {found:?}"),
            Err(error) => assert_eq!(found, before, "{op:?}: {error}"),
        }
        self.model = found;
        self.in_use |= self.model.nameless.contains(&IN_USE) || self.model.names_of(IN_USE) > 0;
        if let Some((session, image, done)) = &self.loading {
            let put = &self.samples[*image].blobs[..*done];
            assert!(put.iter().all(|blob| session.has(Digest::of(blob))), "{op:?}");
        }
        self.check_blobs(op);
    }

    /// What the store says it holds.
    fn found(&self) -> Model {
        let mut found = Model::default();
        for image in self.store.list().unwrap() {
            let number = self.samples.iter().position(|sample| sample.id == image.id).unwrap();
            for name in &image.names {
                let name = NAMES.iter().position(|known| *known == name.short()).unwrap();
                assert_eq!(found.names.insert(name, number), None);
            }
            if image.names.is_empty() {
                assert!(found.nameless.insert(number));
            }
        }
        found
    }

    fn needed(&self) -> BTreeSet<String> {
        let in_use = self.in_use.then_some(&IN_USE);
        let images = self.model.names.values().chain(&self.model.nameless).chain(in_use);
        let blobs = images.flat_map(|image| &self.samples[*image].blobs);
        blobs.map(|blob| Digest::of(blob).hex()).collect()
    }

    /// Every blob is whole, and every needed one is there.
    fn check_blobs(&self, op: Op) {
        let there = names(&self.store.blobs());
        assert!(there.is_superset(&self.needed()), "{op:?}");
        for name in there {
            let bytes = fs::read(self.store.blobs().join(&name)).unwrap();
            assert_eq!(Digest::of(&bytes).hex(), name);
        }
    }
}

proptest! {
    // Each case makes some hundred files durable.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn nothing_is_lost_and_nothing_is_half_there(
        ops in proptest::collection::vec((op(), proptest::option::weighted(0.3, 0..8u32)), 1..60),
    ) {
        let mut world = World::new();
        for (op, death) in ops {
            world.step(op, death);
        }
        world.loading = None;
        world.step(Op::Prune, None);
        prop_assert_eq!(names(&world.store.blobs()), world.needed());
        prop_assert_eq!(names(&world.store.ingest()), BTreeSet::new());
    }
}
