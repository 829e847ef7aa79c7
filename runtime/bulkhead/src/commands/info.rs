//! `info`: this machine and what is on it, with docker's words where it has them.

use std::fs;
use std::num::NonZero;
use std::thread::available_parallelism;

use clap::Args;
use serde_json::{Value, json};

use crate::error::CommandError;
use crate::output::print;
use crate::size::show_memory;
use crate::template::Template;
use containers::container::{Containers, Status};
use host::platform::Platform;
use host::text::visible;
use images::store::ImageStore;

/// Show what is on this machine, and what it is
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bulkhead info\n  bulkhead info --format '{{.ContainersRunning}} of {{.Containers}}'"
)]
pub struct InfoArguments {
    /// Print it so: json, or text with fields like {{.Images}}
    #[arg(long, short, value_name = "FORMAT", value_parser = Template::parse)]
    pub format: Option<Template>,
}

/// Prints it.
pub fn execute(arguments: &InfoArguments) -> Result<u8, CommandError> {
    let facts = facts()?;
    print(&match &arguments.format {
        Some(template) if !template.is_usual() => template.line(&facts)?,
        _ => lines(&facts),
    })?;
    Ok(0)
}

fn facts() -> Result<Value, CommandError> {
    let mut count = [0u64; 3];
    let containers = Containers::open_default()?.list()?;
    for container in &containers {
        // One that is removed meanwhile is not running.
        let status = container.state().map(|state| state.status).unwrap_or_default();
        count[match status {
            Status::Running | Status::Restarting => 0,
            Status::Paused => 1,
            Status::Created | Status::Exited => 2,
        }] += 1;
    }
    let store = ImageStore::open_default()?;
    let kernel = rustix::system::uname();
    Ok(json!({
        "Containers": containers.len(),
        "ContainersRunning": count[0],
        "ContainersPaused": count[1],
        "ContainersStopped": count[2],
        "Images": store.list()?.len(),
        "ImagesFolder": store.root(),
        "DockerRootDir": store.root().parent(),
        "ServerVersion": env!("CARGO_PKG_VERSION"),
        "Driver": "erofs",
        "LoggingDriver": "json-file",
        "KernelVersion": kernel.release().to_string_lossy(),
        "OperatingSystem": operating_system(),
        "OSType": "linux",
        "Architecture": Platform::NATIVE.architecture(),
        "NCPU": available_parallelism().map_or(1, NonZero::get),
        "MemTotal": memory(),
        "Name": kernel.nodename().to_string_lossy(),
        // guest-init mounts the second version only.
        "CgroupVersion": "2",
        "SecurityOptions": ["name=seccomp,profile=builtin"],
        "DefaultRuntime": "bulkhead",
        "Swarm": {"LocalNodeState": "inactive"},
        "Labels": [],
        "Warnings": [],
    }))
}

/// Its name by os-release(5).
fn operating_system() -> String {
    let text = ["/etc/os-release", "/usr/lib/os-release"];
    let text = text.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("Linux").trim_matches(['"', '\'']).to_owned()
}

/// This machine's memory in bytes.
fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    // sysinfo(2): in units of `mem_unit` bytes.
    (info.totalram as u64).saturating_mul(info.mem_unit.into())
}

/// As docker puts it, with blanks before what belongs to the line above.
fn lines(facts: &Value) -> String {
    const LINES: [(&str, &str); 15] = [
        ("Containers", "Containers"),
        (" Running", "ContainersRunning"),
        (" Paused", "ContainersPaused"),
        (" Stopped", "ContainersStopped"),
        ("Images", "Images"),
        (" Folder", "ImagesFolder"),
        ("Server Version", "ServerVersion"),
        ("Storage Driver", "Driver"),
        ("Logging Driver", "LoggingDriver"),
        ("Kernel Version", "KernelVersion"),
        ("Operating System", "OperatingSystem"),
        ("OSType", "OSType"),
        ("Architecture", "Architecture"),
        ("CPUs", "NCPU"),
        ("Name", "Name"),
    ];
    let text = |field: &str| match &facts[field] {
        Value::String(text) => visible(text).into_owned(),
        other => other.to_string(),
    };
    let line = |(title, field): &(&str, &str)| format!("{title}: {}\n", text(field));
    let memory = show_memory(facts["MemTotal"].as_u64().unwrap_or_default());
    LINES.iter().map(line).collect::<String>() + &format!("Total Memory: {memory}\n")
}
