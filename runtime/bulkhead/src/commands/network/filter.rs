//! `network ls --filter` and `network prune --filter`: which networks.

use crate::label::LabelFilter;
use containers::network_names::Network;

/// What a network must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Part of its name.
    Name(String),
    /// The start of its ID.
    Id(String),
    Label(LabelFilter),
    WithoutLabel(LabelFilter),
    /// What is alike for all: whether it fits.
    Driver(bool),
    Scope(bool),
    Kind(bool),
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("name", part)) => Ok(Self::Name(part.to_owned())),
            Some(("id", start)) => Ok(Self::Id(start.to_owned())),
            Some(("driver", driver)) => Ok(Self::Driver(driver == "bridge")),
            Some(("scope", scope)) => Ok(Self::Scope(scope == "local")),
            Some(("type", "custom")) => Ok(Self::Kind(true)),
            Some(("type", "builtin")) => Ok(Self::Kind(false)),
            _ => Self::parse_label(text).map_err(|_| {
                let shown = text.escape_debug();
                format!("'{shown}': there are name=, id=, driver=, scope=, type=custom, type=builtin, label= and label!=")
            }),
        }
    }

    /// Of `prune`.
    pub(super) fn parse_label(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("label", label)) => Ok(Self::Label(LabelFilter::parse(label))),
            Some(("label!", label)) => Ok(Self::WithoutLabel(LabelFilter::parse(label))),
            _ => Err(format!("'{}': there are label= and label!=", text.escape_debug())),
        }
    }

    fn fits(&self, network: &Network) -> bool {
        match self {
            Self::Name(part) => network.name.contains(part.as_str()),
            Self::Id(start) => network.id.as_str().starts_with(start.as_str()),
            Self::Label(label) => label.fits(&network.labels),
            Self::WithoutLabel(label) => !label.fits(&network.labels),
            Self::Driver(fits) | Self::Scope(fits) | Self::Kind(fits) => *fits,
        }
    }

    /// Whether it must fit, however many of its kind there are.
    fn is_strict(&self) -> bool {
        matches!(self, Self::Label(_) | Self::WithoutLabel(_))
    }
}

/// Of several filters of a kind one must fit, but all labels, and one of each kind.
pub fn fit(filters: &[Filter], network: &Network) -> bool {
    let alike =
        |one: &Filter, other: &Filter| std::mem::discriminant(one) == std::mem::discriminant(other);
    filters.iter().all(|filter| {
        filter.fits(network)
            || !filter.is_strict()
                && filters.iter().any(|other| alike(filter, other) && other.fits(network))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use containers::container::Id;

    #[test]
    fn filters_are_dockers() {
        let network = Network {
            id: Id::try_from("ab".repeat(32)).unwrap(),
            name: "web".to_owned(),
            created: 0,
            interface: "bh-abababababab".to_owned(),
            ranges: vec![],
            internal: false,
            mtu: None,
            egress: None,
            labels: [("team".to_owned(), "a".to_owned())].into(),
        };
        let fits = |texts: &[&str]| {
            let filters: Result<Vec<Filter>, String> =
                texts.iter().map(|text| Filter::parse(text)).collect();
            fit(&filters.unwrap(), &network)
        };
        for right in [
            &["name=eb"][..],
            &["id=aba"],
            &["driver=bridge", "scope=local", "type=custom"],
            &["label=team=a"],
            &["name=x", "name=web"],
            &["label!=other"],
            &[],
        ] {
            assert!(fits(right), "{right:?}");
        }
        for wrong in [
            &["name=x"][..],
            &["id=b"],
            &["driver=macvlan"],
            &["type=builtin"],
            &["label=team", "label=x"],
            &["name=web", "id=x"],
            &["label!=team"],
        ] {
            assert!(!fits(wrong), "{wrong:?}");
        }
        for text in ["web", "dangling=true", "type=x", ""] {
            assert!(Filter::parse(text).unwrap_err().contains("there are name=, id="), "{text}");
        }
        assert!(
            Filter::parse_label("until=1h").unwrap_err().contains("there are label= and label!=")
        );
    }
}
