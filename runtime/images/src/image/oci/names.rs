//! What the entries of an index call their images.

use std::fmt::Display;

use oci_spec::image::Descriptor;

/// The name of an image in a layout (OCI image specification, "Pre-Defined Annotation Keys"), often only a tag.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The full name, as containerd and `docker save` write it.
pub const FULL_NAME: &str = "io.containerd.image.name";

/// How many digits of a digest name an image: what lists of images show.
pub const SHORT_DIGEST: usize = 12;

/// What the person's name is to an image; the closer one goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Called {
    /// All of its name.
    Whole,
    /// The part behind the last `/`.
    Short,
    /// The tag.
    Tag,
    /// The start of its digest.
    Digest,
}

/// What the person's name is to an image that has these names, and a digest of these digits.
pub fn called<'a>(
    names: impl IntoIterator<Item = &'a str>,
    digits: &str,
    wanted: &str,
) -> Option<Called> {
    let by_name = names.into_iter().filter_map(|name| {
        let short = name.rsplit('/').next().unwrap_or(name);
        let tag = short.split_once(':').map(|(_, tag)| tag);
        match () {
            () if name == wanted => Some(Called::Whole),
            () if short == wanted => Some(Called::Short),
            () if tag == Some(wanted) => Some(Called::Tag),
            () => None,
        }
    });
    by_name.min().or_else(|| is_digest(digits, wanted).then_some(Called::Digest))
}

/// Those that the person's name is closest to: what is all of a name is not short for another.
pub fn closest<T: Copy>(images: &[T], called: impl Fn(T) -> Option<Called>) -> Vec<T> {
    let best = images.iter().filter_map(|image| called(*image)).min();
    images.iter().copied().filter(|image| best.is_some() && called(*image) == best).collect()
}

/// Whether the person gives the start of a digest, of which these are the digits.
pub fn is_digest(digits: &str, wanted: &str) -> bool {
    let wanted = wanted.strip_prefix("sha256:").unwrap_or(wanted);
    wanted.len() >= SHORT_DIGEST && digits.starts_with(wanted)
}

/// What an entry of an index calls its image.
pub fn names(descriptor: &Descriptor) -> impl Iterator<Item = &str> {
    let annotations = descriptor.annotations().as_ref();
    [FULL_NAME, REF_NAME]
        .into_iter()
        .filter_map(move |key| annotations.and_then(|map| map.get(key)).map(String::as_str))
}

/// What a person can call an entry by.
pub fn describe(descriptor: &Descriptor) -> String {
    let name = names(descriptor).next().map(str::to_owned);
    name.unwrap_or_else(|| descriptor.digest().digest().chars().take(SHORT_DIGEST).collect())
}

/// The platform of an entry that says one.
pub fn platform_of(descriptor: &Descriptor) -> Option<String> {
    let platform = descriptor.platform().as_ref()?;
    Some(platform_text(platform.os(), platform.architecture(), platform.variant().as_deref()))
}

/// A platform in docker's words.
pub fn platform_text(
    os: impl Display,
    architecture: impl Display,
    variant: Option<&str>,
) -> String {
    let variant = variant.map(|variant| format!("/{variant}")).unwrap_or_default();
    format!("{os}/{architecture}{variant}")
}
