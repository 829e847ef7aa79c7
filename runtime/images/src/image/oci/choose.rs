//! Which of an index's images is meant.
//!
//! Of images under one name (or of those without one), and of the entries of an index under it, whatever it nests: the
//! image that fits the machine best ([`fit`]), and of those that fit as well, the first in the order of the index.
//! Artifacts, as attestations and signatures are, don't count, whatever platform they say they are for. Where an entry
//! says no platform, the image's configuration does; an entry that says one goes before it. Names of several images are
//! ambiguous; an image without a name is meant where none has one.

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};

use super::media::{is_beside, is_image, is_index, is_manifest};
use super::names::{describe, is_called, names, platform_of, platform_text};
use super::{Reference, blob_name, configuration_of, digest_of, list, wrong_platform};
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
    let is_meant = |entry: &&&Descriptor| wanted.is_none_or(|name| is_called(entry, name));
    let meant: Vec<&Descriptor> = entries.iter().filter(is_meant).copied().collect();
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
    let digest = digest_of(files, descriptor)?;
    let name = blob_name(digest);
    let manifest = files.document(&name, Some((digest, descriptor.size())))?;
    Ok((name, manifest))
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

/// Whether an entry says a platform, and how well it fits; more is better.
type Rank = (bool, Fit);

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
        if is_index(entry.media_type()) {
            let digest = digest_of(self.files, entry)?;
            let name = blob_name(digest);
            if depth == limits::INDEX_DEPTH {
                return Err(self.files.invalid(&name, "indexes refer to indexes too deeply"));
            }
            let index: ImageIndex = self.files.document(&name, Some((digest, entry.size())))?;
            for nested in index.manifests().iter().filter(|entry| !is_beside(entry)) {
                self.look(nested, depth + 1, best)?;
            }
        // Anything else in an index is to be ignored ("OCI Image Index Specification").
        } else if is_manifest(entry.media_type()) {
            match self.fit_of(entry) {
                Ok(Some(fit)) => {
                    let rank = (entry.platform().is_some(), fit);
                    if best.as_ref().is_none_or(|(other, _)| rank > *other) {
                        *best = Some((rank, entry.clone()));
                    }
                }
                Ok(None) => {}
                // Another one may do: archives of a part of an index are usual.
                Err(error) => {
                    self.others.unread.get_or_insert(error);
                }
            }
        }
        Ok(())
    }

    /// How well a manifest's image fits; nothing for what does not run here, and for what is no image.
    fn fit_of(&mut self, entry: &Descriptor) -> Result<Option<Fit>, ImageError> {
        if let Some(told) = entry.platform() {
            let fit = fit(self.platform, told.os(), told.architecture(), told.variant().as_deref());
            let Some(fit) = fit else {
                self.others.platforms.extend(platform_of(entry));
                return Ok(None);
            };
            let (_, manifest) = manifest_of(self.files, entry)?;
            return Ok(is_image(&manifest).then_some(fit));
        }
        let (_, manifest) = manifest_of(self.files, entry)?;
        if !is_image(&manifest) {
            return Ok(None);
        }
        let (_, image) = configuration_of(self.files, &manifest)?;
        let fit = fit(self.platform, image.os(), image.architecture(), image.variant().as_deref());
        if fit.is_none() {
            let variant = image.variant().as_deref();
            self.others.platforms.push(platform_text(image.os(), image.architecture(), variant));
        }
        Ok(fit)
    }
}
