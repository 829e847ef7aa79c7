//! `ps`: the containers.

mod filter;

use clap::Args;
use protocol::{ByteString, Process};
use serde_json::{Value, json};

use crate::error::CommandError;
use crate::output::{listing, print};
use crate::ports;
use crate::template::Template;
use containers::container::{Config, Containers, State, Status};
use filter::{Filter, Filters};
use host::platform::Platform;
use host::time::{ago, now, show_in_list};

/// List containers
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bulkhead ps -a\n  bulkhead ps -q --filter label=team=web\n  bulkhead ps --format '{{.ID}} {{.Names}} {{.Status}}'"
)]
pub struct PsArguments {
    /// Also those that don't run
    #[arg(long, short)]
    pub all: bool,
    /// Print IDs alone
    #[arg(long, short)]
    pub quiet: bool,
    /// Print whole IDs and commands
    #[arg(long)]
    pub no_trunc: bool,
    /// The newest, whether it runs or not
    #[arg(long, short)]
    pub latest: bool,
    /// The N newest, whether they run or not; -1 for all that run
    #[arg(
        long,
        short = 'n',
        value_name = "N",
        default_value = "-1",
        allow_negative_numbers = true,
        hide_default_value = true
    )]
    pub last: i64,
    /// Only those with name=PATTERN, id=START, status=STATUS, exited=N, ancestor=IMAGE, before=CONTAINER, since=CONTAINER,
    /// label=NAME or label=NAME=VALUE
    ///
    /// Of several filters of a kind one must fit, but all labels, and one of each kind.
    #[arg(long, short, value_name = "FILTER", value_parser = Filter::parse)]
    pub filter: Vec<Filter>,
    /// Print each container so: json, or text with fields like {{.ID}}
    #[arg(long, value_name = "FORMAT", value_parser = Template::parse)]
    pub format: Option<Template>,
}

/// Prints the list.
pub fn execute(arguments: &PsArguments) -> Result<u8, CommandError> {
    let containers = Containers::open_default()?;
    let last = if arguments.latest { 1 } else { arguments.last };
    let filters = Filters::look_up(&arguments.filter, &containers)?;
    let all = arguments.all || last > 0 || arguments.filter.iter().any(Filter::asks_for_all);
    let mut rows = Vec::new();
    for container in containers.list()? {
        let state = match container.state() {
            Ok(state) => state,
            // Removed meanwhile.
            Err(_) if !container.folder().exists() => continue,
            Err(error) => {
                log::warn!("{error}");
                continue;
            }
        };
        let config = container.config();
        if (all || state.status.is_live()) && filters.fit(config, &state) {
            rows.push(row(config, &state, arguments.no_trunc));
        }
    }
    if let Ok(last @ 1..) = usize::try_from(last) {
        // The newest are first.
        rows.truncate(last);
    }
    let text = match &arguments.format {
        // As docker, which warns of a format beside it.
        _ if arguments.quiet => listing(&rows, &[("", "ID")], false),
        Some(template) if !template.is_usual() => template.lines(&rows, &COLUMNS)?,
        _ => listing(&rows, &COLUMNS, true),
    };
    print(&text)?;
    Ok(0)
}

const COLUMNS: [(&str, &str); 7] = [
    ("CONTAINER ID", "ID"),
    ("IMAGE", "Image"),
    ("COMMAND", "Command"),
    ("CREATED", "RunningFor"),
    ("STATUS", "Status"),
    ("PORTS", "Ports"),
    ("NAMES", "Names"),
];

/// As many characters of a command as docker shows.
const SHORT: usize = 20;

/// A container with docker's words for the fields.
fn row(config: &Config, state: &State, whole: bool) -> Value {
    let mut command = command_line(&config.plan.container.process);
    if !whole && command.chars().count() > SHORT {
        command = command.chars().take(SHORT - 1).chain(['…']).collect();
    }
    let labels: Vec<_> =
        config.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    json!({
        "ID": if whole { config.id.as_str() } else { config.id.short() },
        "Image": config.image.name,
        // Between quotes, and those within it escaped.
        "Command": format!("{command:?}"),
        "CreatedAt": show_in_list(seconds(config.created)),
        "RunningFor": ago(Some(seconds(config.created)), now()),
        "State": state.status.name(),
        "Status": status(state),
        "Names": config.name,
        "Labels": labels.join(","),
        "Platform": Platform::NATIVE.to_string(),
        "Networks": config.network_names().join(","),
        "Ports": ports::column(&ports::bindings(state)),
        // Nothing of the others.
        "Mounts": "",
        "LocalVolumes": "0",
        "HealthStatus": "",
        "Size": "",
    })
}

fn seconds(nanoseconds: u64) -> i64 {
    (nanoseconds / 1_000_000_000) as i64
}

/// `Up 3 minutes`, `Exited (137) 2 hours ago`, as docker says it.
fn status(state: &State) -> String {
    let since = |then: Option<u64>| ago(then.map(seconds), now());
    let up = || since(state.started_at).trim_end_matches(" ago").to_owned();
    match state.status {
        Status::Created => "Created".to_owned(),
        Status::Running => format!("Up {}", up()),
        Status::Paused => format!("Up {} (Paused)", up()),
        Status::Restarting => {
            format!("Restarting ({}) {}", state.exit_code, since(state.finished_at))
        }
        Status::Exited => format!("Exited ({}) {}", state.exit_code, since(state.finished_at)),
    }
}

/// As docker has it (moby `daemon/container/view.go`, `transform`): words with a blank stand between quotes.
fn command_line(process: &Process) -> String {
    let word = |(at, word): (usize, &ByteString)| match word.to_string() {
        word if at > 0 && word.contains(' ') => format!("'{word}'"),
        word => word,
    };
    process.args.iter().enumerate().map(word).collect::<Vec<_>>().join(" ")
}
