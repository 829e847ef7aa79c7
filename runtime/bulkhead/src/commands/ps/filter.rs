//! `ps --filter`: which containers are listed.

use std::mem::{Discriminant, discriminant};
use std::ops::RangeInclusive;

use regex::Regex;

use crate::error::CommandError;
use crate::label::LabelFilter;
use crate::ports::bindings;
use crate::publish::parse_ports;
use crate::switches::parse_switch;
use containers::container::{Config, Containers, State, Status};
use containers::network::Protocol;
use host::digest::Digest;
use images::store::ImageStore;

/// What a container must have to be listed.
#[derive(Clone, Debug)]
pub enum Filter {
    /// Of its name, which begins with `/` as docker's do.
    Name(Regex),
    Id(String),
    Status(String),
    Exited(u8),
    Ancestor(String),
    Before(String),
    Since(String),
    Label(LabelFilter),
    /// What is alike for all: whether it fits.
    Network(String),
    Volume,
    /// One of these ports of the host's leads to it.
    Publish(RangeInclusive<u16>, Protocol),
    /// It has one of these, published or not.
    Expose(RangeInclusive<u16>, Protocol),
    Health(bool),
    IsTask(bool),
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        const STATIONS: [Status; 5] =
            [Status::Created, Status::Running, Status::Paused, Status::Restarting, Status::Exited];
        /// Docker's others, which nothing is here.
        const NOWHERE: [&str; 2] = ["removing", "dead"];
        /// Docker's words for what a health check says.
        const HEALTH: [&str; 4] = ["starting", "healthy", "unhealthy", NO_CHECK];
        const NO_CHECK: &str = "none";
        let shown = || text.escape_debug();
        let known = |status: &str| {
            STATIONS.iter().any(|known| known.name() == status) || NOWHERE.contains(&status)
        };
        match text.split_once('=') {
            Some(("name", pattern)) => match Regex::new(pattern) {
                Ok(pattern) => Ok(Self::Name(pattern)),
                Err(_) => Err(format!("'{}' is no regular expression", shown())),
            },
            Some(("id", start)) => Ok(Self::Id(start.to_owned())),
            Some(("ancestor", image)) => Ok(Self::Ancestor(image.to_owned())),
            Some(("before", container)) => Ok(Self::Before(container.to_owned())),
            Some(("since", container)) => Ok(Self::Since(container.to_owned())),
            Some(("exited", status)) => match status.parse() {
                Ok(status) => Ok(Self::Exited(status)),
                Err(_) => Err(format!("'{}': an exit status is 0 to 255", shown())),
            },
            Some(("status", status)) if known(status) => Ok(Self::Status(status.to_owned())),
            Some(("status", _)) => {
                let known = [&STATIONS.map(Status::name)[..], &NOWHERE].concat().join(", ");
                Err(format!("'{}': a status is one of {known}", shown()))
            }
            Some(("label", label)) => Ok(Self::Label(LabelFilter::parse(label))),
            Some(("network", network)) => Ok(Self::Network(network.to_owned())),
            Some(("volume", _)) => Ok(Self::Volume),
            Some((side @ ("publish" | "expose"), ports)) => match parse_ports(ports) {
                Ok((ports, protocol)) if side == "publish" => Ok(Self::Publish(ports, protocol)),
                Ok((ports, protocol)) => Ok(Self::Expose(ports, protocol)),
                Err(why) => Err(format!("'{}': {why}", shown())),
            },
            Some(("health", health)) if HEALTH.contains(&health) => {
                Ok(Self::Health(health == NO_CHECK))
            }
            Some(("health", _)) => {
                Err(format!("'{}': health is one of {}", shown(), HEALTH.join(", ")))
            }
            Some(("is-task", value)) => match parse_switch(value) {
                Ok(wanted) => Ok(Self::IsTask(!wanted)),
                Err(why) => Err(format!("'{}': {why}", shown())),
            },
            _ => Err(format!(
                "'{}': there are name=, id=, status=, exited=, ancestor=, before=, since=, label=, network=, volume=, publish=, expose=, health= and is-task=",
                shown()
            )),
        }
    }

    /// Whether it says itself whether a container runs.
    pub(super) fn asks_for_all(&self) -> bool {
        matches!(self, Self::Status(_))
    }

    fn kind(&self) -> Discriminant<Self> {
        discriminant(self)
    }
}

/// Filters, and what they name.
pub(super) struct Filters<'a> {
    filters: &'a [Filter],
    /// When a container must have been created after and before, in nanoseconds since 1970.
    since: Option<u64>,
    before: Option<u64>,
    /// The manifests of images that are named.
    images: Vec<Digest>,
}

impl<'a> Filters<'a> {
    pub fn look_up(filters: &'a [Filter], containers: &Containers) -> Result<Self, CommandError> {
        let mut found = Self { filters, since: None, before: None, images: Vec::new() };
        for filter in filters {
            match filter {
                Filter::Since(name) => {
                    let created = containers.find(name)?.config().created;
                    found.since = found.since.max(Some(created));
                }
                Filter::Before(name) => {
                    let created = containers.find(name)?.config().created;
                    found.before = Some(found.before.map_or(created, |before| before.min(created)));
                }
                // One that is not there any more may still be what a container was called after.
                Filter::Ancestor(name) => {
                    let image = ImageStore::open_default()?.resolve(name);
                    found.images.extend(image.map(|image| image.digest));
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// Whether the container is listed: one filter of each kind fits, and all labels do (moby `filters.Args`).
    pub fn fit(&self, config: &Config, state: &State) -> bool {
        self.filters.iter().all(|filter| match filter {
            Filter::Label(..) => self.fits(filter, config, state),
            _ => {
                let mut alike = self.filters.iter().filter(|other| other.kind() == filter.kind());
                alike.any(|other| self.fits(other, config, state))
            }
        })
    }

    fn fits(&self, filter: &Filter, config: &Config, state: &State) -> bool {
        match filter {
            Filter::Name(pattern) => {
                pattern.is_match(&config.name) || pattern.is_match(&format!("/{}", config.name))
            }
            Filter::Id(start) => config.id.as_str().starts_with(start.as_str()),
            Filter::Status(status) => state.status.name() == status,
            Filter::Exited(status) => {
                state.status == Status::Exited
                    && state.started_at.is_some()
                    && state.exit_code == *status
            }
            Filter::Ancestor(image) => {
                let latest = |name: &str| format!("{name}:latest");
                let name = &config.image.name;
                name == image
                    || *name == latest(image)
                    || latest(name) == *image
                    || config.image.manifest.is_some_and(|own| self.images.contains(&own))
            }
            Filter::Before(_) => self.before.is_none_or(|before| config.created < before),
            Filter::Since(_) => self.since.is_none_or(|since| config.created > since),
            Filter::Label(label) => label.fits(&config.labels),
            Filter::Network(network) => config.network_names().contains(network),
            Filter::Health(fits) | Filter::IsTask(fits) => *fits,
            Filter::Publish(ports, protocol) => bindings(state)
                .iter()
                .any(|binding| binding.protocol == *protocol && ports.contains(&binding.host_port)),
            Filter::Expose(ports, protocol) => {
                let mut known = config.plan.container.network.known_ports();
                known.any(|(port, of)| of == *protocol && ports.contains(&port))
            }
            Filter::Volume => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_dockers() {
        assert!(matches!(Filter::parse("exited=137"), Ok(Filter::Exited(137))));
        let label = LabelFilter::parse("a=b=c");
        assert!(matches!(Filter::parse("label=a=b=c"), Ok(Filter::Label(found)) if found == label));
        for known in [
            "status=dead",
            "status=removing",
            "health=none",
            "network=x",
            "volume=/x",
            "is-task=0",
            "publish=80",
            "publish=8000-8080/udp",
        ] {
            assert!(Filter::parse(known).is_ok(), "{known}");
        }
        for (wrong, message) in [
            ("exited=x", "an exit status is 0 to 255"),
            (
                "status=gone",
                "a status is one of created, running, paused, restarting, exited, removing, dead",
            ),
            ("name=(", "is no regular expression"),
            ("health=ill", "health is one of starting"),
            ("is-task=maybe", "give true or false"),
            ("publish=http", "'http' is no port from 0 to 65535"),
            ("publish=80/sctp", "'sctp' is not tcp or udp"),
            ("publish=81-80", "ends before it begins"),
            ("publish=0.0.0.0:80", "is no port"),
            ("expose=0x50", "is no port"),
            ("isolation=process", "there are name=, id="),
            ("web", "there are name=, id="),
        ] {
            let error = Filter::parse(wrong).unwrap_err();
            assert!(error.contains(message), "{wrong}: {error}");
        }
    }
}
