//! What kind of image is it? By its contents.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::archive::Archive;
use super::compression::{Compression, Decompressor, START};
use super::files::Files;
use super::{Image, ImageConfig, ImageError, LayerData, LayerSource, Reference, docker, oci};
use crate::layer::{Limits, index_name};
use host::cache::{Cache, Folder};
use host::digest::Digest;
use host::platform::Platform;
use host::stamp::stamp;

/// The file that makes a tar a docker archive.
pub const MANIFEST: &str = "manifest.json";

/// Find and understand the image. A root file system does not say which platform it is for.
pub fn open(
    cache: &Cache,
    reference: &Reference,
    platform: Platform,
    limits: Limits,
) -> Result<Image, ImageError> {
    let path = &reference.path;
    let open = |source| ImageError::Open { path: path.clone(), source };
    let metadata = fs::metadata(path).map_err(open)?;
    if metadata.is_dir() {
        let files = Files::Directory(path.clone());
        if is_layout(&files) {
            return oci::open(&files, reference, platform);
        }
        if fs::read_dir(path).map_err(open)?.next().is_none() {
            return Err(ImageError::Empty { path: path.clone() });
        }
        let data = LayerData::Directory(path.clone());
        return root_file_system(reference, String::new(), data);
    }
    if !metadata.is_file() {
        return Err(ImageError::NotAFile { path: path.clone() });
    }
    let file = File::open(path).map_err(open)?;
    if metadata.len() == 0 {
        return Err(ImageError::Empty { path: path.clone() });
    }
    open_archive(cache, reference, file, platform, limits)
}

fn open_archive(
    cache: &Cache,
    reference: &Reference,
    file: File,
    platform: Platform,
    limits: Limits,
) -> Result<Image, ImageError> {
    let path = &reference.path;
    let open = |source| ImageError::Open { path: path.clone(), source };
    // Before it is read: what changes meanwhile is another state.
    let state = stamp(&file.metadata().map_err(open)?);
    let mut digest = None;
    let tar = if is_compressed(&file).map_err(open)? {
        // A root file system that was unpacked before needs no second decompression.
        let found = Digest::of_reader(&file).map_err(open)?;
        if reference.name.is_none()
            && cache.path(Folder::Indexes, &index_name(&found.hex())).is_file()
        {
            return tar_image(reference, found);
        }
        digest = Some(found);
        decompress(cache, path, &file, limits)?
    } else {
        file
    };
    let root_file_system = || {
        let digest = match digest {
            Some(digest) => digest,
            None => Digest::of_reader(File::open(path).map_err(open)?).map_err(open)?,
        };
        tar_image(reference, digest)
    };
    let Some(archive) = Archive::list(cache, path, tar, state, limits)? else {
        return root_file_system();
    };
    match image_files(archive)? {
        Some(files) if is_layout(&files) => oci::open(&files, reference, platform),
        Some(files) => docker::open(&files, reference, platform, MANIFEST),
        None => root_file_system(),
    }
}

/// The files of an image archive. What it holds is promised by digests; nothing says that another one is whole but its end.
fn image_files(archive: Archive) -> Result<Option<Files>, ImageError> {
    let (path, unfinished) = (archive.path.clone(), archive.unfinished);
    let files = Files::Archive(Arc::new(archive));
    match unfinished {
        _ if is_layout(&files) || docker::is_docker(&files, MANIFEST) => Ok(Some(files)),
        Some(offset) => Err(ImageError::Unfinished { path, offset }),
        None => Ok(None),
    }
}

/// The files of an image archive; `None` when it is something else. `path` is for messages.
pub fn archive_files(
    cache: &Cache,
    path: &Path,
    file: File,
    limits: Limits,
) -> Result<Option<Files>, ImageError> {
    let open = |source| ImageError::Open { path: path.to_owned(), source };
    let metadata = file.metadata().map_err(open)?;
    if metadata.len() == 0 {
        return Err(ImageError::Empty { path: path.to_owned() });
    }
    let tar = if is_compressed(&file).map_err(open)? {
        decompress(cache, path, &file, limits)?
    } else {
        file
    };
    match Archive::list(cache, path, tar, stamp(&metadata), limits)? {
        Some(archive) => image_files(archive),
        None => Ok(None),
    }
}

/// Whether these are the files of an OCI layout. Some have no file that says so: then the index has to name what is there.
pub fn is_layout(files: &Files) -> bool {
    files.has(oci::INDEX) && (files.has(oci::LAYOUT) || oci::has_what_it_names(files))
}

fn is_compressed(file: &File) -> io::Result<bool> {
    let mut start = [0; START];
    let len = file.read_at(&mut start, 0)?;
    Ok(Compression::of(&start[..len]) != Compression::None)
}

/// A tar that is the root file system itself, known by the digest of its file.
fn tar_image(reference: &Reference, digest: Digest) -> Result<Image, ImageError> {
    let data = LayerData::Tar { path: reference.path.clone(), digest };
    root_file_system(reference, digest.hex(), data)
}

fn root_file_system(
    reference: &Reference,
    key: String,
    data: LayerData,
) -> Result<Image, ImageError> {
    if let Some(name) = &reference.name {
        return Err(ImageError::NoNames { path: reference.path.clone(), name: name.clone() });
    }
    let name = reference.path.display().to_string();
    let layer = LayerSource { name: "root file system".to_owned(), key, data };
    Ok(Image { name, config: ImageConfig::default(), layers: vec![layer] })
}

/// Decompress a whole archive into an unnamed file of the cache: its members are read out of order.
fn decompress(
    cache: &Cache,
    path: &Path,
    mut file: &File,
    limits: Limits,
) -> Result<File, ImageError> {
    use std::io::Seek;
    let failed = |source| ImageError::Decompress { path: path.to_owned(), source };
    file.rewind().map_err(failed)?;
    let mut out = cache.scratch_file()?;
    let input = Decompressor::new(file).map_err(failed)?;
    let len = io::copy(&mut input.take(limits.size.saturating_add(1)), &mut out).map_err(failed)?;
    if len > limits.size {
        return Err(ImageError::ArchiveTooLarge { path: path.to_owned(), limit: limits.size });
    }
    Ok(out)
}
