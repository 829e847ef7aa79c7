//! What a container's network interfaces did, whether it runs or not.

use std::time::Duration;

use super::client::Client;
use super::error::SupervisorError;
use super::message::{Reply, Request};
use crate::container::Container;
use crate::network::InterfaceUse;

/// Asks the supervisor of one that runs; of one that does not, what was left when its last VM ended.
pub fn interfaces(
    container: &Container,
    patience: Duration,
) -> Result<Vec<InterfaceUse>, SupervisorError> {
    if !container.state()?.status.is_live() {
        return Ok(container.interfaces()?);
    }
    match Client::connect(container)?.ask_within(patience, &Request::Interfaces)? {
        Reply::Interfaces(interfaces) => Ok(interfaces),
        _ => Err(SupervisorError::Unexpected),
    }
}
