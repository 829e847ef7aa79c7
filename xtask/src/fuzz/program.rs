//! The fuzzer's program: how it is built, run and understood.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use super::Folders;
use crate::arch::Arch;
use crate::cargo;
use crate::error::{Doing, Error};
use crate::needs;
use crate::progress::Step;
use crate::tool;
use crate::toolchain;

/// Counts edges in counters of a byte, and compares (LLVM SanitizerCoverage; what `-fsanitize=fuzzer` of clang's stands for).
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// Which target the program runs: `TARGET_VARIABLE` of `fuzz/targets`.
const TARGET: &str = "BULKHEAD_FUZZ_TARGET";

/// The longest input that the fuzzer makes, in bytes. Longer ones find little more and take longer.
const MAX_INPUT: usize = 8 << 10;

/// One input that takes longer, in seconds, is a failure: a thousand times what any should take.
const TIME_LIMIT: u32 = 60;

/// The most memory, in MiB: a zstd frame may ask for 128.
const MEMORY_LIMIT: u32 = 1024;

/// How much of the fuzzer's output is shown of a failure, in lines.
const SHOWN: usize = 3;

/// What the fuzzer says before what it knows at the end (`-print_final_stats=1`).
const RUNS: &str = "stat::number_of_executed_units:";

/// And before the name of the file that has a failure's input.
const WRITTEN: &str = "Test unit written to ";

/// The program.
pub struct Program(PathBuf);

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// How many inputs were tried.
    pub runs: u64,
    /// How many edges between pieces of code were taken by any.
    pub covered: u64,
    /// What a target failed with.
    pub failure: Option<Failure>,
}

/// An input, and what it does.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The panic's message, or what the fuzzer has to say.
    pub message: String,
    /// The file.
    pub input: PathBuf,
}

impl Program {
    /// Builds it, for this machine.
    pub fn build() -> Result<Program, Error> {
        needs::provide(&[&needs::CXX])?;
        let mut command = cargo::command(&["build", "--release", "--target", Arch::NATIVE.gnu()]);
        command.arg("--manifest-path").arg(cargo::workspace().join("fuzz/Cargo.toml"));
        command.arg("--target-dir").arg(toolchain::fuzz_folder());
        command.env("RUSTFLAGS", FLAGS);
        let executables = cargo::executables("building the fuzz targets", &mut command)?;
        let found = executables.into_iter().find(|executable| executable.name == "fuzz");
        let found = found.ok_or_else(|| Error::Content("cargo built no fuzzer".into()))?;
        Ok(Program(found.path))
    }

    /// Runs a target on one input, for all to see.
    pub fn replay(&self, target: &str, input: &Path) -> Result<u8, Error> {
        let mut command = Command::new(&self.0);
        command.env(TARGET, target).arg(input);
        let status = status_of(&mut command)?;
        Ok(u8::from(!status.success()))
    }

    /// Runs a target for so many seconds, or until it fails.
    pub fn fuzz(&self, target: &str, folders: &Folders, seconds: u32) -> Result<Found, Error> {
        let doing = || format!("write {}", folders.log.display());
        let log = File::create(&folders.log).doing(doing)?;
        let mut command = Command::new(&self.0);
        command.env(TARGET, target).arg(&folders.corpus).arg(&folders.seeds);
        command.arg(format!("-artifact_prefix={}/", folders.failures.display()));
        command.arg(format!("-max_total_time={seconds}"));
        command.arg(format!("-max_len={MAX_INPUT}"));
        command.arg(format!("-timeout={TIME_LIMIT}"));
        command.arg(format!("-rss_limit_mb={MEMORY_LIMIT}"));
        command.arg("-print_final_stats=1");
        command.stdout(log.try_clone().doing(doing)?).stderr(log);
        let step = Step::start(&format!("fuzzing {target} for {seconds} s"));
        let status = status_of(&mut command)?;
        drop(step);
        let log = fs::read(&folders.log).doing(|| format!("read {}", folders.log.display()))?;
        let found = understand(&String::from_utf8_lossy(&log));
        if !status.success() && found.failure.is_none() {
            let log = folders.log.display();
            return Err(Error::Content(format!(
                "the fuzzer failed ({status}); its words are in {log}"
            )));
        }
        Ok(found)
    }
}

fn status_of(command: &mut Command) -> Result<ExitStatus, Error> {
    command.status().doing(|| format!("run `{}`", tool::spell(command)))
}

/// Reads the fuzzer's log.
fn understand(log: &str) -> Found {
    let after = |start: &'static str| {
        log.lines().rev().find_map(move |line| Some(line.split_once(start)?.1.trim()))
    };
    let number = |text: Option<&str>| {
        let first = text.and_then(|text| text.split_whitespace().next());
        first.and_then(|number| number.parse::<u64>().ok()).unwrap_or(0)
    };
    let failure =
        after(WRITTEN).map(|input| Failure { message: message(log), input: input.into() });
    Found { runs: number(after(RUNS)), covered: number(after(" cov: ")), failure }
}

/// The panic's message, which is after the line that says where it was; otherwise the fuzzer's own complaint.
fn message(log: &str) -> String {
    let lines =
        log.lines().skip_while(|line| !(line.contains("panicked at") || line.contains("ERROR: ")));
    lines.take(SHOWN).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_says_what_was_found() {
        let calm = "#2\tINITED cov: 11 ft: 12\n#9\tDONE   cov: 345 ft: 400 corp: 3/9b\n\
            stat::number_of_executed_units: 4096\nstat::peak_rss_mb: 40\n";
        assert_eq!(understand(calm), Found { runs: 4096, covered: 345, failure: None });
        let failed = "#2\tINITED cov: 11 ft: 12\n\nthread '<unnamed>' panicked at a.rs:1:2:\nno\nnote: x\n\
            ==1== ERROR: libFuzzer: deadly signal\nartifact_prefix='/c/'; Test unit written to /c/crash-1\n";
        let failure = understand(failed).failure.unwrap();
        assert_eq!(failure.input, Path::new("/c/crash-1"));
        assert!(failure.message.starts_with("thread") && failure.message.contains("\nno\n"));
    }
}
