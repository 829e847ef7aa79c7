//! The flags about a container's life.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::error::CommandError;
use crate::platforms::platform;
use crate::size::parse_size;
use crate::timeouts::parse_timeout;
use crate::variables;
use containers::container::{LogOptions, RestartPolicy};
use host::platform::Platform;
use host::signal;

/// How it lives.
#[derive(Clone, Debug, Args)]
pub struct Life {
    /// Its name [default: one is made up]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The machine that its image must be for, linux/amd64 or linux/arm64 [default: this one, and there is no other here]
    #[arg(long, value_parser = platform(), value_name = "PLATFORM", hide_possible_values = true)]
    pub platform: Option<Platform>,
    /// Remove it when it has ended
    #[arg(long)]
    pub rm: bool,
    /// Pass on what is typed
    #[arg(long, short)]
    pub interactive: bool,
    /// Give it a terminal
    #[arg(long, short)]
    pub tty: bool,
    /// Start it again when it ends, until it is stopped: no, on-failure, on-failure:MAX, always or unless-stopped
    ///
    /// After a restart of this machine nothing starts by itself, so always and unless-stopped mean the same.
    #[arg(long, value_name = "POLICY", default_value = "no", value_parser = parse_restart)]
    pub restart: RestartPolicy,
    /// The signal that asks it to end [default: the image's, else TERM]
    #[arg(long, value_name = "SIGNAL", value_parser = signal::parse)]
    pub stop_signal: Option<u8>,
    /// How long it may take to, until it is killed; -1 for ever
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_timeout, allow_negative_numbers = true)]
    pub stop_timeout: u32,
    /// Note something about it
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    pub label: Vec<String>,
    /// Read labels from a file, one a line
    #[arg(long, value_name = "FILE")]
    pub label_file: Vec<PathBuf>,
    /// Write its ID to a file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    pub cidfile: Option<PathBuf>,
    /// How much of its output is kept: max-size=SIZE of a file, max-file=N files
    #[arg(long, value_name = "OPTION=VALUE")]
    pub log_opt: Vec<String>,
}

impl Life {
    /// What can't be: docker refuses it too.
    pub fn check(&self) -> Result<(), CommandError> {
        if self.rm && self.restart != RestartPolicy::No {
            let message = "--rm and --restart exclude each other: a container that is removed is not started again";
            return Err(CommandError::Usage(message.to_owned()));
        }
        match self.platform {
            Some(other) if other != Platform::NATIVE => {
                let native = Platform::NATIVE;
                let message = format!(
                    "--platform {other}: this machine runs {native}, and emulates no other for a container"
                );
                Err(CommandError::Usage(message))
            }
            _ => Ok(()),
        }
    }

    /// All labels. Those of the command line overrule those of files, the later the earlier.
    pub fn labels(&self) -> Result<BTreeMap<String, String>, CommandError> {
        let mut labels = BTreeMap::new();
        for path in &self.label_file {
            for label in variables::read(path)? {
                insert_label(&mut labels, &label)?;
            }
        }
        for label in &self.label {
            insert_label(&mut labels, label)?;
        }
        Ok(labels)
    }

    /// How its log is kept.
    pub fn log(&self) -> Result<LogOptions, CommandError> {
        let mut options = LogOptions::default();
        let wrong = |option: &str, problem: String| {
            CommandError::Usage(format!("--log-opt '{}': {problem}", option.escape_debug()))
        };
        for option in &self.log_opt {
            match option.split_once('=') {
                Some(("max-size", size)) => {
                    options.max_size = match parse_size(size).map_err(|why| wrong(option, why))? {
                        0 => return Err(wrong(option, "a file needs some room".to_owned())),
                        size => size,
                    }
                }
                Some(("max-file", count)) => {
                    options.max_file = match count.parse() {
                        Ok(count @ 1..=LogOptions::MAX_FILES) => count,
                        _ => {
                            let most = LogOptions::MAX_FILES;
                            return Err(wrong(option, format!("give 1 to {most} files")));
                        }
                    }
                }
                _ => {
                    return Err(wrong(option, "there are max-size=SIZE and max-file=N".to_owned()));
                }
            }
        }
        Ok(options)
    }
}

/// Adds a label, in place of one of its name.
pub fn insert_label(labels: &mut BTreeMap<String, String>, text: &str) -> Result<(), CommandError> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    if name.trim().is_empty() {
        let text = text.escape_debug();
        let message = format!("--label '{text}' has no name: give NAME=VALUE or NAME");
        return Err(CommandError::Usage(message));
    }
    labels.insert(name.trim_end().to_owned(), value.to_owned());
    Ok(())
}

fn parse_restart(text: &str) -> Result<RestartPolicy, String> {
    let wrong = || {
        format!(
            "'{}' is no policy: there are no, on-failure, on-failure:MAX, always and unless-stopped",
            text.escape_debug()
        )
    };
    // As docker (docker/cli `opts.ParseRestartPolicy`): nothing is no policy, and 0 or nothing no number.
    let (policy, max) = text.split_once(':').unwrap_or((text, ""));
    let max = if max.is_empty() { 0 } else { max.parse().map_err(|_| wrong())? };
    match (policy, max) {
        ("no", 0) => Ok(RestartPolicy::No),
        ("", 0) if text.is_empty() => Ok(RestartPolicy::No),
        ("always", 0) => Ok(RestartPolicy::Always),
        ("unless-stopped", 0) => Ok(RestartPolicy::UnlessStopped),
        ("on-failure", max) => {
            Ok(RestartPolicy::OnFailure { max: Some(max).filter(|&max| max > 0) })
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Only {
        #[command(flatten)]
        life: Life,
    }

    fn life(flags: &[&str]) -> Result<Life, String> {
        let all = [&["x"], flags].concat();
        Only::try_parse_from(all).map(|only| only.life).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_are_dockers() {
        let plain = life(&[]).unwrap();
        assert_eq!((plain.restart, plain.stop_timeout), (RestartPolicy::No, 10));
        assert_eq!(plain.log().unwrap(), LogOptions::default());
        let full = life(&[
            "--restart",
            "on-failure:3",
            "-l",
            "a=b=c",
            "--label",
            "d",
            "--stop-signal",
            "SIGINT",
            "--log-opt",
            "max-size=1m",
            "--log-opt",
            "max-file=5",
        ])
        .unwrap();
        assert_eq!(full.restart, RestartPolicy::OnFailure { max: Some(3) });
        assert_eq!(full.stop_signal, Some(2));
        let labels: Vec<_> = full.labels().unwrap().into_iter().collect();
        assert_eq!(labels, [("a".into(), "b=c".into()), ("d".into(), String::new())]);
        assert_eq!(full.log().unwrap(), LogOptions { max_size: 1 << 20, max_file: 5 });
        let unlimited = life(&["--restart", "on-failure:0"]).unwrap();
        assert_eq!(unlimited.restart, RestartPolicy::OnFailure { max: None });
        for (name, policy) in [
            ("no", RestartPolicy::No),
            ("", RestartPolicy::No),
            ("always:0", RestartPolicy::Always),
            ("on-failure:", RestartPolicy::OnFailure { max: None }),
            ("always", RestartPolicy::Always),
            ("unless-stopped", RestartPolicy::UnlessStopped),
        ] {
            assert_eq!(life(&["--restart", name]).unwrap().restart, policy);
        }
        for wrong in
            ["on-failure:-1", "on-failure:x", "always:1", "unless-stopped:1", "unless", ":", "no:1"]
        {
            let error = life(&["--restart", wrong]).unwrap_err();
            assert!(error.contains("is no policy"), "{error}");
        }
        for wrong in ["max-size=0", "max-size=x", "max-file=0", "max-file=1001", "tag=x", "x"] {
            let error = life(&["--log-opt", wrong]).unwrap().log().unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
        assert!(life(&["-l", "=x"]).unwrap().labels().is_err());
        let native = Platform::NATIVE.to_string();
        life(&["--platform", &native]).unwrap().check().unwrap();
        let other =
            ["linux/amd64", "linux/arm64"].into_iter().find(|name| **name != native).unwrap();
        let elsewhere = life(&["--platform", other]).unwrap().check().unwrap_err().to_string();
        assert!(elsewhere.contains(other) && elsewhere.contains(&native), "{elsewhere}");
        let both = life(&["--rm", "--restart", "always"]).unwrap().check();
        assert!(both.unwrap_err().to_string().contains("--restart"));
    }

    #[test]
    fn labels_come_from_files() {
        let work = tempfile::tempdir().unwrap();
        let path = work.path().join("labels");
        std::fs::write(&path, "# one\na=file\n\nb\n").unwrap();
        let path = path.to_str().unwrap();
        let labels = life(&["--label-file", path, "-l", "a=flag"]).unwrap().labels().unwrap();
        let labels: Vec<_> = labels.into_iter().collect();
        assert_eq!(labels, [("a".into(), "flag".into()), ("b".into(), String::new())]);
        std::fs::write(path, "a\n=b\n").unwrap();
        let error = life(&["--label-file", path]).unwrap().labels().unwrap_err().line();
        assert!(error.contains("labels:2: it has no name"), "{error}");
        assert!(life(&["--label-file", "/no/such"]).unwrap().labels().is_err());
    }
}
