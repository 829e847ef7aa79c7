//! Which containers are on a network.

use super::attachment::{Attachment, Wish, check_all};
use super::definition::Network;
use super::error::NetworkError;
use super::lease::Leases;
use super::store::Networks;
use crate::container::{Container, Containers, Id, Lock, Tenure};
use crate::network::NetworkMode;

/// Networks that stay as long as this value.
pub struct Kept {
    _lock: Lock,
}

/// What fits in a message, in letters.
const SHOWN: usize = 120;

/// What a person has said, for a message.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect::<String>().escape_debug().to_string()
}

impl Networks {
    /// What these wishes come to. The networks stay until what is kept is dropped: the container is written before that.
    pub fn resolve(&self, wishes: &[Wish]) -> Result<(Vec<Attachment>, Kept), NetworkError> {
        let lock = self.lock()?;
        let mut attachments = Vec::new();
        for wish in wishes {
            let record = self.find_record(&wish.network)?;
            let attachment = Attachment::new(&record.network, wish.identity.clone());
            attachment.identity.check().map_err(|problem| {
                NetworkError::Option(format!("network {}: {problem}", record.network.name))
            })?;
            fits(&record.network, &attachment)?;
            attachments.push(attachment);
        }
        check_all(&attachments).map_err(NetworkError::Option)?;
        Ok((attachments, Kept { _lock: lock }))
    }

    /// Puts a container that does not run on a network.
    pub fn connect(
        &self,
        containers: &Containers,
        container: &Container,
        tenure: &Tenure,
        wish: &Wish,
    ) -> Result<(), NetworkError> {
        let (new, _kept) = self.resolve(std::slice::from_ref(wish))?;
        let config = containers.find(container.id().as_str())?.config().clone();
        let plan = &config.plan.container.network;
        let is_fixed = plan.ip.is_some() || plan.ip6.is_some() || plan.mac.is_some();
        match &plan.mode {
            NetworkMode::Names => {}
            // Nobody has asked for it.
            NetworkMode::User(user) if !user.required && !is_fixed => {}
            mode => {
                let (container, network) = (config.name, wish.network.clone());
                return Err(NetworkError::OtherKind { container, mode: mode.to_string(), network });
            }
        }
        let own = config.networks;
        let all: Vec<Attachment> = own.into_iter().chain(new).collect();
        check_all(&all).map_err(|problem| {
            NetworkError::Option(format!("container {}: {problem}", config.name))
        })?;
        Ok(containers.set_networks(container, tenure, all)?)
    }

    /// Takes it off again. The network may have been removed by force of hand.
    pub fn disconnect(
        &self,
        containers: &Containers,
        container: &Container,
        tenure: &Tenure,
        text: &str,
    ) -> Result<(), NetworkError> {
        let _lock = self.lock()?;
        let id = self.find(text).ok().map(|network| network.id);
        let own = containers.find(container.id().as_str())?.config().networks.clone();
        let is_it = |one: &Attachment| match &id {
            Some(id) => one.network == *id,
            None => one.name == text || one.network.as_str() == text,
        };
        let left: Vec<Attachment> = own.iter().filter(|one| !is_it(one)).cloned().collect();
        if left.len() == own.len() {
            let network = shown(text);
            let container = container.config().name.clone();
            return Err(NetworkError::NotOn { network, container });
        }
        Ok(containers.set_networks(container, tenure, left)?)
    }
}

/// Whether an empty network could give it what it wishes. Whether this one can is seen when the container starts.
fn fits(network: &Network, attachment: &Attachment) -> Result<(), NetworkError> {
    let (nobody, wish) = (Id::random().map_err(NetworkError::Random)?, &attachment.identity);
    let lease = Leases::default().lease(&network.ranges, &nobody, &wish.addresses, &[], wish.mac);
    let unfit = |source| NetworkError::Lease { network: network.name.clone(), source };
    lease.map(drop).map_err(unfit)
}

/// The containers on a network, whether they run or not.
pub fn users<'a>(network: &Network, containers: &'a [Container]) -> Vec<&'a Container> {
    let is_on = |one: &&Container| one.config().networks.iter().any(|on| on.network == network.id);
    containers.iter().filter(is_on).collect()
}

/// As many as fit in a line.
const NAMED: usize = 8;

/// An error that names them.
pub(super) fn in_use(network: &Network, users: &[&Container]) -> NetworkError {
    let mut names: Vec<&str> =
        users.iter().take(NAMED).map(|user| user.config().name.as_str()).collect();
    let rest = format!("{} more", users.len().saturating_sub(NAMED));
    if users.len() > NAMED {
        names.push(&rest);
    }
    NetworkError::InUse { network: network.name.clone(), containers: names.join(", ") }
}
