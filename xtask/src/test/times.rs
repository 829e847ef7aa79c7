//! How long tests took in the last run, kept in the cache: the longest begin first, and are split.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::error::{Doing, Error};

/// In the cache's part of the same name.
const FOLDER: &str = "test-times";
const FILE: &str = "times.json";

/// How long the tests of one executable take that were never seen, and how many they are. Those that start guests wait longest.
const UNSEEN: Took = Took { seconds: 20.0, tests: 1 };
const UNSEEN_WITH_GUESTS: Took = Took { seconds: 90.0, tests: 1 };

/// How the names begin of those that start guests.
const WITH_GUESTS: &str = "tests: ";

/// What is known about the tests of one executable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Took {
    /// All of them together.
    seconds: f32,
    /// How many they are.
    tests: usize,
}

/// The times of all.
pub struct Times {
    before: BTreeMap<String, Took>,
    now: Mutex<BTreeMap<String, Took>>,
    file: PathBuf,
}

impl Times {
    /// Those of earlier runs. What can't be read is not known: it changes the order only.
    pub fn load() -> Result<Times, Error> {
        Ok(Times::read(Cache::open(FOLDER)?.path(FILE)))
    }

    fn read(file: PathBuf) -> Times {
        let text = fs::read(&file).unwrap_or_default();
        let before = serde_json::from_slice(&text).unwrap_or_default();
        Times { before, now: Mutex::default(), file }
    }

    fn before(&self, name: &str) -> Took {
        let unseen = if name.starts_with(WITH_GUESTS) { UNSEEN_WITH_GUESTS } else { UNSEEN };
        self.before.get(name).copied().unwrap_or(unseen)
    }

    /// How long all tests called `name` will take.
    pub fn expected(&self, name: &str) -> Duration {
        Duration::try_from_secs_f32(self.before(name).seconds).unwrap_or_default()
    }

    /// In how many parts they take up to `limit` each.
    pub fn parts(&self, name: &str, limit: Duration) -> usize {
        let parts = self.expected(name).as_secs_f32() / limit.as_secs_f32();
        (parts.ceil() as usize).clamp(1, self.before(name).tests.max(1))
    }

    /// `tests` of those called `name` took so long.
    pub fn add(&self, name: &str, tests: usize, took: Duration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = now.entry(name.to_owned()).or_insert(Took { seconds: 0.0, tests: 0 });
        sum.tests += tests;
        sum.seconds += took.as_secs_f32();
    }

    /// Keeps them for the next run.
    pub fn save(&self) -> Result<(), Error> {
        let mut all = self.before.clone();
        all.extend(self.now.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let doing = || format!("write {}", self.file.display());
        let text = serde_json::to_vec_pretty(&all).map_err(std::io::Error::from).doing(doing)?;
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let aside = tempfile::NamedTempFile::new_in(folder).doing(doing)?;
        fs::write(aside.path(), text).doing(doing)?;
        aside.persist(&self.file).map_err(|error| error.error).doing(doing)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_kept_and_summed_over_parts() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        let times = Times::read(file.clone());
        assert_eq!(times.parts("new", Duration::from_secs(1)), 1);
        assert!(times.expected("tests: new") > times.expected("new"));
        times.add("suite", 3, Duration::from_secs(100));
        times.add("suite", 2, Duration::from_secs(50));
        times.save().unwrap();
        let times = Times::read(file.clone());
        assert_eq!(times.expected("suite"), Duration::from_secs(150));
        assert_eq!(times.parts("suite", Duration::from_secs(60)), 3);
        // Not more than there are tests.
        assert_eq!(times.parts("suite", Duration::from_secs(10)), 5);
        // What did not run keeps its time.
        times.add("other", 1, Duration::from_secs(1));
        times.save().unwrap();
        assert_eq!(Times::read(file.clone()).expected("suite"), Duration::from_secs(150));
        fs::write(&file, "no JSON").unwrap();
        assert!(Times::read(file).before.is_empty());
    }
}
