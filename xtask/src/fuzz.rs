//! `cargo xtask fuzz`: the fuzz targets under libFuzzer.
//!
//! The targets are the functions of the crate `fuzz/targets`. The workspace `fuzz` puts all of them into one program with
//! libFuzzer, which its package `libfuzzer-sys` has in C++, and the whole is compiled with counters that tell the fuzzer which
//! ways through the code an input takes. A stable compiler can do that. What the fuzzer finds out stays in the cache: inputs
//! that are worth to begin with, and those that a target failed with.

mod program;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cache::Cache;
use crate::cargo;
use crate::error::{Doing, Error};
use program::{Found, Program};

const EXAMPLES: &str = "\
Examples:
  cargo xtask fuzz                       all targets, a minute each
  cargo xtask fuzz tar --seconds 3600    one of them, for an hour
  cargo xtask fuzz tar --input FILE      run it once, on what was found
  cargo xtask fuzz --list                what there is

New inputs are kept in the cache, and those that a target failed with, too. `cargo xtask test` runs all targets on the seeds in
fuzz/seeds, among which a fixed failure's input belongs.";

/// Look for inputs that the parsers and device models fail with
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct FuzzArgs {
    /// What to fuzz [default: all, one after the other]
    target: Option<String>,
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Run the target once, on this file
    #[arg(long, value_name = "FILE", requires = "target", conflicts_with = "seconds")]
    input: Option<PathBuf>,
    /// List the targets
    #[arg(long, conflicts_with_all = ["target", "seconds", "input"])]
    list: bool,
}

impl FuzzArgs {
    /// Runs them; the status is 1 when something was found.
    pub fn run(self) -> Result<u8, Error> {
        let all = targets()?;
        if self.list {
            all.iter().for_each(|target| println!("{target}"));
            return Ok(0);
        }
        let wanted = match &self.target {
            Some(target) if all.contains(target) => vec![target.clone()],
            Some(target) => {
                let message =
                    format!("there is no fuzz target {target}: right is one of {}", all.join(", "));
                return Err(Error::Usage(message));
            }
            None => all,
        };
        if let Some(input) = &self.input {
            // Of a folder the fuzzer would take all, and go on from there.
            if !input.is_file() {
                let message = format!("--input: {} is no file", input.display());
                return Err(Error::Usage(message));
            }
            return Program::build()?.replay(&wanted[0], input);
        }
        let program = Program::build()?;
        let cache = Cache::open("fuzz")?;
        let mut failed = 0;
        for target in &wanted {
            let folders = Folders::of(&cache, target)?;
            let found = program.fuzz(target, &folders, self.seconds)?;
            report(target, &found);
            failed += u8::from(found.failure.is_some());
        }
        Ok(u8::from(failed > 0))
    }
}

/// Where a target's inputs are.
struct Folders {
    /// What is in the source tree.
    seeds: PathBuf,
    /// What the fuzzer has come upon.
    corpus: PathBuf,
    /// What the target failed with.
    failures: PathBuf,
    /// What the fuzzer says.
    log: PathBuf,
}

impl Folders {
    fn of(cache: &Cache, target: &str) -> Result<Folders, Error> {
        let folder = |kind: &str| {
            let path = cache.path(kind).join(target);
            fs::create_dir_all(&path).doing(|| format!("create {}", path.display())).map(|()| path)
        };
        Ok(Folders {
            seeds: seeds().join(target),
            corpus: folder("corpus")?,
            failures: folder("failures")?,
            log: cache.path(&format!("{target}.log")),
        })
    }
}

fn seeds() -> PathBuf {
    cargo::workspace().join("fuzz/seeds")
}

/// The names of all targets: each has a folder of seeds, which a test sees to.
fn targets() -> Result<Vec<String>, Error> {
    let folder = seeds();
    let doing = || format!("read {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).doing(doing)? {
        names.push(entry.doing(doing)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// What came of it, in a line; more if something was found.
fn report(target: &str, found: &Found) {
    let Found { runs, covered, failure } = found;
    let Some(failure) = failure else {
        println!("{target}: {runs} runs, {covered} branches covered, nothing found");
        return;
    };
    println!("{target}: FAILED after {runs} runs");
    failure.message.lines().for_each(|line| println!("  {line}"));
    println!("  again: {}", again(target, &failure.input));
}

/// The command that shows a failure again.
fn again(target: &str, input: &Path) -> String {
    format!("cargo xtask fuzz {target} --input {}", input.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_say_which_targets_there_are() {
        let targets = targets().unwrap();
        assert!(targets.len() >= 14 && targets.iter().any(|target| target == "tar"), "{targets:?}");
        assert_eq!(again("tar", Path::new("/c")), "cargo xtask fuzz tar --input /c");
    }
}
