//! Any order of changes by processes, any of which may die at any step, against a model.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::sample::draft;
use crate::container::{Config, ContainerError, Containers, Id, State, Status, Tenure};
use host::file::crash;

const NAMES: [&str; 3] = ["one", "two", "three"];

/// A process that another test starts has our locks too, until it is a program: for a moment somebody seems to hold what was
/// let go. It does not take longer than this.
const FORKS: Duration = Duration::from_secs(5);

const STATIONS: [Status; 5] =
    [Status::Created, Status::Running, Status::Paused, Status::Restarting, Status::Exited];

/// What a process does next, to one of the containers.
#[derive(Clone, Copy, Debug)]
enum Op {
    Create(Option<usize>),
    Rename {
        which: usize,
        name: usize,
    },
    Remove(usize),
    /// A supervisor begins.
    Start(usize),
    /// It says what the container does.
    Set {
        which: usize,
        status: Status,
    },
    /// It is killed.
    Kill(usize),
    /// It removes the container.
    RemoveHeld(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let (which, name) = (0..8usize, 0..NAMES.len());
    prop_oneof![
        3 => proptest::option::weighted(0.8, name.clone()).prop_map(Op::Create),
        2 => (which.clone(), name).prop_map(|(which, name)| Op::Rename { which, name }),
        1 => which.clone().prop_map(Op::Remove),
        2 => which.clone().prop_map(Op::Start),
        2 => (which.clone(), proptest::sample::select(&STATIONS))
            .prop_map(|(which, status)| Op::Set { which, status }),
        1 => which.clone().prop_map(Op::Kill),
        1 => which.prop_map(Op::RemoveHeld),
    ]
}

/// Names and states of what there is, and which have a supervisor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    containers: BTreeMap<Id, (String, Status)>,
    held: BTreeSet<Id>,
}

impl Model {
    /// What can be seen: without a supervisor, nothing runs.
    fn settle(mut self) -> Self {
        self.held.retain(|id| self.containers.contains_key(id));
        for (id, (_, status)) in &mut self.containers {
            if status.is_live() && !self.held.contains(id) {
                *status = Status::Exited;
            }
        }
        self
    }

    fn without(mut self, supervisor: &Id) -> Self {
        self.held.remove(supervisor);
        self.settle()
    }

    fn is_called(&self, name: &str) -> bool {
        self.containers.values().any(|(other, _)| other == name)
    }

    /// The state after `op` on the container `id`; `None` when it has to fail.
    fn after(&self, op: Op, id: &Id) -> Option<Self> {
        let mut after = self.clone();
        let held = self.held.contains(id);
        match op {
            Op::Create(name) => {
                let name = name.map_or("", |name| NAMES[name]);
                if self.is_called(name) {
                    return None;
                }
                after.containers.insert(id.clone(), (name.to_owned(), Status::Created));
            }
            Op::Rename { name, .. } => {
                let own = after.containers.get_mut(id)?;
                if self.is_called(NAMES[name]) {
                    return None;
                }
                own.0 = NAMES[name].to_owned();
            }
            Op::Start(_) => {
                after.containers.get_mut(id).filter(|_| !held)?.1 = Status::Running;
                after.held.insert(id.clone());
            }
            Op::Set { status, .. } => {
                after.containers.get_mut(id).filter(|_| held)?.1 = status;
            }
            Op::Kill(_) => return held.then(|| after.without(id)),
            Op::Remove(_) | Op::RemoveHeld(_) => {
                if held != matches!(op, Op::RemoveHeld(_)) {
                    return None;
                }
                after.containers.remove(id)?;
            }
        }
        Some(after.settle())
    }
}

struct World {
    _work: tempfile::TempDir,
    containers: Containers,
    tenures: BTreeMap<Id, Tenure>,
    model: Model,
}

impl World {
    fn new() -> Self {
        crash::plan(None);
        let (work, containers) = super::containers();
        Self { _work: work, containers, tenures: BTreeMap::new(), model: Model::default() }
    }

    fn id(&self, op: Op) -> Option<Id> {
        match op {
            Op::Create(_) => Some(Id::random().unwrap()),
            Op::Rename { which, .. }
            | Op::Remove(which)
            | Op::Start(which)
            | Op::Set { which, .. }
            | Op::Kill(which)
            | Op::RemoveHeld(which) => {
                let count = self.model.containers.len().max(1);
                self.model.containers.keys().nth(which % count).cloned()
            }
        }
    }

    /// Do it, or as much of it as the process lives for; whether it was something to do.
    fn run(&mut self, op: Op, id: &Id) -> Result<bool, ContainerError> {
        let find = |containers: &Containers| containers.find(id.as_str());
        let state = |status| State { status, ..State::default() };
        match op {
            Op::Create(name) => {
                let name = name.map_or("", |name| NAMES[name]);
                self.containers.create(Config { id: id.clone(), ..draft(name) })?;
            }
            Op::Rename { name, .. } => {
                self.containers.rename(&find(&self.containers)?, NAMES[name])?;
            }
            Op::Remove(_) => {
                let container = find(&self.containers)?;
                self.containers.remove(&container, container.tenure()?)?;
            }
            Op::Start(_) => {
                let mut tenure = find(&self.containers)?.tenure()?;
                tenure.set(&state(Status::Running))?;
                self.tenures.insert(id.clone(), tenure);
            }
            Op::Set { status, .. } => match self.tenures.get_mut(id) {
                Some(tenure) => tenure.set(&state(status))?,
                None => return Ok(false),
            },
            Op::Kill(_) => return Ok(self.tenures.remove(id).is_some()),
            Op::RemoveHeld(_) => match self.tenures.remove(id) {
                Some(tenure) => {
                    self.containers.remove(&find(&self.containers)?, tenure)?;
                }
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    fn step(&mut self, op: Op, death: Option<u32>) {
        let Some(id) = self.id(op) else { return };
        let (before, after) = (self.model.clone(), self.model.after(op, &id));
        let deadline = Instant::now() + FORKS;
        let result = loop {
            crash::plan(death);
            match self.run(op, &id) {
                Err(ContainerError::Running(_))
                    if !self.tenures.contains_key(&id) && Instant::now() < deadline => {}
                result => break result,
            }
        };
        let died = crash::died() && result.is_err();
        crash::plan(None);
        let is_supervisor = matches!(op, Op::Start(_) | Op::Set { .. } | Op::RemoveHeld(_));
        if died && is_supervisor {
            self.tenures.remove(&id);
        }
        let mut found = self.found();
        let mut allowed = match (result, after) {
            (Ok(true), after) => vec![after.unwrap_or_else(|| panic!("{op:?} had to fail"))],
            (Ok(false), _) => vec![before],
            (Err(_), after) if died => {
                let both = [Some(before), after].into_iter().flatten();
                match is_supervisor {
                    true => both.map(|model| model.without(&id)).collect(),
                    false => both.collect(),
                }
            }
            (Err(error), after) => {
                assert_eq!(after, None, "{op:?}: {error}");
                vec![before]
            }
        };
        if let Op::Create(None) = op {
            // It has a name that was made up.
            for model in &mut allowed {
                if let (Some(own), Some(made)) =
                    (model.containers.get_mut(&id), found.containers.get(&id))
                {
                    own.0.clone_from(&made.0);
                }
            }
        }
        while !allowed.contains(&found) && Instant::now() < deadline {
            found = self.found();
        }
        assert!(allowed.contains(&found), "{op:?}: {found:?} is none of {allowed:?}");
        let names: BTreeSet<&String> = found.containers.values().map(|(name, _)| name).collect();
        assert_eq!(names.len(), found.containers.len(), "{op:?}: {found:?}");
        self.model = found;
    }

    /// What there is. Nothing is half there: each folder is a container.
    fn found(&self) -> Model {
        let list = self.containers.list().unwrap();
        let folders = fs::read_dir(self.containers.folder()).unwrap().flatten();
        let folders =
            folders.filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
        assert_eq!(folders.count(), list.len());
        let containers = list.iter().map(|container| {
            let status = container.state().unwrap().status;
            (container.id().clone(), (container.config().name.clone(), status))
        });
        let containers = containers.collect();
        Model { containers, held: self.tenures.keys().cloned().collect() }
    }
}

proptest! {
    // Each case makes some hundred files durable.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn nothing_is_lost_and_nothing_is_half_there(
        ops in proptest::collection::vec((op(), proptest::option::weighted(0.3, 0..16u32)), 1..60),
    ) {
        let mut world = World::new();
        for (op, death) in ops {
            world.step(op, death);
        }
        world.step(Op::Create(None), None);
        // Whoever made that one has swept up.
        let folders = fs::read_dir(world.containers.folder()).unwrap().flatten();
        let others = folders.filter(|entry| entry.file_name().len() != 64).count();
        prop_assert_eq!(others, 1, "only .lock");
    }
}
