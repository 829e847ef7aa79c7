//! `stats`: what containers use.

use std::io::{self, IsTerminal};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use egress_rules::Counters;
use protocol::Statistics;
use serde_json::{Value, json};

use crate::error::CommandError;
use crate::output::{print, table};
use crate::size::{show_memory, show_size};
use crate::template::Template;
use containers::container::{Container, Containers};
use containers::supervisor::{Client, Reply, Request, SupervisorError};

/// Between two looks: processor time is seen in what it grew by.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a container may take to say what it uses. Its supervisor gives its guest longer (`limits::STATISTICS`), but a table
/// waits for the slowest of its lines.
const PATIENCE: Duration = Duration::from_secs(3);

/// Clears the screen: cursor home, erase below (ECMA-48 §8.3.21, §8.3.39).
const CLEAR: &str = "\x1b[H\x1b[J";

/// Show what containers use
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bulkhead stats\n  bulkhead stats --no-stream --format '{{.Name}} {{.MemUsage}}' web"
)]
pub struct StatsArguments {
    /// Also those that don't run
    #[arg(long, short)]
    pub all: bool,
    /// Print whole IDs
    #[arg(long)]
    pub no_trunc: bool,
    /// Print once instead of again and again
    #[arg(long)]
    pub no_stream: bool,
    /// Print each container so: json, or text with fields like {{.Name}}
    #[arg(long, value_name = "FORMAT", value_parser = Template::parse)]
    pub format: Option<Template>,
    /// Names or IDs [default: all that run]
    #[arg(value_name = "CONTAINER")]
    pub containers: Vec<String>,
}

/// Prints what containers use.
pub fn execute(arguments: &StatsArguments) -> Result<u8, CommandError> {
    let containers = Containers::open_default()?;
    loop {
        let chosen = match &arguments.containers[..] {
            [] => containers.list()?,
            names => {
                names.iter().map(|name| containers.find(name)).collect::<Result<Vec<_>, _>>()?
            }
        };
        let named = !arguments.containers.is_empty();
        let begin = Instant::now();
        let before = look_at_all(&chosen);
        thread::sleep(INTERVAL.saturating_sub(begin.elapsed()));
        let mut rows = Vec::new();
        // As docker, what a person calls it; of those that nobody has named, the ID.
        let called = |at: usize| arguments.containers.get(at).map(String::as_str);
        let mut show = |at: usize, mut row: Value| {
            if arguments.no_trunc {
                row["ID"] = chosen[at].id().as_str().into();
            }
            row["Container"] = called(at).map_or_else(|| row["ID"].clone(), Value::from);
            rows.push(row);
        };
        for (at, (before, now)) in before.into_iter().zip(look_at_all(&chosen)).enumerate() {
            let container = &chosen[at];
            match (before, now) {
                (Err(error), _) if named && !arguments.all && !is_silent(&error) => {
                    return Err(error.into());
                }
                (Ok((then, before, _)), Ok((time, now, network))) => {
                    let time = time.duration_since(then);
                    show(at, fields(container, &before, &now, network, time));
                }
                (Err(error), _) | (_, Err(error)) if is_silent(&error) => {
                    show(at, unknown(container));
                }
                _ if arguments.all => show(at, unknown(container)),
                // Whoever ended meanwhile uses nothing.
                _ => {}
            }
        }
        let template = arguments.format.as_ref().filter(|template| !template.is_usual());
        let mut text = match template {
            Some(template) => template.lines(&rows, &COLUMNS)?,
            None => lines(&rows),
        };
        if !arguments.no_stream && io::stdout().is_terminal() {
            text.insert_str(0, CLEAR);
        }
        print(&text)?;
        if arguments.no_stream {
            return Ok(0);
        }
    }
}

/// What a look saw, and when.
type Look = Result<(Instant, Statistics, Counters), SupervisorError>;

/// One look at each, side by side: one that does not answer keeps nobody else waiting.
fn look_at_all(containers: &[Container]) -> Vec<Look> {
    thread::scope(|scope| {
        let looks: Vec<_> =
            containers.iter().map(|container| scope.spawn(|| look(container))).collect();
        let lost = |_| Err(SupervisorError::Unexpected);
        looks.into_iter().map(|look| look.join().unwrap_or_else(lost)).collect()
    })
}

fn look(container: &Container) -> Look {
    match Client::connect(container)?.ask_within(PATIENCE, &Request::Statistics)? {
        Reply::Statistics { guest, network } => Ok((Instant::now(), *guest, network)),
        _ => Err(SupervisorError::Unexpected),
    }
}

/// Whether it runs, and says nothing.
fn is_silent(error: &SupervisorError) -> bool {
    matches!(error, SupervisorError::NoAnswer(_))
}

/// One that does not say what it uses, as docker shows it.
fn unknown(container: &Container) -> Value {
    row(container, ["--", "-- / --", "--", "--", "--", "--"].map(str::to_owned))
}

/// What a template may name, as docker's does.
fn fields(
    container: &Container,
    before: &Statistics,
    now: &Statistics,
    network: Counters,
    time: Duration,
) -> Value {
    let used = now.cpu_nanoseconds.saturating_sub(before.cpu_nanoseconds);
    let cpu = 100.0 * used as f64 / time.as_nanos().max(1) as f64;
    let memory = 100.0 * now.memory_bytes as f64 / now.memory_limit.max(1) as f64;
    row(
        container,
        [
            format!("{cpu:.2}%"),
            format!("{} / {}", show_memory(now.memory_bytes), show_memory(now.memory_limit)),
            format!("{memory:.2}%"),
            format!("{} / {}", show_size(network.rx.bytes), show_size(network.tx.bytes)),
            format!("{} / {}", show_size(now.block_read_bytes), show_size(now.block_written_bytes)),
            now.pids.to_string(),
        ],
    )
}

fn row(container: &Container, [cpu, memory, share, net, block, pids]: [String; 6]) -> Value {
    json!({
        "ID": container.id().short(),
        "Name": container.config().name,
        "CPUPerc": cpu,
        "MemUsage": memory,
        "MemPerc": share,
        "NetIO": net,
        "BlockIO": block,
        "PIDs": pids,
    })
}

/// The columns: headings and fields.
const COLUMNS: [(&str, &str); 8] = [
    ("CONTAINER ID", "ID"),
    ("NAME", "Name"),
    ("CPU %", "CPUPerc"),
    ("MEM USAGE / LIMIT", "MemUsage"),
    ("MEM %", "MemPerc"),
    ("NET I/O", "NetIO"),
    ("BLOCK I/O", "BlockIO"),
    ("PIDS", "PIDs"),
];

fn lines(rows: &[Value]) -> String {
    let heading = COLUMNS.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let cell = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let cells = rows.iter().map(|row| COLUMNS.iter().map(|(_, f)| cell(row, f)).collect());
    table(&std::iter::once(heading).chain(cells).collect::<Vec<_>>())
}
