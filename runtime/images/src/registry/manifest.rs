//! Manifests and indexes: which image a name means for a platform.

use oci_client::manifest::{IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE};
use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, MediaType};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::client::Client;
use super::error::{RegistryError, told};
use crate::image::oci::{list, platform_of};
use crate::store::{Session, Version};
use host::digest::Digest;
use host::platform::Platform;

/// The longest configuration.
const MAX_CONFIG: u64 = 16 << 20;

/// A manifest that the store has.
pub struct Found {
    pub digest: Digest,
    pub size: u64,
    pub media_type: MediaType,
    /// Digest and length of the configuration.
    pub config: (Digest, u64),
}

/// What tells a manifest from an index. Whoever has both fields would be one thing for us and the other for another tool
/// (CVE-2021-41190).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
}

/// Find the manifest of the client's image for this platform, and put it into the store as the registry has it.
pub async fn find(
    client: &Client<'_>,
    session: &Session,
    platform: Platform,
) -> Result<Found, RegistryError> {
    let pinned = match client.name().version() {
        Version::Tag(_) => None,
        Version::Digest(digest) => Some(*digest),
    };
    let mut text = client.manifest(pinned).await?;
    let mut kind: Kind = parse(client, &text)?;
    if kind.manifests.is_some() && kind.layers.is_none() {
        let (digest, size) = choose(client, &parse(client, &text)?, platform)?;
        text = client.manifest(Some(digest)).await?;
        if text.len() as u64 != size {
            let reason = format!("its index says that manifest {digest} is {size} bytes long");
            return Err(client.wrong(format!("{reason}, and it is {}", text.len())));
        }
        kind = parse(client, &text)?;
    }
    let media_type = kind.media_type.as_deref().unwrap_or(OCI_IMAGE_MEDIA_TYPE);
    let known = [OCI_IMAGE_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE].contains(&media_type);
    if !known || kind.layers.is_none() || kind.manifests.is_some() {
        return Err(client.wrong("it is no image manifest of OCI's or of docker's schema 2".into()));
    }
    let manifest: ImageManifest = parse(client, &text)?;
    let config = identity(client, manifest.config())?;
    if config.1 > MAX_CONFIG {
        let size = config.1;
        let reason = format!("its configuration is {size} bytes long; the limit is {MAX_CONFIG}");
        return Err(client.wrong(reason));
    }
    let (digest, size) = (Digest::of(&text), text.len() as u64);
    session.put_blob(&text[..], (digest, size), client.registry())?;
    Ok(Found { digest, size, media_type: MediaType::from(media_type), config })
}

/// The index's manifest for this platform.
fn choose(
    client: &Client<'_>,
    index: &ImageIndex,
    platform: Platform,
) -> Result<(Digest, u64), RegistryError> {
    let fits = |entry: &&Descriptor| {
        let told = entry.platform().as_ref();
        told.is_none_or(|told| platform.runs(told.os(), told.architecture()))
    };
    let Some(entry) = index.manifests().iter().find(fits) else {
        let held: Vec<String> = index.manifests().iter().filter_map(platform_of).collect();
        let held = told(&list(&held));
        return Err(RegistryError::Platform {
            name: client.name().clone(),
            held,
            wanted: platform,
        });
    };
    identity(client, entry)
}

fn identity(client: &Client<'_>, descriptor: &Descriptor) -> Result<(Digest, u64), RegistryError> {
    let digest = descriptor.as_digest_sha256().and_then(Digest::parse_hex);
    let wrong = || {
        let digest = descriptor.digest().to_string();
        client.wrong(format!("the digest {} is not a sha256 digest", told(&digest)))
    };
    Ok((digest.ok_or_else(wrong)?, descriptor.size()))
}

fn parse<T: DeserializeOwned>(client: &Client<'_>, text: &[u8]) -> Result<T, RegistryError> {
    serde_json::from_slice(text)
        .map_err(|error| client.wrong(format!("its manifest: {}", told(&error.to_string()))))
}
