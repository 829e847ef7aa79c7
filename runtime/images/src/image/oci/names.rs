//! What the entries of an index call their images.

use oci_spec::image::Descriptor;

/// The name of an image in a layout (OCI image specification, "Pre-Defined Annotation Keys"), often only a tag.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The full name, as containerd and `docker save` write it.
pub const FULL_NAME: &str = "io.containerd.image.name";

/// Whether the person's name means this image: all of its name, or the part behind the last `/`, or the tag.
pub fn is_called(descriptor: &Descriptor, wanted: &str) -> bool {
    names(descriptor).any(|name| {
        let short = name.rsplit('/').next().unwrap_or(name);
        let tag = short.split_once(':').map(|(_, tag)| tag);
        name == wanted || short == wanted || tag == Some(wanted)
    })
}

/// What an entry of an index calls its image.
pub fn names(descriptor: &Descriptor) -> impl Iterator<Item = &str> {
    let annotations = descriptor.annotations().as_ref();
    [FULL_NAME, REF_NAME]
        .into_iter()
        .filter_map(move |key| annotations.and_then(|map| map.get(key)).map(String::as_str))
}

/// An entry's name, or what else tells it from the others.
pub fn describe(descriptor: &Descriptor) -> String {
    let name = names(descriptor).next().map(str::to_owned);
    name.or_else(|| platform_of(descriptor)).unwrap_or_else(|| descriptor.digest().to_string())
}

/// The platform of an entry that says one.
pub fn platform_of(descriptor: &Descriptor) -> Option<String> {
    let platform = descriptor.platform().as_ref()?;
    Some(format!("{}/{}", platform.os(), platform.architecture()))
}
