//! The fuzzer's program: how it is built, run and understood.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use host::child::spawn_bound;
use rustix::process::Signal;
use tempfile::TempDir;

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

/// A file system in memory, where there is one: a target that writes files is to wait for no disk (Linux
/// Documentation/filesystems/tmpfs.rst).
const IN_MEMORY: &str = "/dev/shm";

/// How much of the fuzzer's output is shown of a failure, in lines: where it was, what does not hold, and both sides of it.
const SHOWN: usize = 4;

/// What the fuzzer says before what it knows at the end (`-print_final_stats=1`).
const RUNS: &str = "stat::number_of_executed_units:";

/// What it says before the number of edges that were taken.
const COVERED: &str = " cov: ";

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
        let files = folder()?;
        let mut command = self.command(target, &files);
        let mut child = start(command.arg(input))?;
        let status = child.wait().doing(|| "wait for the fuzzer".into())?;
        Ok(u8::from(!status.success()))
    }

    /// The fuzzer for a target, within limits.
    fn command(&self, target: &str, files: &TempDir) -> Command {
        let mut command = Command::new(&self.0);
        command.env(TARGET, target).env("TMPDIR", files.path());
        command.arg(format!("-timeout={TIME_LIMIT}"));
        command.arg(format!("-rss_limit_mb={MEMORY_LIMIT}"));
        command
    }

    /// Runs a target for so many seconds, or until it fails.
    pub fn fuzz(&self, target: &str, folders: &Folders, seconds: u32) -> Result<Found, Error> {
        let files = folder()?;
        let mut command = self.command(target, &files);
        command.arg(&folders.corpus).arg(&folders.seeds);
        command.arg(format!("-artifact_prefix={}/", folders.failures.display()));
        command.arg(format!("-max_total_time={seconds}"));
        command.arg(format!("-max_len={MAX_INPUT}"));
        // Less is nothing to write down: the machine may have other work.
        command.arg(format!("-report_slow_units={TIME_LIMIT}"));
        command.arg("-print_final_stats=1").stdin(Stdio::null()).stdout(Stdio::null());
        let step = Step::start(&format!("fuzzing {target} for {seconds} s"));
        let mut child = start(command.stderr(Stdio::piped()))?;
        follow(&mut child, &folders.log, &step)?;
        let status = child.wait().doing(|| "wait for the fuzzer".into())?;
        drop(step);
        let log = fs::read(&folders.log).doing(|| format!("read {}", folders.log.display()))?;
        let found = understand(&String::from_utf8_lossy(&log));
        if status.success() || found.failure.is_some() {
            return Ok(found);
        }
        let log = folders.log.display();
        Err(Error::Content(format!("the fuzzer failed ({status}); its words are in {log}")))
    }
}

/// For the files that a target writes. One that fails leaves them.
fn folder() -> Result<TempDir, Error> {
    let in_memory = Some(PathBuf::from(IN_MEMORY)).filter(|folder| folder.is_dir());
    let parent = in_memory.unwrap_or_else(std::env::temp_dir);
    let made = tempfile::Builder::new().prefix("bulkhead-fuzz-").tempdir_in(&parent);
    made.doing(|| format!("make a folder in {}", parent.display()))
}

/// Starts the fuzzer. It ends when this program does, whatever ends it: what it has found out is in its files.
fn start(command: &mut Command) -> Result<Child, Error> {
    spawn_bound(command, &[], Signal::KILL).doing(|| format!("start `{}`", tool::spell(command)))
}

/// Writes down what the fuzzer says, to its end, and tells how far it is.
fn follow(child: &mut Child, log: &Path, step: &Step) -> Result<(), Error> {
    let writing = || format!("write {}", log.display());
    let mut log = File::create(log).doing(writing)?;
    let words = child.stderr.take().map(BufReader::new);
    for line in words.into_iter().flat_map(|words| words.split(b'\n')) {
        let mut line = line.doing(|| "read what the fuzzer says".into())?;
        if let Some(how_far) = how_far(&String::from_utf8_lossy(&line)) {
            step.tell(&how_far);
        }
        line.push(b'\n');
        log.write_all(&line).doing(writing)?;
    }
    Ok(())
}

/// What a line says of it: `#384854 REDUCE cov: 846 ft: 2917 …` (libFuzzer's documentation, "Output").
fn how_far(line: &str) -> Option<String> {
    let runs = line.strip_prefix('#')?.split_whitespace().next()?;
    let covered = line.split_once(COVERED)?.1.split_whitespace().next()?;
    Some(format!("{runs} runs, {covered} branches covered"))
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
    Found { runs: number(after(RUNS)), covered: number(after(COVERED)), failure }
}

/// The panic's message, which is after the line that says where it was; otherwise the fuzzer's own complaint.
fn message(log: &str) -> String {
    let lines =
        log.lines().skip_while(|line| !(line.contains("panicked at") || line.contains("ERROR: ")));
    let lines = lines.take_while(|line| *line != "stack backtrace:");
    lines.take(SHOWN).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is() {
        let line =
            "#384854\tREDUCE cov: 846 ft: 2917 corp: 681/209Kb lim: 8192 exec/s: 18326 rss: 33Mb";
        assert_eq!(how_far(line).unwrap(), "384854 runs, 846 branches covered");
        for line in ["", "#9", "INFO: Seed: 1", "###### Recommended dictionary. ######"] {
            assert_eq!(how_far(line), None, "{line}");
        }
    }

    #[test]
    fn the_log_says_what_was_found() {
        let calm = "#2\tINITED cov: 11 ft: 12\n#9\tDONE   cov: 345 ft: 400 corp: 3/9b\n\
            stat::number_of_executed_units: 4096\nstat::peak_rss_mb: 40\n";
        assert_eq!(understand(calm), Found { runs: 4096, covered: 345, failure: None });
        let failed = "#2\tINITED cov: 11 ft: 12\n\nthread '<unnamed>' panicked at a.rs:1:2:\nno\n\
            stack backtrace:\n  0: f\n==1== ERROR: libFuzzer: deadly signal\nartifact_prefix='/c/'; Test unit written to /c/crash-1\n";
        let failure = understand(failed).failure.unwrap();
        assert_eq!(failure.input, Path::new("/c/crash-1"));
        assert_eq!(failure.message, "thread '<unnamed>' panicked at a.rs:1:2:\nno");
    }
}
