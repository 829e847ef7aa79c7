//! Blobs: each is fetched once, by one process, from where the last one who tried was interrupted.

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use oci_client::client::{BlobResponse, SizedStream};
use oci_client::errors::{DigestError, OciDistributionError};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::client::Client;
use super::error::RegistryError;
use super::progress::{Bar, Progress};
use crate::store::{Partial, Session, StoreError};
use host::digest::Digest;

/// How often a blob is asked for when the connection breaks.
const TRIES: u32 = 3;

/// How long to wait before the next try.
const PAUSE: Duration = Duration::from_secs(1);

/// How often to look whether another process has fetched a blob.
const LOOK: Duration = Duration::from_millis(50);

/// Why no more bytes come.
enum Stop {
    /// The connection broke; another try may get more.
    Broken(io::Error),
    Error(RegistryError),
}

impl<E: Into<RegistryError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Client<'_> {
    /// Fetch a blob of that digest and length, unless the store has it.
    pub async fn fetch(
        &self,
        session: &Session,
        blob: &(Digest, u64),
        progress: &Progress,
    ) -> Result<(), RegistryError> {
        let (digest, size) = *blob;
        if session.has(digest) {
            return Ok(());
        }
        let bar = progress.bar(digest, size);
        loop {
            let mut partial = loop {
                if let Some(partial) = session.partial(*blob)? {
                    break partial;
                }
                bar.set_note("(another pull fetches it)");
                sleep(LOOK).await;
            };
            if session.has(digest) {
                return Ok(());
            }
            bar.set_note("");
            let is_old = partial.length() > 0;
            self.receive(&mut partial, *blob, &bar).await?;
            let (session, registry) = (session.clone(), self.registry().to_owned());
            let check = spawn_blocking(move || partial.finish(&session, &registry));
            match check.await.expect("checking a blob does not panic") {
                // What a process left that the machine took down with it need not be what it wrote.
                Err(StoreError::Mismatch { .. }) if is_old => {}
                finished => return Ok(finished?),
            }
        }
    }

    /// Get all bytes that are missing.
    async fn receive(
        &self,
        partial: &mut Partial,
        blob: (Digest, u64),
        bar: &Bar,
    ) -> Result<(), RegistryError> {
        let mut tries = 0;
        while !partial.is_whole() {
            match self.receive_more(partial, blob.0, bar).await {
                Ok(()) => {}
                Err(Stop::Error(error)) => return Err(error),
                Err(Stop::Broken(source)) => {
                    tries += 1;
                    if tries == TRIES {
                        let (name, length) = (self.name().clone(), partial.length());
                        let (blob, size) = (blob.0.to_string(), blob.1);
                        return Err(RegistryError::Interrupted {
                            name,
                            blob,
                            length,
                            size,
                            source,
                        });
                    }
                    sleep(PAUSE).await;
                }
            }
        }
        Ok(())
    }

    async fn receive_more(
        &self,
        partial: &mut Partial,
        digest: Digest,
        bar: &Bar,
    ) -> Result<(), Stop> {
        let answer = match self.blob(digest, partial.length()).await? {
            Ok(answer) => answer,
            Err(OciDistributionError::RequestError(error)) => {
                return Err(Stop::Broken(io::Error::other(error.without_url())));
            }
            Err(error) => return Err(self.no_blob(digest, error).into()),
        };
        let SizedStream { mut stream, .. } = match answer {
            BlobResponse::Partial(stream) => stream,
            BlobResponse::Full(stream) => {
                partial.restart()?;
                stream
            }
        };
        while let Some(bytes) = stream.next().await {
            match bytes {
                Ok(bytes) => partial.append(&bytes, self.registry())?,
                // Of a whole blob the client checks the digest itself; so do we.
                Err(error) if is_mismatch(&error) => break,
                Err(error) => return Err(Stop::Broken(error)),
            }
            bar.show(partial.length());
        }
        match partial.is_whole() {
            true => Ok(()),
            false => Err(Stop::Broken(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    fn no_blob(&self, digest: Digest, error: OciDistributionError) -> RegistryError {
        match self.refusal(error) {
            RegistryError::NotFound { .. } => {
                self.wrong(format!("its registry has no blob {digest}"))
            }
            error => error,
        }
    }
}

fn is_mismatch(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<DigestError>())
}
