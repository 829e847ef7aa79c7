//! `inspect`: everything about containers or images.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::error::CommandError;
use crate::output::print;
use crate::template::Template;
use containers::container::{Container, ContainerError, Containers, RestartPolicy, Status};
use host::text::visible_json;
use host::time::show;
use images::store::{ImageStore, Name, StoredImage, Version};

/// Show everything about containers or images, as JSON
#[derive(Debug, Args)]
#[command(
    after_help = "A container's name or ID goes before an image's.\n\nExamples:\n  bulkhead inspect web busybox\n  bulkhead inspect --format '{{.Config.Env}}' busybox"
)]
pub struct InspectArguments {
    /// Print each image so: json, or text with fields like {{.Id}}
    #[arg(long, short, value_name = "FORMAT", value_parser = Template::parse)]
    pub format: Option<Template>,
    /// Look for containers only, or for images only [default: first for a container, then for an image]
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    pub kind: Option<Kind>,
    /// Names or IDs
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
}

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Container,
    Image,
}

/// Prints everything about each.
pub fn execute(arguments: &InspectArguments) -> Result<u8, CommandError> {
    let store = ImageStore::open_default()?;
    let containers = Containers::open_default()?;
    let mut items = Vec::new();
    for text in &arguments.names {
        items.push(match (arguments.kind, containers.find(text)) {
            (Some(Kind::Image), _) | (None, Err(ContainerError::NotFound(_))) => {
                image_facts(&store.resolve(text)?)
            }
            (_, container) => container_facts(&container?)?,
        });
    }
    let text = match &arguments.format {
        Some(template) => items.iter().map(|item| template.line(item)).collect::<Result<_, _>>()?,
        None => visible_json(&format!("{:#}\n", Value::Array(items))),
    };
    print(&text)?;
    Ok(0)
}

/// A container, with docker's words where it has them.
fn container_facts(container: &Container) -> Result<Value, CommandError> {
    let (config, state) = (container.config(), container.state()?);
    let process = &config.plan.container.process;
    let texts = |texts: &[protocol::ByteString]| -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    };
    let time = |time: Option<u64>| time.map(show);
    let (restart, retries) = match config.restart {
        RestartPolicy::No => ("no", 0),
        RestartPolicy::OnFailure { max } => ("on-failure", max.unwrap_or(0)),
        RestartPolicy::Always => ("always", 0),
        RestartPolicy::UnlessStopped => ("unless-stopped", 0),
    };
    Ok(json!({
        "Id": config.id.as_str(),
        "Name": config.name,
        "Created": show(config.created),
        "Image": config.image.manifest.map(|digest| digest.to_string()),
        "RestartCount": state.restart_count,
        "LogPath": container.log_path(),
        "State": {
            "Status": state.status.name(),
            "Running": state.status.is_live(),
            "Paused": state.status == Status::Paused,
            "Restarting": state.status == Status::Restarting,
            "OOMKilled": state.out_of_memory,
            "Pid": state.supervisor.unwrap_or(0),
            "ExitCode": state.exit_code,
            "Error": state.error.unwrap_or_default(),
            "StartedAt": time(state.started_at),
            "FinishedAt": time(state.finished_at),
        },
        "Config": {
            "Image": config.image.name,
            "Hostname": config.plan.container.setting.hostname.to_string(),
            "User": process.user.to_string(),
            "Env": texts(&process.env),
            "Cmd": texts(&process.args),
            "WorkingDir": process.cwd.to_string(),
            "Tty": config.terminal,
            "OpenStdin": config.stdin_open,
            "Labels": config.labels,
            "StopSignal": config.stop_signal,
            "StopTimeout": config.stop_timeout,
        },
        "HostConfig": {
            "AutoRemove": config.auto_remove,
            "ReadonlyRootfs": config.plan.container.setting.read_only,
            "Memory": config.plan.container.setting.memory,
            "CpuCount": config.plan.vm.config.machine_config.vcpu_count,
            "RestartPolicy": { "Name": restart, "MaximumRetryCount": retries },
            "LogConfig": { "MaxSize": config.log.max_size, "MaxFile": config.log.max_file },
        },
    }))
}

/// An image, likewise.
fn image_facts(image: &StoredImage) -> Value {
    let names = |by_tag: bool| -> Vec<String> {
        let names = image.names.iter();
        names
            .filter(|name| matches!(name.version(), Version::Tag(_)) == by_tag)
            .map(Name::short)
            .collect()
    };
    let configuration = &image.configuration;
    json!({
        "Id": image.id.to_string(),
        "RepoTags": names(true),
        "RepoDigests": names(false),
        "Digest": image.digest.to_string(),
        "Created": configuration.created(),
        "Architecture": configuration.architecture().to_string(),
        "Os": configuration.os().to_string(),
        "Size": image.size,
        "Config": configuration.config(),
        "RootFS": {"Type": "layers", "Layers": configuration.rootfs().diff_ids()},
    })
}
