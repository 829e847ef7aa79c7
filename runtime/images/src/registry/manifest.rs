//! Manifests and indexes: which image a name means for a platform.

use oci_client::manifest::{IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE};
use oci_spec::image::ImageConfiguration;
use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, MediaType};

use super::client::Client;
use super::error::{RegistryError, told};
use super::progress::Progress;
use crate::image::documents::Kind;
use crate::image::json::Document;
use crate::image::oci::media::{is_beside, is_image, is_index, is_manifest};
use crate::image::oci::{blob_name, list, platform_of, platform_text};
use crate::image::platform::{Fit, fit};
use crate::limits;
use crate::store::{Session, Version};
use host::digest::Digest;
use host::platform::Platform;

/// The longest configuration.
const MAX_CONFIG: u64 = 16 << 20;

/// The most manifests and indexes that are asked for on the way to an image: each costs a request.
const MAX_REQUESTS: usize = 64;

/// A manifest that the store has.
pub struct Found {
    pub digest: Digest,
    pub size: u64,
    pub media_type: MediaType,
    /// Digest and length of the configuration.
    pub config: (Digest, u64),
}

/// Find the manifest of the client's image for this platform, and put it into the store as the registry has it. Of an
/// index that is the entry that fits best, and of those the first; entries that don't say a platform are asked for when
/// none does, in their order, and so are the indexes in it.
pub async fn find(
    client: &Client<'_>,
    session: &Session,
    platform: Platform,
    progress: &Progress,
) -> Result<Found, RegistryError> {
    let pinned = match client.name().version() {
        Version::Tag(_) => None,
        Version::Digest(digest) => Some(*digest),
    };
    let text = client.manifest(pinned).await?;
    let kind: Kind = parse(client, &text)?;
    if !kind.is_index() {
        let (found, _) = keep(client, session, &text, kind)?;
        return Ok(found);
    }
    let mut platforms = Vec::new();
    let mut ahead = ordered(&parse(client, &text)?, platform, &mut platforms);
    for _ in 0..MAX_REQUESTS {
        if ahead.is_empty() {
            break;
        }
        let (entry, depth) = ahead.remove(0);
        let (digest, size) = identity(client, &entry)?;
        let text = client.manifest(Some(digest)).await?;
        if text.len() as u64 != size {
            let reason = format!("its index says that manifest {digest} is {size} bytes long");
            return Err(client.wrong(format!("{reason}, and it is {}", text.len())));
        }
        let kind: Kind = parse(client, &text)?;
        if kind.is_index() && depth < limits::INDEX_DEPTH {
            let nested = ordered(&parse(client, &text)?, platform, &mut platforms);
            ahead.splice(0..0, nested.into_iter().map(|(entry, _)| (entry, depth + 1)));
            continue;
        }
        let (found, manifest) = keep(client, session, &text, kind)?;
        if !is_image(&manifest) {
            continue;
        }
        if entry.platform().is_some() {
            return Ok(found);
        }
        client.fetch(session, &found.config, progress).await?;
        let files = session.store().files();
        let image =
            files.document::<ImageConfiguration>(&blob_name(found.config.0), Some(found.config));
        let image = image.map_err(|error| client.wrong(told(&host::text::in_one_line(&error))))?;
        let variant = image.variant().as_deref();
        if fit(platform, image.os(), image.architecture(), variant).is_some() {
            return Ok(found);
        }
        platforms.push(platform_text(image.os(), image.architecture(), variant));
    }
    let held = told(&list(&platforms));
    Err(RegistryError::Platform { name: client.name().clone(), held, wanted: platform })
}

/// The entries of an index to look at, in this order; the platforms of the others are added to `platforms`.
fn ordered(
    index: &ImageIndex,
    platform: Platform,
    platforms: &mut Vec<String>,
) -> Vec<(Descriptor, usize)> {
    let mut told: Vec<(Fit, Descriptor)> = Vec::new();
    let mut untold = Vec::new();
    for entry in index.manifests().iter().filter(|entry| !is_beside(entry)) {
        let media_type = entry.media_type();
        match entry.platform() {
            _ if !is_index(media_type) && !is_manifest(media_type) => {}
            None => untold.push(entry.clone()),
            Some(said) => {
                match fit(platform, said.os(), said.architecture(), said.variant().as_deref()) {
                    Some(fit) => told.push((fit, entry.clone())),
                    None => platforms.extend(platform_of(entry)),
                }
            }
        }
    }
    // Stable: of those that fit as well, the first one stays the first.
    told.sort_by_key(|(fit, _)| std::cmp::Reverse(*fit));
    let told = told.into_iter().map(|(_, entry)| entry);
    told.chain(untold).map(|entry| (entry, 0)).collect()
}

/// Put a manifest into the store.
fn keep(
    client: &Client<'_>,
    session: &Session,
    text: &[u8],
    kind: Kind,
) -> Result<(Found, ImageManifest), RegistryError> {
    let media_type = kind.media_type.as_deref().unwrap_or(OCI_IMAGE_MEDIA_TYPE);
    let known = [OCI_IMAGE_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE].contains(&media_type);
    if !known || kind.manifests {
        return Err(client.wrong("it is no image manifest of OCI's or of docker's schema 2".into()));
    }
    let manifest: ImageManifest = parse(client, text)?;
    let config = identity(client, manifest.config())?;
    if config.1 > MAX_CONFIG {
        let size = config.1;
        let reason = format!("its configuration is {size} bytes long; the limit is {MAX_CONFIG}");
        return Err(client.wrong(reason));
    }
    let (digest, size) = (Digest::of(text), text.len() as u64);
    session.put_blob(text, (digest, size), client.registry())?;
    let found = Found { digest, size, media_type: MediaType::from(media_type), config };
    Ok((found, manifest))
}

fn identity(client: &Client<'_>, descriptor: &Descriptor) -> Result<(Digest, u64), RegistryError> {
    let digest = descriptor.as_digest_sha256().and_then(Digest::parse_hex);
    let wrong = || {
        let digest = descriptor.digest().to_string();
        client.wrong(format!("the digest {} is not a sha256 digest", told(&digest)))
    };
    Ok((digest.ok_or_else(wrong)?, descriptor.size()))
}

fn parse<T: Document>(client: &Client<'_>, text: &[u8]) -> Result<T, RegistryError> {
    T::read(text)
        .map_err(|error| client.wrong(format!("its manifest: {}", told(&error.to_string()))))
}
