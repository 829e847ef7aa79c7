//! One image in one registry: who we are there, and what is asked for.
//!
//! The HTTP client reads manifests, tokens and error messages whole, however long they are. So a request has only so much
//! time, and this process only so much more memory meanwhile.

use std::fs;
use std::net::IpAddr;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use oci_client::client::{BlobResponse, ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
};
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation};
use tokio::time::interval;

use super::credentials;
use super::error::{RegistryError, told};
use crate::store::{Name, Version};
use host::digest::{Digest, Mismatch};

/// What we understand: OCI's, and docker's "image manifest version 2, schema 2".
const MEDIA_TYPES: [&str; 4] = [
    OCI_IMAGE_MEDIA_TYPE,
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
];

/// The longest manifest or index. Registries need not take longer ones (OCI distribution specification, "Pushing
/// Manifests").
const MAX_MANIFEST: u64 = 4 << 20;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a registry may be silent.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a request may take, with all that is not the data of a blob.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// How many more bytes this process may take meanwhile.
const REQUEST_MEMORY: u64 = 16 * MAX_MANIFEST;

/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A connection for pulling an image.
pub struct Client<'a> {
    client: oci_client::Client,
    name: &'a Name,
    registry: &'a str,
    path: &'a str,
    auth: RegistryAuth,
    tls_verify: bool,
}

impl<'a> Client<'a> {
    /// Find out who we are to the image's registry, and whether it is there.
    pub async fn connect(name: &'a Name, tls_verify: bool) -> Result<Self, RegistryError> {
        let whole = name.repository().split_once('/');
        let (registry, path) = whole.expect("a repository has a registry and a path");
        if !tls_verify && !is_loopback(registry) {
            return Err(RegistryError::NotLoopback { registry: registry.to_owned() });
        }
        install_cryptography();
        let reference = reference(registry, path, name.version());
        let found = credentials::find(&[registry, reference.resolve_registry()])?;
        let auth = found.map_or(RegistryAuth::Anonymous, |found| {
            RegistryAuth::Basic(found.user, found.password)
        });
        let connect = |protocol| -> Result<Self, RegistryError> {
            let client = client(protocol, tls_verify)?;
            Ok(Self { client, name, registry, path, auth: auth.clone(), tls_verify })
        };
        let secure = connect(ClientProtocol::Https)?;
        match secure.login(&reference).await? {
            Ok(()) => Ok(secure),
            Err(OciDistributionError::RequestError(error)) if !tls_verify && error.is_connect() => {
                let plain = connect(ClientProtocol::Http)?;
                plain.login(&reference).await?.map_err(|error| plain.refusal(error))?;
                Ok(plain)
            }
            Err(error) => Err(secure.refusal(error)),
        }
    }

    /// Get what later requests show, where the registry wants something shown.
    async fn login(
        &self,
        reference: &Reference,
    ) -> Result<Result<(), OciDistributionError>, RegistryError> {
        let login = self.client.auth(reference, &self.auth, RegistryOperation::Pull);
        Ok(self.in_bounds(login).await?.map(drop))
    }

    pub fn name(&self) -> &Name {
        self.name
    }

    /// Its registry, for messages.
    pub fn registry(&self) -> &str {
        self.registry
    }

    /// The text of a manifest or index: the one that the image's tag means, or that with a digest.
    pub async fn manifest(&self, digest: Option<Digest>) -> Result<Vec<u8>, RegistryError> {
        let version = digest.map_or_else(|| self.name.version().clone(), Version::Digest);
        let reference = reference(self.registry, self.path, &version);
        let request = self.client.pull_manifest_raw(&reference, &self.auth, &MEDIA_TYPES);
        let answer = self.in_bounds(request).await?;
        let (text, _) = answer.map_err(|error| self.refusal(error))?;
        if text.len() as u64 > MAX_MANIFEST {
            let length = text.len();
            let reason = format!("its manifest has {length} bytes; the limit is {MAX_MANIFEST}");
            return Err(self.wrong(reason));
        }
        let actual = Digest::of(&text);
        match digest {
            Some(expected) if expected != actual => {
                Err(self.wrong(format!("its manifest: {}", Mismatch::Digest { expected, actual })))
            }
            _ => Ok(text.into()),
        }
    }

    /// The bytes of a blob, from this one on or, where the registry does not do that, all of them.
    pub async fn blob(
        &self,
        digest: Digest,
        start: u64,
    ) -> Result<Result<BlobResponse, OciDistributionError>, RegistryError> {
        let reference = reference(self.registry, self.path, self.name.version());
        let digest = digest.to_string();
        let request = self.client.pull_blob_stream_partial(&reference, &*digest, start, None);
        self.in_bounds(request).await
    }

    /// An error about what the registry has sent.
    pub fn wrong(&self, reason: String) -> RegistryError {
        RegistryError::Wrong { name: self.name.clone(), reason }
    }

    /// What an error means to a person.
    pub fn refusal(&self, error: OciDistributionError) -> RegistryError {
        use OciErrorCode as Code;
        let (name, registry) = (self.name.clone(), self.registry.to_owned());
        let unauthorised = || {
            let who = match &self.auth {
                RegistryAuth::Basic(user, _) => format!("user '{}'", told(user)),
                _ => "strangers".to_owned(),
            };
            RegistryError::Unauthorised { name: name.clone(), registry: registry.clone(), who }
        };
        let refused = |answer: String| {
            let (name, registry) = (name.clone(), registry.clone());
            RegistryError::Refused { name, registry, answer: told(&answer) }
        };
        match error {
            OciDistributionError::UnauthorizedError { .. }
            | OciDistributionError::AuthenticationFailure(_)
            | OciDistributionError::ServerError { code: 403, .. } => unauthorised(),
            OciDistributionError::ServerError { code: 404, .. } => RegistryError::NotFound { name },
            OciDistributionError::ServerError { code, message, .. } => {
                refused(format!("HTTP status {code}: {message}"))
            }
            OciDistributionError::RegistryError { envelope, .. } => match envelope.errors.first() {
                Some(error) => match &error.code {
                    Code::ManifestUnknown | Code::NameUnknown | Code::NotFound => {
                        RegistryError::NotFound { name }
                    }
                    Code::Unauthorized | Code::Denied => unauthorised(),
                    _ => refused(error.message.clone()),
                },
                None => refused("nothing".to_owned()),
            },
            OciDistributionError::RequestError(error) => {
                let advice = if self.tls_verify && is_loopback(self.registry) {
                    "is it up? Without TLS or a known certificate it needs --tls-verify=false"
                } else {
                    "is its name right, and is it up?"
                };
                // The address is in the name, or is what the registry says.
                let source = Box::new(OciDistributionError::RequestError(error.without_url()));
                RegistryError::Unreachable { name, advice, source }
            }
            error => refused(error.to_string()),
        }
    }

    /// Do a request that ends in time and without too many bytes.
    async fn in_bounds<T>(&self, request: impl Future<Output = T>) -> Result<T, RegistryError> {
        let end = Instant::now() + REQUEST_TIMEOUT;
        let limit = memory().saturating_add(REQUEST_MEMORY);
        let watch = async {
            let mut looks = interval(LOOK);
            while Instant::now() < end && memory() < limit {
                looks.tick().await;
            }
        };
        match select(pin!(request), pin!(watch)).await {
            Either::Left((answer, _)) => Ok(answer),
            Either::Right(_) => {
                let (name, registry) = (self.name.clone(), self.registry.to_owned());
                Err(RegistryError::NoEnd { name, registry })
            }
        }
    }
}

fn client(protocol: ClientProtocol, tls_verify: bool) -> Result<oci_client::Client, RegistryError> {
    let client = |accept_invalid_certificates| {
        let config = ClientConfig {
            protocol: protocol.clone(),
            accept_invalid_certificates,
            connect_timeout: Some(CONNECT_TIMEOUT),
            read_timeout: Some(READ_TIMEOUT),
            user_agent: concat!("bulkhead/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        config.try_into().map_err(|source| RegistryError::Certificates { source: Box::new(source) })
    };
    // On a machine without certificate authorities oci-client panics when it makes one that asks none. This one is an error there.
    let verifying = client(false)?;
    if tls_verify { Ok(verifying) } else { client(true) }
}

/// TLS is built without a default choice of whose cryptography it uses.
fn install_cryptography() {
    // An error says that it was installed before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn reference(registry: &str, path: &str, version: &Version) -> Reference {
    let (registry, path) = (registry.to_owned(), path.to_owned());
    match version {
        Version::Tag(tag) => Reference::with_tag(registry, path, tag.clone()),
        Version::Digest(digest) => Reference::with_digest(registry, path, digest.to_string()),
    }
}

/// Whether a registry is on this machine: nobody can get between it and us.
fn is_loopback(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => registry,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// How many bytes of memory this process has; 0 when the kernel does not say.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number.and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for registry in ["localhost", "localhost:5000", "127.0.0.1", "127.1.2.3:80", "[::1]:5000"] {
            assert!(is_loopback(registry), "{registry}");
        }
        for registry in [
            "docker.io",
            "localhost.example",
            "10.0.0.1",
            "127.0.0.1.example:1",
            "[::2]",
            "0.0.0.0",
        ] {
            assert!(!is_loopback(registry), "{registry}");
        }
    }

    #[test]
    fn this_process_has_memory() {
        assert!(memory() > 100 << 10);
    }
}
