//! From the store into an archive that docker, podman and skopeo read.

mod docker;
mod oci;

use std::fs::File;
use std::io::{self, Read, Write};

use tar::{Builder, EntryType, Header};

use super::{ImageStore, Name, StoreError, StoredImage};
use crate::layer::Limits;

/// What an archive is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// What `docker save` writes: configurations, and layers as plain tars.
    #[default]
    DockerArchive,
    /// A tar of an OCI image layout.
    OciArchive,
}

/// An image to write, under the names that it is to have in the archive.
struct Chosen {
    image: StoredImage,
    names: Vec<Name>,
}

/// Write the images that `texts` mean: one given by name under that name, one given by its ID under all its names.
pub fn save(
    store: &ImageStore,
    texts: &[String],
    format: Format,
    limits: Limits,
    out: impl Write,
) -> Result<(), StoreError> {
    let _session = store.session()?;
    let mut chosen: Vec<Chosen> = Vec::new();
    for text in texts {
        let image = store.resolve(text)?;
        let name = Name::parse(text).ok().filter(|name| image.names.contains(name));
        let names = name.map_or_else(|| image.names.clone(), |name| vec![name]);
        match chosen.iter_mut().find(|chosen| chosen.image.digest == image.digest) {
            Some(chosen) => {
                let new = names.into_iter().filter(|name| !chosen.names.contains(name));
                let new: Vec<Name> = new.collect();
                chosen.names.extend(new);
            }
            None => chosen.push(Chosen { image, names }),
        }
    }
    let mut archive = Archive(Builder::new(out));
    match format {
        Format::DockerArchive => docker::write(store, &chosen, limits, &mut archive)?,
        Format::OciArchive => oci::write(store, &chosen, &mut archive)?,
    }
    let mut out = archive.0.into_inner().map_err(StoreError::WriteArchive)?;
    out.flush().map_err(StoreError::WriteArchive)
}

/// An archive whose members all look the same but for their names and contents.
struct Archive<W: Write>(Builder<W>);

impl<W: Write> Archive<W> {
    fn file(&mut self, name: &str, size: u64, data: impl Read) -> Result<(), StoreError> {
        self.member(name, EntryType::Regular, 0o644, size, data)
    }

    fn folder(&mut self, name: &str) -> Result<(), StoreError> {
        self.member(name, EntryType::Directory, 0o755, 0, io::empty())
    }

    fn text(&mut self, name: &str, text: &[u8]) -> Result<(), StoreError> {
        self.file(name, text.len() as u64, text)
    }

    fn member(
        &mut self,
        name: &str,
        kind: EntryType,
        mode: u32,
        size: u64,
        data: impl Read,
    ) -> Result<(), StoreError> {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header.set_mtime(0);
        self.0.append_data(&mut header, name, data).map_err(StoreError::WriteArchive)
    }
}

/// A blob of the store, and its length.
fn blob(store: &ImageStore, digest: host::digest::Digest) -> Result<(File, u64), StoreError> {
    let path = store.blob(digest);
    let failed = |source| StoreError::Io { action: "read", path: path.clone(), source };
    let file = File::open(&path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    Ok((file, size))
}
