//! `ps --filter`: which containers are listed.

use std::mem::{Discriminant, discriminant};

use containers::container::{Config, State, Status};

use crate::label::LabelFilter;

/// What a container must have to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    Name(String),
    Id(String),
    Status(String),
    Exited(u8),
    Ancestor(String),
    Label(LabelFilter),
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        const STATIONS: [Status; 5] =
            [Status::Created, Status::Running, Status::Paused, Status::Restarting, Status::Exited];
        match text.split_once('=') {
            Some(("name", part)) => Ok(Self::Name(part.to_owned())),
            Some(("id", start)) => Ok(Self::Id(start.to_owned())),
            Some(("ancestor", image)) => Ok(Self::Ancestor(image.to_owned())),
            Some(("exited", status)) => match status.parse() {
                Ok(status) => Ok(Self::Exited(status)),
                Err(_) => Err(format!("'{}': an exit status is 0 to 255", text.escape_debug())),
            },
            Some(("status", status)) if STATIONS.iter().any(|known| known.name() == status) => {
                Ok(Self::Status(status.to_owned()))
            }
            Some(("status", _)) => {
                let known = STATIONS.map(Status::name).join(", ");
                Err(format!("'{}': a status is one of {known}", text.escape_debug()))
            }
            Some(("label", label)) => Ok(Self::Label(LabelFilter::parse(label))),
            _ => Err(format!(
                "'{}': there are name=, id=, status=, exited=, ancestor= and label=",
                text.escape_debug()
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

    fn fits(&self, config: &Config, state: &State) -> bool {
        match self {
            Self::Name(pattern) => name_fits(pattern, &config.name),
            Self::Id(start) => config.id.as_str().starts_with(start.as_str()),
            Self::Status(status) => state.status.name() == status,
            Self::Exited(status) => {
                state.status == Status::Exited
                    && state.started_at.is_some()
                    && state.exit_code == *status
            }
            Self::Ancestor(image) => {
                let latest = |name: &str| format!("{name}:latest");
                let name = &config.image.name;
                name == image || *name == latest(image) || latest(name) == *image
            }
            Self::Label(label) => label.fits(&config.labels),
        }
    }
}

/// Whether the container is listed: one filter of each kind fits, and all labels do (moby `filters.Args`).
pub(super) fn fit(filters: &[Filter], config: &Config, state: &State) -> bool {
    filters.iter().all(|filter| match filter {
        Filter::Label(..) => filter.fits(config, state),
        _ => {
            let mut alike = filters.iter().filter(|other| other.kind() == filter.kind());
            alike.any(|other| other.fits(config, state))
        }
    })
}

/// A part of the name. Of docker's regular expressions `^` and `$` are here; its names begin with `/`.
fn name_fits(pattern: &str, name: &str) -> bool {
    let (pattern, at_start) = match pattern.strip_prefix('^') {
        Some(rest) => (rest.strip_prefix('/').unwrap_or(rest), true),
        None => match pattern.strip_prefix('/') {
            Some(rest) => (rest, true),
            None => (pattern, false),
        },
    };
    match (at_start, pattern.strip_suffix('$')) {
        (true, Some(whole)) => name == whole,
        (true, None) => name.starts_with(pattern),
        (false, Some(end)) => name.ends_with(end),
        (false, None) => name.contains(pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_for_as_docker_does() {
        for (pattern, fitting, other) in [
            ("web", "my-web-1", "db"),
            ("^web$", "web", "web1"),
            ("^/web$", "web", "my-web"),
            ("/web", "web1", "my-web"),
            ("b$", "web", "web1"),
        ] {
            assert!(name_fits(pattern, fitting), "{pattern} {fitting}");
            assert!(!name_fits(pattern, other), "{pattern} {other}");
        }
    }

    #[test]
    fn filters_are_dockers() {
        assert_eq!(Filter::parse("exited=137"), Ok(Filter::Exited(137)));
        assert_eq!(Filter::parse("label=a=b=c"), Ok(Filter::Label(LabelFilter::parse("a=b=c"))));
        for (wrong, message) in [
            ("exited=x", "an exit status is 0 to 255"),
            ("status=dead", "a status is one of created"),
            ("network=x", "there are name=, id="),
            ("web", "there are name=, id="),
        ] {
            let error = Filter::parse(wrong).unwrap_err();
            assert!(error.contains(message), "{wrong}: {error}");
        }
    }
}
