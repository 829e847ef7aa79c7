//! `images --filter`: which images are listed.

use images::store::{Name, StoredImage};

use crate::label::LabelFilter;
use crate::switches::parse_switch;

/// What an image, under one of its names, must have to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Whether it has no name.
    Dangling(bool),
    Reference(String),
    Label(LabelFilter),
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("dangling", value)) => parse_switch(value)
                .map(Self::Dangling)
                .map_err(|why| format!("'{}': {why}", text.escape_debug())),
            Some(("reference", pattern)) => Ok(Self::Reference(pattern.to_owned())),
            Some(("label", label)) => Ok(Self::Label(LabelFilter::parse(label))),
            _ => Err(format!(
                "'{}': there are dangling=, reference= and label=",
                text.escape_debug()
            )),
        }
    }
}

/// Whether the image is listed under this name.
pub(super) fn fit(filters: &[Filter], image: &StoredImage, name: Option<&Name>) -> bool {
    let mut patterns = filters.iter().filter_map(|filter| match filter {
        Filter::Reference(pattern) => Some(pattern),
        _ => None,
    });
    let has_pattern = patterns.clone().next().is_some();
    let mut is_named = || name.is_some_and(|name| patterns.any(|pattern| is_name(pattern, name)));
    let rest = filters.iter().all(|filter| match filter {
        Filter::Dangling(dangling) => *dangling == name.is_none(),
        Filter::Reference(_) => true,
        Filter::Label(label) => {
            let labels =
                image.configuration.config().as_ref().and_then(|config| config.labels().as_ref());
            label.fits(labels.into_iter().flatten())
        }
    });
    rest && (!has_pattern || is_named())
}

/// Whether a pattern is for a name, with its tag or without.
fn is_name(pattern: &str, name: &Name) -> bool {
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
            ("before=x", "there are dangling="),
            ("x", "there are"),
        ] {
            let error = Filter::parse(wrong).unwrap_err();
            assert!(error.contains(message), "{wrong}: {error}");
        }
    }
}
