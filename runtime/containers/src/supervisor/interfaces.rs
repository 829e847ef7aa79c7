//! What a container's network interfaces did, whether it runs or not.

use std::time::Duration;

use super::client::Client;
use super::error::SupervisorError;
use super::message::{Reply, Request};
use crate::container::Container;
use crate::network::InterfaceUse;

/// Asks the supervisor of one that runs; of one that does not, what was left when its last VM ended. `None` where it had
/// some, and its supervisor was killed before it wrote that down.
pub fn interfaces(
    container: &Container,
    patience: Duration,
) -> Result<Option<Vec<InterfaceUse>>, SupervisorError> {
    let state = container.state()?;
    if !state.status.is_live() {
        let had_none = state.network.interfaces.is_empty();
        return Ok(container.interfaces()?.or(had_none.then(Vec::new)));
    }
    match Client::connect(container)?.ask_within(patience, &Request::Interfaces)? {
        Reply::Interfaces(interfaces) => Ok(Some(interfaces)),
        _ => Err(SupervisorError::Unexpected),
    }
}
