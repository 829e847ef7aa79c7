//! `ps`: the containers.

use clap::Args;
use protocol::Process;
use serde_json::{Value, json};

use crate::error::CommandError;
use crate::output::{print, table};
use crate::template::Template;
use containers::container::{Config, Containers, State, Status};
use host::time::{ago, now, show};

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
    /// Only those with name=PART, status=STATUS, label=NAME or label=NAME=VALUE; all of them
    #[arg(long, short, value_name = "FILTER", value_parser = Filter::parse)]
    pub filter: Vec<Filter>,
    /// Print each container so: json, or text with fields like {{.ID}}
    #[arg(long, value_name = "FORMAT", value_parser = Template::parse, conflicts_with = "quiet")]
    pub format: Option<Template>,
}

/// What a container must have to be listed.
#[derive(Clone, Debug)]
pub enum Filter {
    Name(String),
    Status(String),
    Label(String, Option<String>),
}

impl Filter {
    fn parse(text: &str) -> Result<Self, String> {
        const STATIONS: [Status; 5] =
            [Status::Created, Status::Running, Status::Paused, Status::Restarting, Status::Exited];
        match text.split_once('=') {
            Some(("name", part)) => Ok(Self::Name(part.to_owned())),
            Some(("status", status)) if STATIONS.iter().any(|known| known.name() == status) => {
                Ok(Self::Status(status.to_owned()))
            }
            Some(("status", _)) => {
                let known = STATIONS.map(Status::name).join(", ");
                Err(format!("'{}': a status is one of {known}", text.escape_debug()))
            }
            Some(("label", label)) => Ok(match label.split_once('=') {
                Some((name, value)) => Self::Label(name.to_owned(), Some(value.to_owned())),
                None => Self::Label(label.to_owned(), None),
            }),
            _ => Err(format!("'{}': there are name=, status= and label=", text.escape_debug())),
        }
    }

    fn fits(&self, config: &Config, state: &State) -> bool {
        match self {
            Self::Name(part) => config.name.contains(part.as_str()),
            Self::Status(status) => state.status.name() == status,
            Self::Label(name, value) => config
                .labels
                .get(name)
                .is_some_and(|found| value.as_ref().is_none_or(|value| value == found)),
        }
    }
}

/// Prints the list.
pub fn execute(arguments: &PsArguments) -> Result<u8, CommandError> {
    let containers = Containers::open_default()?;
    let by_status = arguments.filter.iter().any(|filter| matches!(filter, Filter::Status(_)));
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
        let shown = arguments.all || by_status || state.status.is_live();
        if shown && arguments.filter.iter().all(|filter| filter.fits(config, &state)) {
            rows.push(row(config, &state, arguments.no_trunc));
        }
    }
    let text = match &arguments.format {
        Some(template) => rows.iter().map(|row| template.line(row)).collect::<Result<_, _>>()?,
        None if arguments.quiet => lines(&rows, &[("", "ID")], false),
        None => lines(&rows, &COLUMNS, true),
    };
    print(&text)?;
    Ok(0)
}

const COLUMNS: [(&str, &str); 6] = [
    ("CONTAINER ID", "ID"),
    ("IMAGE", "Image"),
    ("COMMAND", "Command"),
    ("CREATED", "RunningFor"),
    ("STATUS", "Status"),
    ("NAMES", "Names"),
];

fn lines(rows: &[Value], columns: &[(&str, &str)], heading: bool) -> String {
    let headings = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let cell = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let cells = rows.iter().map(|row| columns.iter().map(|(_, field)| cell(row, field)).collect());
    table(&heading.then_some(headings).into_iter().chain(cells).collect::<Vec<_>>())
}

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
        "Command": format!("\"{command}\""),
        "CreatedAt": show(config.created),
        "RunningFor": ago(Some(seconds(config.created)), now()),
        "State": state.status.name(),
        "Status": status(state),
        "Names": config.name,
        "Labels": labels.join(","),
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

fn command_line(process: &Process) -> String {
    process.args.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
