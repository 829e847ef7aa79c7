//! The five forms of an image, as umoci, skopeo and tar write them, and what is wrong with broken ones.

// As other rooms call it: they share what is common.
extern crate bulkhead_images as images;

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use common::{busybox, have, stitch, text, tool, unpack};
use host::digest::Digest;
use images::layer::Limits;

/// One busybox image in every form.
struct Forms {
    work: tempfile::TempDir,
}

impl Forms {
    /// `None` when a tool is missing.
    fn new(test: &str) -> Option<Self> {
        if !have(test, &["umoci", "skopeo", "tar", "busybox", "gzip"]) {
            return None;
        }
        let forms = Self { work: tempfile::tempdir().unwrap() };
        let root = forms.path("root");
        busybox(&root);
        tool(
            "tar",
            &["--numeric-owner", "-C", text(&root), "-cf", text(&forms.path("root.tar")), "."],
        );
        tool("gzip", &["-k", text(&forms.path("root.tar"))]);
        let layout = forms.path("layout");
        let image = format!("{}:latest", text(&layout));
        tool("umoci", &["init", "--layout", text(&layout)]);
        tool("umoci", &["new", "--image", &image]);
        tool("umoci", &["raw", "add-layer", "--image", &image, text(&forms.path("root.tar"))]);
        // umoci takes this machine's, if it is not told.
        tool("umoci", &["config", "--image", &image, "--architecture", "amd64"]);
        let config =
            ["--config.entrypoint", "/bin/sh", "--config.cmd", "-c", "--config.cmd", "echo hello"];
        let config2 =
            ["--config.env", "A=b", "--config.workingdir", "/tmp", "--config.user", "root"];
        tool("umoci", &[&["config", "--image", &image], &config[..], &config2[..]].concat());
        tool(
            "umoci",
            &["config", "--image", &image, "--tag", "second", "--config.env", "A=second"],
        );
        tool("umoci", &["gc", "--layout", text(&layout)]);
        forms.skopeo(&format!("oci:{image}"), "oci-archive:oci.tar:busybox:1.35");
        forms.skopeo(
            &format!("oci:{image}"),
            "docker-archive:docker.tar:docker.io/library/busybox:1.35",
        );
        Some(forms)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    fn skopeo(&self, from: &str, to: &str) {
        let to = to.replacen(':', &format!(":{}/", text(self.work.path())), 1);
        tool("skopeo", &["--insecure-policy", "copy", "-q", from, &to]);
    }

    fn fails(&self, image: &Path, name: Option<&str>) -> String {
        let error = unpack(&self.path("cache"), image, name).unwrap_err();
        assert_nothing_half_there(&self.path("cache"));
        error
    }
}

/// After a failure the cache holds no partial file, and no blob without an index.
fn assert_nothing_half_there(cache: &Path) {
    for folder in ["blobs", "indexes", "images"] {
        let names: Vec<String> = fs::read_dir(cache.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(!names.iter().any(|name| name.contains("partial")), "{folder}: {names:?}");
    }
}

#[test]
fn five_forms_give_the_same_tree() {
    let Some(forms) = Forms::new("five_forms_give_the_same_tree") else { return };
    let cases = [
        ("root", None, false),
        ("root.tar", None, false),
        ("root.tar.gz", None, false),
        ("layout", Some("latest"), true),
        ("oci.tar", None, true),
        ("oci.tar", Some("1.35"), true),
        ("docker.tar", None, true),
        ("docker.tar", Some("busybox:1.35"), true),
    ];
    for (form, name, has_config) in cases {
        let (image, disk) = unpack(&forms.path("cache"), &forms.path(form), name).unwrap();
        assert_eq!(image.config.entrypoint == ["/bin/sh"], has_config, "{form}");
        if has_config {
            assert_eq!(image.config.cmd, ["-c", "echo hello"], "{form}");
            assert!(image.config.env.contains(&"A=b".to_owned()), "{form}: {:?}", image.config.env);
            assert_eq!(
                (image.config.working_dir.as_str(), image.config.user.as_str()),
                ("/tmp", "root")
            );
        }
        let file = forms.path("disk");
        stitch(&disk, &file);
        let busybox = forms.path("extracted");
        if have("five_forms_give_the_same_tree", &["fsck.erofs"]) {
            tool("fsck.erofs", &["--force", &format!("--extract={}", text(&busybox)), text(&file)]);
            assert_eq!(
                fs::read(busybox.join("bin/cat")).unwrap(),
                fs::read("/bin/busybox").unwrap(),
                "{form}"
            );
            fs::remove_dir_all(busybox).unwrap();
        }
    }
    // The layer is the same in all of them but the directory (and the compressed tar, known by its own digest).
    let blobs = fs::read_dir(forms.path("cache/blobs")).unwrap().count();
    assert_eq!(blobs, 3);
}

#[test]
fn an_unpacked_layer_is_not_unpacked_again() {
    let Some(forms) = Forms::new("an_unpacked_layer_is_not_unpacked_again") else { return };
    let cache = forms.path("cache");
    let (_, first) = unpack(&cache, &forms.path("docker.tar"), None).unwrap();
    let changed = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let before: Vec<_> = first.parts.iter().map(|part| changed(&part.path)).collect();
    // A partial file of a dead process goes away at the next start; that of another kernel's only when it is old.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let own = cache.join(format!("blobs/left.{}.partial", boot.trim_end()));
    let [young, old] = ["young", "old"].map(|age| cache.join(format!("blobs/{age}.other.partial")));
    for path in [&own, &young, &old] {
        fs::write(path, "half").unwrap();
    }
    let days_ago = SystemTime::now() - Duration::from_secs(2 * 24 * 60 * 60);
    File::options().write(true).open(&old).unwrap().set_modified(days_ago).unwrap();
    let (_, second) = unpack(&cache, &forms.path("oci.tar"), None).unwrap();
    assert_eq!(first, second);
    assert_eq!(before, second.parts.iter().map(|part| changed(&part.path)).collect::<Vec<_>>());
    assert_eq!([own, young, old].map(|path| path.exists()), [false, true, false]);
}

#[test]
fn parallel_unpacks_agree() {
    let Some(forms) = Forms::new("parallel_unpacks_agree") else { return };
    let disks = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    unpack(&forms.path("cache"), &forms.path("root.tar"), None).unwrap().1
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(disks.windows(2).all(|pair| pair[0] == pair[1]));
    assert_nothing_half_there(&forms.path("cache"));
}

#[test]
fn names_are_chosen_and_listed() {
    let Some(forms) = Forms::new("names_are_chosen_and_listed") else { return };
    let layout = forms.path("layout");
    let (second, _) = unpack(&forms.path("cache"), &layout, Some("second")).unwrap();
    assert!(second.config.env.contains(&"A=second".to_owned()));
    let error = forms.fails(&layout, None);
    assert!(error.contains("holds several images") && error.contains("latest, second"), "{error}");
    let error = forms.fails(&layout, Some("third"));
    assert!(error.contains("nothing is called 'third'; it holds latest, second"), "{error}");
    let error = forms.fails(&forms.path("docker.tar"), Some("third"));
    assert!(error.contains("it holds docker.io/library/busybox:1.35"), "{error}");
    let error = forms.fails(&forms.path("root"), Some("x"));
    assert!(error.contains("no names to choose from"), "{error}");
}

#[test]
fn another_architecture_is_refused() {
    let Some(forms) = Forms::new("another_architecture_is_refused") else { return };
    let image = format!("{}:latest", text(&forms.path("layout")));
    tool("umoci", &["config", "--image", &image, "--tag", "arm", "--architecture", "arm64"]);
    let error = forms.fails(&forms.path("layout"), Some("arm"));
    assert!(error.contains("is for linux/arm64, this VM runs linux/amd64: give"), "{error}");
}

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
