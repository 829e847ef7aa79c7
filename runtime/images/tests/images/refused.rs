//! What is refused, and that nothing of it stays.

use super::*;

#[test]
fn broken_files_are_named() {
    let Some(forms) = Forms::new("broken_files_are_named") else { return };
    let text_file = forms.path("notes.tar");
    fs::write(&text_file, "Dear image,\n".repeat(100)).unwrap();
    let error = forms.fails(&text_file, None);
    assert!(error.contains("notes.tar is not an image: it starts with \"Dear image"), "{error}");
    fs::write(&text_file, "short").unwrap();
    let error = forms.fails(&text_file, None);
    assert!(error.contains("notes.tar is not an image"), "{error}");
    fs::write(&text_file, "").unwrap();
    assert!(forms.fails(&text_file, None).contains("is empty"));
    assert!(forms.fails(&forms.path("nowhere"), None).contains("nowhere: cannot open it"));

    for archive in ["oci.tar", "docker.tar", "root.tar", "root.tar.gz"] {
        let bytes = fs::read(forms.path(archive)).unwrap();
        let half = forms.path("half");
        fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
        let error = forms.fails(&half, None);
        assert!(error.contains("half"), "{archive}: {error}");
        assert!(error.contains("cut short") || error.contains("decompress"), "{archive}: {error}");
    }
}

#[test]
fn wrong_digests_and_missing_blobs_are_named() {
    let Some(forms) = Forms::new("wrong_digests_and_missing_blobs_are_named") else { return };
    let blobs = forms.path("layout/blobs/sha256");
    let mut blobs: Vec<PathBuf> =
        fs::read_dir(blobs).unwrap().map(|entry| entry.unwrap().path()).collect();
    blobs.sort();
    let mut seen = 0;
    for blob in blobs {
        let good = fs::read(&blob).unwrap();
        let name = blob.file_name().unwrap().to_str().unwrap().to_owned();
        let _ = fs::remove_dir_all(forms.path("cache"));
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        fs::write(&blob, &bad).unwrap();
        // Blobs of the other image are not looked at.
        if let Err(error) = unpack(&forms.path("cache"), &forms.path("layout"), Some("latest")) {
            seen += 1;
            let actual = Digest::of(&bad).to_string();
            let expected = format!("expected sha256:{name}");
            assert!(error.contains(&actual) && error.contains(&expected), "{error}");
            fs::write(&blob, &good[1..]).unwrap();
            let error = forms.fails(&forms.path("layout"), Some("latest"));
            let lengths = format!("it is {} bytes long, expected {}", good.len() - 1, good.len());
            assert!(error.contains(&name) && error.contains(&lengths), "{error}");
            fs::remove_file(&blob).unwrap();
            let error = forms.fails(&forms.path("layout"), Some("latest"));
            assert!(error.contains(&format!("'blobs/sha256/{name}' is missing")), "{error}");
        }
        fs::write(&blob, &good).unwrap();
    }
    assert_eq!(seen, 3, "manifest, configuration and layer");
}

/// A tar of one entry whose name is written as it is, without the library's checks.
fn tar_with(kind: tar::EntryType, name: &str, link: &str, data: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(data.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, data).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn entries_that_leave_the_root_are_refused() {
    use tar::EntryType as T;
    let work = tempfile::tempdir().unwrap();
    let file = work.path().join("evil.tar");
    let cases = [
        (T::Regular, "../etc/passwd", "", "'../etc/passwd': it leaves the root"),
        (T::Regular, "a/../../b", "", "'a/../../b': it leaves the root"),
        (T::Link, "a", "../b", "'a' to '../b': it leaves the root"),
        (
            T::Link,
            "a",
            "/etc/passwd",
            "'a': it is a hard link to 'etc/passwd', which does not exist",
        ),
        (T::Link, "a", "a", "hard link to itself"),
        (T::Link, "a", "/x/../a", "hard link to itself"),
        (T::Link, "d/a", "nowhere", "'d/a': it is a hard link to 'nowhere', which does not exist"),
        (T::Regular, "d/.wh...", "", "a whiteout of '..'"),
        (T::Symlink, "s", "", "target is empty"),
        (T::new(b'Q'), "q", "", "unknown type 'Q'"),
    ];
    for (kind, name, link, message) in cases {
        fs::write(&file, tar_with(kind, name, link, b"")).unwrap();
        let error = unpack(&work.path().join("cache"), &file, None).unwrap_err();
        assert!(error.contains(message), "{name}: {error}");
        assert!(error.contains("evil.tar"), "{error}");
        assert_nothing_half_there(&work.path().join("cache"));
    }
    fs::write(&file, tar_with(T::Symlink, "s", "/../../etc/passwd", b"")).unwrap();
    unpack(&work.path().join("cache"), &file, None).expect("a symbolic link may point anywhere");
}

#[test]
fn bombs_are_refused() {
    let work = tempfile::tempdir().unwrap();
    let file = work.path().join("bomb.tar.gz");
    let tar = tar_with(tar::EntryType::Regular, "zeros", "", &vec![0; 8 << 20]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&tar).unwrap();
    fs::write(&file, gzip.finish().unwrap()).unwrap();
    let small = Limits { size: 1 << 20, ..Limits::default() };
    let cache = work.path().join("cache");
    let error = common::unpack_limited(&cache, &file, None, small).unwrap_err();
    assert!(error.contains("bomb.tar.gz: unpacks to more than 1048576 bytes"), "{error}");
    fs::write(&file, &tar).unwrap();
    let error = common::unpack_limited(&cache, &file, None, small).unwrap_err();
    assert!(error.contains("'zeros': the layer unpacks to more than 1048576 bytes"), "{error}");
    let few = Limits { entries: 0, ..Limits::default() };
    let error = common::unpack_limited(&cache, &file, None, few).unwrap_err();
    assert!(error.contains("the layer has more than 0 entries"), "{error}");
    assert_nothing_half_there(&cache);
}

#[test]
fn a_full_cache_is_said_so() {
    let test = "a_full_cache_is_said_so";
    if !common::root(test) || !have(test, &["mount"]) {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let cache = work.path().join("cache");
    fs::create_dir(&cache).unwrap();
    tool("mount", &["-t", "tmpfs", "-o", "size=1M", "tmpfs", text(&cache)]);
    let file = work.path().join("large.tar");
    fs::write(&file, tar_with(tar::EntryType::Regular, "large", "", &vec![1; 4 << 20])).unwrap();
    let outcome = unpack(&cache, &file, None);
    let left = fs::read_dir(cache.join("blobs")).unwrap().count();
    tool("umount", &[text(&cache)]);
    let error = outcome.unwrap_err();
    assert!(error.contains("No space left on device") && error.contains("cache"), "{error}");
    assert_eq!(left, 0);
}
