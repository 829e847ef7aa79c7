//! The store against a model, and its corners.

mod load;
mod model;
mod sample;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use sample::Sample;

use super::*;

/// An empty store, and the folder it is in.
fn store() -> (tempfile::TempDir, ImageStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = ImageStore::open(folder.path().join("images")).unwrap();
    (folder, store)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn pruning_waits_for_who_loads() {
    let (_folder, store) = store();
    let session = store.session().unwrap();
    let sample = &Sample::new(0);
    for blob in 0..sample.blobs.len() {
        sample.put(&session, blob).unwrap();
    }
    let (said, heard) = std::sync::mpsc::channel();
    let other = store.clone();
    let pruning = std::thread::spawn(move || {
        other.prune(&|| Ok(vec![])).unwrap();
        said.send(()).unwrap();
    });
    assert!(heard.recv_timeout(Duration::from_millis(100)).is_err());
    session.add(&[(sample.manifest.clone(), Some(Name::parse("a").unwrap()))]).unwrap();
    drop(session);
    pruning.join().unwrap();
    assert_eq!(names(&store.blobs()).len(), sample.blobs.len());
}

#[test]
fn a_blob_that_is_not_as_promised_is_not_kept() {
    let (_folder, store) = store();
    let session = store.session().unwrap();
    let digest = Digest::of(b"blob");
    for (bytes, size, message) in [
        (&b"blub"[..], 4, "its digest is"),
        (b"blo", 4, "3 bytes long, expected 4"),
        (b"blobs", 4, "5 bytes long, expected 4"),
    ] {
        let error = session.put_blob(bytes, (digest, size), "here").unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(message), "{source}");
    }
    assert_eq!((names(&store.blobs()).len(), names(&store.ingest()).len()), (0, 0));
}

#[test]
fn images_are_found_by_name_and_by_id() {
    let (_folder, store) = store();
    let session = store.session().unwrap();
    let samples: Vec<Sample> = (0..3).map(Sample::new).collect();
    for (sample, name) in samples.iter().zip(["x", "localhost/b:2", "c:1"]) {
        (0..sample.blobs.len()).for_each(|blob| sample.put(&session, blob).unwrap());
        session.add(&[(sample.manifest.clone(), Some(Name::parse(name).unwrap()))]).unwrap();
    }
    let (a, b) = (&samples[0], &samples[1]);
    let found = |text: &str| store.resolve(text).map(|image| image.id);
    for text in ["x", "x:latest", "docker.io/library/x", &a.id.to_string(), &a.id.hex()[..12]] {
        assert_eq!(found(text).unwrap(), a.id, "{text}");
    }
    assert_eq!(found(&format!("localhost/b@{}", b.digest())).unwrap(), b.id);
    for text in ["localhost/b", "b:2", &format!("x@{}", b.digest()), &"0".repeat(64)] {
        assert!(matches!(found(text), Err(StoreError::NotFound(_))), "{text}");
    }
    let all = samples.iter().map(|sample| sample.id.hex());
    let mut starts = BTreeMap::<u8, usize>::new();
    all.for_each(|id| *starts.entry(id.as_bytes()[0]).or_default() += 1);
    for (start, count) in starts {
        let ambiguous =
            matches!(found(&(start as char).to_string()), Err(StoreError::Ambiguous { .. }));
        assert_eq!(ambiguous, count > 1);
    }
    assert!(matches!(found("No Name"), Err(StoreError::Name { .. })));
}
