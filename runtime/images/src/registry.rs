//! Pulling images from registries (OCI distribution specification, "Pull").
//!
//! A manifest, or an index that lists one for each platform, is asked for by tag or digest; it names a configuration and
//! layers, which are fetched three at once. Whatever a registry sends is checked against the digest and the length that
//! were promised for it before the store has it; what came before a connection broke stays there, and the next pull
//! asks only for the rest.
//!
//! The HTTP client is asynchronous; nothing outside of this module is.

mod client;
mod credentials;
mod error;
mod fetch;
mod helper;
mod manifest;
mod progress;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::runtime;

use client::Client;
use error::told;
pub use error::{CredentialsError, RegistryError};
use progress::Progress;

use crate::image::oci::{describe_image, descriptor, digest_of, with_platform};
use crate::image::platform::runs;
use crate::layer::Limits;
use crate::store::{Name, Session};
use host::digest::Digest;
use host::platform::Platform;

/// How many layers are fetched at once, as docker does.
const AT_ONCE: usize = 3;

/// How to pull.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Of an image for several platforms, the one for this is taken; one for another is refused.
    pub platform: Platform,
    /// Talk TLS, and only to whom the certificates of this machine vouch for. Without it, which only registries on this
    /// machine allow, any certificate will do, and HTTP without TLS where there is no TLS.
    pub tls_verify: bool,
    /// Show no progress on stderr, even if that is a terminal.
    pub quiet: bool,
    /// A layer may be as long as what it may unpack to.
    pub limits: Limits,
}

/// An image that was pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The digest of its manifest.
    pub digest: Digest,
    /// The digest of its configuration.
    pub id: Digest,
}

/// Fetch what the store does not have of an image, and name it there. The session keeps the image in the store.
pub fn pull(session: &Session, name: &Name, options: &Options) -> Result<Pulled, RegistryError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(RegistryError::Start)?;
    let pulled = runtime.block_on(pull_image(session, name, options));
    // A look-up of a host's name cannot be interrupted, and is not waited for.
    runtime.shutdown_background();
    pulled
}

async fn pull_image(
    session: &Session,
    name: &Name,
    options: &Options,
) -> Result<Pulled, RegistryError> {
    let client = Client::connect(name, options.tls_verify).await?;
    let progress = Progress::new(options.quiet);
    let found = manifest::find(&client, session, options.platform, &progress).await?;
    client.fetch(session, &found.config, &progress).await?;
    let files = session.store().files();
    let wrong = |error: crate::image::ImageError| client.wrong(told(&error.to_string()));
    let manifest = descriptor(found.media_type, found.digest, found.size);
    let image = describe_image(&files, &manifest).map_err(wrong)?;
    let (os, architecture) = (image.configuration.os(), image.configuration.architecture());
    if !runs(options.platform, os, architecture) {
        return Err(RegistryError::Platform {
            name: name.clone(),
            held: told(&format!("{os}/{architecture}")),
            wanted: options.platform,
        });
    }
    let mut layers = Vec::new();
    for layer in image.manifest.layers() {
        let digest = digest_of(&files, &image.name, layer).map_err(wrong)?;
        if layer.size() > options.limits.size {
            let (size, limit) = (layer.size(), options.limits.size);
            return Err(client.wrong(format!(
                "layer {digest} is {size} bytes long, more than {limit}; set BULKHEAD_MAX_LAYER_SIZE to allow more"
            )));
        }
        // An image may have a layer twice.
        if !layers.contains(&(digest, layer.size())) {
            layers.push((digest, layer.size()));
        }
    }
    let all = layers.iter().fold(0u64, |all, (_, size)| all.saturating_add(*size));
    let limit = options.limits.in_all().size;
    if all > limit {
        return Err(client.wrong(format!(
            "its layers are {all} bytes long in all, more than {limit}; set BULKHEAD_MAX_LAYER_SIZE to half of what to allow"
        )));
    }
    let fetches = layers.iter().map(|layer| client.fetch(session, layer, &progress));
    stream::iter(fetches).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    let manifest = with_platform(manifest, &image.configuration);
    session.add(&[(manifest, Some(name.clone()))])?;
    Ok(Pulled { digest: found.digest, id: found.config.0 })
}
