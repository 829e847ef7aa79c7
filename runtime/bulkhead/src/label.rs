//! `--filter label=NAME` and `label=NAME=VALUE`, of containers and images alike.

/// Which label there must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelFilter {
    name: String,
    /// Without one any will do.
    value: Option<String>,
}

impl LabelFilter {
    /// Reads what stands behind `label=`.
    pub fn parse(text: &str) -> Self {
        match text.split_once('=') {
            Some((name, value)) => Self { name: name.to_owned(), value: Some(value.to_owned()) },
            None => Self { name: text.to_owned(), value: None },
        }
    }

    /// Whether it is among these names and values.
    pub fn fits<'a>(&self, labels: impl IntoIterator<Item = (&'a String, &'a String)>) -> bool {
        labels.into_iter().any(|(name, value)| {
            *name == self.name && self.value.as_ref().is_none_or(|wanted| wanted == value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_asked_for_by_name_or_with_its_value() {
        let labels = [("app".to_owned(), "web=1".to_owned()), ("empty".to_owned(), String::new())];
        let fits =
            |text| LabelFilter::parse(text).fits(labels.iter().map(|(name, value)| (name, value)));
        assert!(["app", "app=web=1", "empty", "empty="].into_iter().all(fits));
        assert!(!["ap", "app=", "app=web", "empty=1", "web=1"].into_iter().any(fits));
    }
}
