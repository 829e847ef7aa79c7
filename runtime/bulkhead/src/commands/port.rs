//! `port`: where on the host a container's ports are.

use clap::Args;

use crate::error::CommandError;
use crate::output::print;
use crate::ports::{bindings, container_port, host_port};
use crate::publish::parse_container_port;
use containers::container::Containers;
use containers::network::Protocol;

/// List where on this host a container's ports can be reached
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bulkhead port web\n  bulkhead port web 80/tcp")]
pub struct PortArguments {
    /// Its name or ID
    #[arg(value_name = "CONTAINER")]
    pub container: String,
    /// One port of the container's
    #[arg(value_name = "PORT[/PROTOCOL]", value_parser = parse_container_port)]
    pub port: Option<(u16, Protocol)>,
}

/// Prints them, one a line; an error for one that is not published.
pub fn execute(arguments: &PortArguments) -> Result<u8, CommandError> {
    let container = Containers::open_default()?.find(&arguments.container)?;
    let mut bindings = bindings(&container.state()?);
    let text: String = match arguments.port {
        None => bindings
            .iter()
            .map(|it| format!("{} -> {}\n", container_port(it), host_port(it)))
            .collect(),
        Some((port, protocol)) => {
            bindings.retain(|it| (it.container_port, it.protocol) == (port, protocol));
            if bindings.is_empty() {
                let name = container.config().name.clone();
                return Err(CommandError::NotPublished { name, port, protocol });
            }
            bindings.iter().map(|it| format!("{}\n", host_port(it))).collect()
        }
    };
    print(&text)?;
    Ok(0)
}
