//! Which of an index's images is meant.
//!
//! Of images under one name (or of those without one), and of the entries of an index under it, whatever it nests: the
//! image that fits the machine best ([`fit`]), and of those that fit as well, the first in the order of the index.
//! Artifacts, as attestations and signatures are, don't count, whatever platform they say they are for. Where an entry
//! says no platform, the image's configuration does; an entry that says one goes before it. What asks for features of the
//! system comes after, and what has layers of an unknown kind last. Names of several images are ambiguous; an image without a
//! name is meant where none has one. What cannot be read is told where nothing else is found.

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};

use super::media::{is_beside, is_image, is_index, is_layer, is_manifest};
use super::names::{called, closest, describe, names, platform_of, platform_text};
use super::{INDEX, Reference, blob_name, configuration_of, digest_of, list, wrong_platform};
use crate::image::documents::Kind;
use crate::image::error::ImageError;
use crate::image::files::Files;
use crate::image::platform::{Fit, fit};
use crate::limits;
use host::platform::Platform;

/// The manifest to use: of that name, for this platform.
pub fn choose(
    files: &Files,
    index: &ImageIndex,
    reference: &Reference,
    platform: Platform,
) -> Result<Descriptor, ImageError> {
    let entries: Vec<&Descriptor> =
        index.manifests().iter().filter(|entry| !is_beside(entry)).collect();
    let wanted = reference.name.as_deref();
    let meant = match wanted {
        None => entries.clone(),
        Some(name) => {
            closest(&entries, |entry| called(names(entry), entry.digest().digest(), name))
        }
    };
    let held = |entries: &[&Descriptor]| {
        list(&entries.iter().map(|entry| describe(entry)).collect::<Vec<_>>())
    };
    if let (true, Some(name)) = (meant.is_empty(), wanted) {
        let (image, name) = (files.image(), name.to_owned());
        return Err(ImageError::NoSuchName { image, name, held: held(&entries) });
    }
    let (named, nameless): (Vec<&Descriptor>, Vec<&Descriptor>) =
        meant.into_iter().partition(|entry| names(entry).next().is_some());
    let mut found: Vec<(&Descriptor, Descriptor)> = Vec::new();
    let mut search =
        Search { files, platform, budget: limits::MANIFESTS, others: Others::default() };
    for (first, entry) in named.iter().copied().enumerate() {
        let name = names(entry).next();
        if named[..first].iter().any(|before| names(before).next() == name) {
            continue;
        }
        let same = named.iter().filter(|other| names(other).next() == name).copied();
        // The same manifest under two names is one image.
        if let Some(best) = search.best(same)?
            && found.iter().all(|(_, other)| other.digest() != best.digest())
        {
            found.push((entry, best));
        }
    }
    match &found[..] {
        [(_, one)] => Ok(one.clone()),
        [] => match search.best(nameless)? {
            Some(one) => Ok(one),
            None => Err(search.others.error(files, platform)),
        },
        _ => {
            let entries: Vec<&Descriptor> = found.iter().map(|(entry, _)| *entry).collect();
            Err(ImageError::Ambiguous { image: files.image(), held: held(&entries) })
        }
    }
}

/// The manifest that these entries mean for the platform, if there is one.
pub fn best<'a>(
    files: &Files,
    entries: impl IntoIterator<Item = &'a Descriptor>,
    platform: Platform,
) -> Result<Option<Descriptor>, ImageError> {
    let mut search =
        Search { files, platform, budget: limits::MANIFESTS, others: Others::default() };
    match (search.best(entries)?, search.others.unread) {
        (None, Some(error)) => Err(error),
        (found, _) => Ok(found),
    }
}

/// A manifest, and the name of its file.
pub fn manifest_of(
    files: &Files,
    descriptor: &Descriptor,
) -> Result<(String, ImageManifest), ImageError> {
    let digest = digest_of(files, INDEX, descriptor)?;
    let name = blob_name(digest);
    let manifest = files.document(&name, Some((digest, descriptor.size())))?;
    Ok((name, manifest))
}

/// Whether an entry means an index, by its type, or, where it says none, by what it is.
pub fn means_index(files: &Files, entry: &Descriptor) -> bool {
    let by_itself = || {
        let digest = digest_of(files, INDEX, entry).ok()?;
        let promised = Some((digest, entry.size()));
        files.document::<Kind>(&blob_name(digest), promised).ok()
    };
    is_index(entry.media_type())
        || entry.media_type().as_ref().is_empty() && by_itself().is_some_and(|kind| kind.is_index())
}

/// What was looked at and is not what is wanted.
#[derive(Default)]
struct Others {
    /// Platforms of images.
    platforms: Vec<String>,
    /// Why the first that could not be read could not.
    unread: Option<ImageError>,
}

impl Others {
    fn error(self, files: &Files, platform: Platform) -> ImageError {
        match self.unread {
            Some(error) => error,
            None if self.platforms.is_empty() => files.invalid("index.json", "it holds no image"),
            None => wrong_platform(files, list(&self.platforms), platform),
        }
    }
}

/// How good an image is for the platform; more is better, and what comes first counts more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Its layers are all of a kind that can be read.
    readable: bool,
    /// Its entry asks for no feature of a system ("os.features"): on Linux none is known (containerd's `platforms`).
    plain: bool,
    /// Its entry says a platform.
    told: bool,
    fit: Fit,
}

struct Search<'a> {
    files: &'a Files,
    platform: Platform,
    /// How many more entries may be looked at.
    budget: usize,
    others: Others,
}

impl Search<'_> {
    fn best<'e>(
        &mut self,
        entries: impl IntoIterator<Item = &'e Descriptor>,
    ) -> Result<Option<Descriptor>, ImageError> {
        let mut best: Option<(Rank, Descriptor)> = None;
        for entry in entries {
            self.look(entry, 0, &mut best)?;
        }
        Ok(best.map(|(_, descriptor)| descriptor))
    }

    /// Look at an entry, and at all that an index has.
    fn look(
        &mut self,
        entry: &Descriptor,
        depth: usize,
        best: &mut Option<(Rank, Descriptor)>,
    ) -> Result<(), ImageError> {
        let Some(budget) = self.budget.checked_sub(1) else {
            let reason = format!("it holds more than {} images", limits::MANIFESTS);
            return Err(self.files.invalid("index.json", reason));
        };
        self.budget = budget;
        if means_index(self.files, entry) {
            match self.nested(entry, depth) {
                Ok(index) => {
                    for nested in index.manifests().iter().filter(|entry| !is_beside(entry)) {
                        self.look(nested, depth + 1, best)?;
                    }
                }
                Err(error) => drop(self.others.unread.get_or_insert(error)),
            }
        // Anything else in an index is to be ignored ("OCI Image Index Specification").
        } else if is_manifest(entry.media_type()) {
            match self.rank_of(entry) {
                Ok(Some(rank)) => {
                    if best.as_ref().is_none_or(|(other, _)| rank > *other) {
                        *best = Some((rank, entry.clone()));
                    }
                }
                Ok(None) => {}
                // Another one may do: archives of a part of an index are usual.
                Err(error) => drop(self.others.unread.get_or_insert(error)),
            }
        }
        Ok(())
    }

    /// The index that an entry means, so many indexes deep.
    fn nested(&self, entry: &Descriptor, depth: usize) -> Result<ImageIndex, ImageError> {
        let digest = digest_of(self.files, INDEX, entry)?;
        let name = blob_name(digest);
        if depth == limits::INDEX_DEPTH {
            return Err(self.files.invalid(&name, "indexes refer to indexes too deeply"));
        }
        self.files.document(&name, Some((digest, entry.size())))
    }

    /// How good a manifest's image is; nothing for what does not run here, and for what is no image.
    fn rank_of(&mut self, entry: &Descriptor) -> Result<Option<Rank>, ImageError> {
        let told = entry.platform().as_ref();
        let fit_of_entry = told.map(|told| {
            fit(self.platform, told.os(), told.architecture(), told.variant().as_deref())
        });
        if let Some(None) = fit_of_entry {
            self.others.platforms.extend(platform_of(entry));
            return Ok(None);
        }
        let (name, manifest) = manifest_of(self.files, entry)?;
        if !is_image(&manifest) {
            return Ok(None);
        }
        let fit = match fit_of_entry {
            Some(fit) => fit,
            None => self.fit_of_image(&name, &manifest)?,
        };
        let readable = manifest.layers().iter().all(|layer| is_layer(layer.media_type()));
        let features = told.and_then(|told| told.os_features().as_ref());
        let plain = features.is_none_or(Vec::is_empty);
        Ok(fit.map(|fit| Rank { readable, plain, told: told.is_some(), fit }))
    }

    /// How well an image fits whose manifest has that name, by its configuration.
    fn fit_of_image(
        &mut self,
        name: &str,
        manifest: &ImageManifest,
    ) -> Result<Option<Fit>, ImageError> {
        let (_, image) = configuration_of(self.files, name, manifest)?;
        let variant = image.variant().as_deref();
        let fit = fit(self.platform, image.os(), image.architecture(), variant);
        if fit.is_none() {
            self.others.platforms.push(platform_text(image.os(), image.architecture(), variant));
        }
        Ok(fit)
    }
}
