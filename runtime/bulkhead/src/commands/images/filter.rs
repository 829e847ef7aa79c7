//! `images --filter`: which images are listed.

use super::created;
use crate::label::LabelFilter;
use crate::switches::parse_switch;
use images::store::{ImageStore, Name, StoreError, StoredImage};

/// What an image, under one of its names, must have to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Whether it has no name.
    Dangling(bool),
    Reference(String),
    /// Images made before and after another.
    Before(String),
    Since(String),
    Label(LabelFilter),
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("dangling", value)) => parse_switch(value)
                .map(Self::Dangling)
                .map_err(|why| format!("'{}': {why}", text.escape_debug())),
            Some(("reference", pattern)) => Ok(Self::Reference(pattern.to_owned())),
            Some(("before", image)) => Ok(Self::Before(image.to_owned())),
            Some(("since", image)) => Ok(Self::Since(image.to_owned())),
            Some(("label", label)) => Ok(Self::Label(LabelFilter::parse(label))),
            _ => Err(format!(
                "'{}': there are dangling=, reference=, before=, since= and label=",
                text.escape_debug()
            )),
        }
    }
}

/// Filters, and what they name.
pub(super) struct Filters<'a> {
    filters: &'a [Filter],
    /// After and before when it must have been made, in seconds since 1970.
    since: Option<i64>,
    before: Option<i64>,
}

impl<'a> Filters<'a> {
    pub fn look_up(filters: &'a [Filter], store: &ImageStore) -> Result<Self, StoreError> {
        let mut found = Self { filters, since: None, before: None };
        // One that does not say when it was made is older than all.
        let made = |name: &str| -> Result<i64, StoreError> {
            Ok(created(&store.resolve(name)?).unwrap_or(i64::MIN))
        };
        for filter in filters {
            match filter {
                Filter::Since(name) => found.since = found.since.max(Some(made(name)?)),
                Filter::Before(name) => {
                    let made = made(name)?;
                    found.before = Some(found.before.map_or(made, |before| before.min(made)));
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// Whether the image is listed under this name.
    pub fn fit(&self, image: &StoredImage, name: Option<&Name>) -> bool {
        let mut patterns = self.filters.iter().filter_map(|filter| match filter {
            Filter::Reference(pattern) => Some(pattern),
            _ => None,
        });
        let has_pattern = patterns.clone().next().is_some();
        let mut is_named =
            || name.is_some_and(|name| patterns.any(|pattern| is_name(pattern, name)));
        let made = created(image).unwrap_or(i64::MIN);
        let rest = self.filters.iter().all(|filter| match filter {
            Filter::Dangling(dangling) => *dangling == name.is_none(),
            Filter::Reference(_) => true,
            Filter::Since(_) => self.since.is_none_or(|since| made > since),
            Filter::Before(_) => self.before.is_none_or(|before| made < before),
            Filter::Label(label) => {
                let config = image.configuration.config().as_ref();
                let labels = config.and_then(|config| config.labels().as_ref());
                label.fits(labels.into_iter().flatten())
            }
        });
        rest && (!has_pattern || is_named())
    }
}

/// Whether a pattern is for a name, with its tag or without.
pub(super) fn is_name(pattern: &str, name: &Name) -> bool {
    matches(pattern, name.short_repository()) || matches(pattern, &name.short())
}

/// Whether a pattern is for all of a text. `*` stands for anything but a slash, and `?` for one character.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    // Whether the first n characters of the text fit what has been read of the pattern.
    let mut fitting = vec![false; text.len() + 1];
    fitting[0] = true;
    for wanted in pattern {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            let before = at.checked_sub(1);
            next[at] = match wanted {
                '*' => {
                    fitting[at] || before.is_some_and(|before| next[before] && text[before] != '/')
                }
                '?' => before.is_some_and(|before| fitting[before] && text[before] != '/'),
                wanted => before.is_some_and(|before| fitting[before] && text[before] == wanted),
            };
        }
        fitting = next;
    }
    fitting[text.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_for_whole_names() {
        for (pattern, text) in [
            ("busybox", "busybox"),
            ("busy*", "busybox"),
            ("*box:*", "busybox:1"),
            ("b?b/*", "bob/x"),
            ("*", ""),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("busy", "busybox"), ("*", "bob/x"), ("b?b", "bb"), ("", "x"), ("?", "/")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn filters_are_dockers() {
        assert_eq!(Filter::parse("dangling=1"), Ok(Filter::Dangling(true)));
        for (wrong, message) in [
            ("dangling=yes", "give true or false"),
            ("until=x", "there are dangling="),
            ("x", "there are"),
        ] {
            let error = Filter::parse(wrong).unwrap_err();
            assert!(error.contains(message), "{wrong}: {error}");
        }
    }
}
