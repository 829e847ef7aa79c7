mod kinds;

use std::os::unix::fs::{MetadataExt, symlink};

use tar::EntryType;

use super::*;

const BUDGET: Budget = Budget { size: 1 << 20, files: 1000 };

/// An archive whose entries' names and links are written as they are, however wrong.
struct Packed(tar::Builder<Vec<u8>>);

impl Packed {
    fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    fn entry(mut self, kind: EntryType, name: &str, data: &str, mode: u32) -> Self {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        let is_link = kind.is_symlink() || kind.is_hard_link();
        let (link, data) = if is_link { (data, "") } else { ("", data) };
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_size(data.len() as u64);
        header.set_cksum();
        self.0.append(&header, data.as_bytes()).unwrap();
        self
    }

    fn file(self, name: &str, data: &str) -> Self {
        self.entry(EntryType::Regular, name, data, 0o644)
    }

    fn folder(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name, "", 0o755)
    }

    fn link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, name, target, 0o777)
    }

    fn archive(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// Takes `top` of an archive into a folder that is there, under its own name or, for `None`, its contents.
fn take(
    packed: Packed,
    top: Option<&str>,
    folder: &Path,
    name: Option<&str>,
) -> Result<(), String> {
    let place =
        Place { folder: folder.to_owned(), name: name.map(OsString::from), is_folder: false };
    let archive = packed.archive();
    let taken = unpack(&archive[..], top.map(OsStr::new), folder, BUDGET, false)
        .and_then(|unpacked| unpacked.put(&place));
    taken.map_err(|error| host::text::in_one_line(&error))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn text(path: PathBuf) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn only_what_was_asked_for_appears() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join(".bashrc"), "mine").unwrap();
    let cases = [
        Packed::new().file("a", "1").file(".bashrc", "theirs"),
        Packed::new().file("b", "1"),
        Packed::new().folder("a").file("a/../.bashrc", "theirs"),
        Packed::new().folder("a").file("/.bashrc", "theirs"),
        Packed::new().folder("a").file("./.bashrc", "theirs"),
        Packed::new().file(".", "1"),
        Packed::new(),
    ];
    for packed in cases {
        let error = take(packed, Some("a"), home.path(), Some("a")).unwrap_err();
        assert!(error.contains("the container"), "{error}");
        assert_eq!(
            (names(home.path()), text(home.path().join(".bashrc"))),
            (vec![".bashrc".to_owned()], "mine".to_owned())
        );
    }
    let packed = || Packed::new().file("a", "1");
    take(packed(), Some("a"), home.path(), Some("a")).unwrap();
    take(packed(), Some("a"), home.path(), Some("renamed")).unwrap();
    assert_eq!(names(home.path()), [".bashrc", "a", "renamed"]);
}

#[test]
fn links_at_the_place_are_not_followed() {
    let home = tempfile::tempdir().unwrap();
    let (other, folder) = (home.path().join("other"), home.path().join("folder"));
    fs::create_dir(&other).unwrap();
    fs::create_dir_all(folder.join("real")).unwrap();
    symlink(&other, folder.join("a")).unwrap();
    symlink(&other, folder.join("real/deep")).unwrap();
    let tree = |top: &str| {
        Packed::new().folder(top).folder(&format!("{top}/deep")).file(&format!("{top}/deep/x"), "1")
    };
    for (packed, top, name) in [(tree("a"), "a", Some("a")), (tree("real"), "real", Some("real"))] {
        let error = take(packed, Some(top), &folder, name).unwrap_err();
        assert!(error.contains("is a symbolic link, which a folder does not replace"), "{error}");
    }
    // A file takes a link's place, as rename(2) has it.
    take(Packed::new().file("a", "1"), Some("a"), &folder, Some("a")).unwrap();
    assert!(fs::symlink_metadata(folder.join("a")).unwrap().is_file());
    assert_eq!(names(&other), [""; 0]);
}

#[test]
fn links_of_the_archive_are_not_followed() {
    let home = tempfile::tempdir().unwrap();
    let other = home.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("secret"), "mine").unwrap();
    let folder = home.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let out = other.to_str().unwrap();
    for packed in [
        Packed::new().folder("a").link("a/l", out).file("a/l/x", "theirs"),
        Packed::new().folder("a").link("a/l", "../../other").folder("a/l/x"),
        Packed::new().link("a", out).file("a/x", "theirs"),
        Packed::new().folder("a").link("a/l", out).entry(
            EntryType::Link,
            "a/x",
            "a/l/secret",
            0o644,
        ),
        Packed::new().folder("a").entry(EntryType::Link, "a/x", "../other/secret", 0o644),
        Packed::new().link("a", &format!("{out}/new")).file("a", "theirs"),
    ] {
        take(packed, Some("a"), &folder, Some("a")).unwrap_err();
        assert_eq!((names(&folder), names(&other)), (vec![], vec!["secret".to_owned()]));
    }
    // As such they are taken.
    let packed = Packed::new().folder("a").file("a/f", "1").link("a/l", "/etc").entry(
        EntryType::Link,
        "a/h",
        "a/f",
        0,
    );
    take(packed, Some("a"), &folder, Some("a")).unwrap();
    assert_eq!(fs::read_link(folder.join("a/l")).unwrap(), Path::new("/etc"));
    assert_eq!(text(folder.join("a/h")), "1");
}

#[test]
fn folders_stay_open_for_their_owner_and_nothing_is_left_behind() {
    let home = tempfile::tempdir().unwrap();
    let locked = || {
        Packed::new()
            .entry(EntryType::Directory, "a", "", 0)
            .entry(EntryType::Directory, "a/b", "", 0o2050)
            .entry(EntryType::Regular, "a/b/f", "1", 0o6777)
    };
    take(locked().file("b", ""), Some("a"), home.path(), Some("a")).unwrap_err();
    assert_eq!(names(home.path()), [""; 0]);
    take(locked(), Some("a"), home.path(), Some("a")).unwrap();
    let mode = |path: &str| fs::metadata(home.path().join(path)).unwrap().mode() & 0o7777;
    assert_eq!((mode("a"), mode("a/b"), mode("a/b/f")), (0o700, 0o750, 0o777));
    assert_eq!(fs::metadata(home.path().join("a/b/f")).unwrap().mtime(), 1_000_000_000);
}

#[test]
fn a_folders_contents_go_beside_what_is_there() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("etc")).unwrap();
    fs::write(home.path().join("etc/mine"), "mine").unwrap();
    // What comes for CONTAINER:/, and for CONTAINER:/x/.
    let root = || Packed::new().folder("./").folder("etc").file("etc/theirs", "1").file("f", "2");
    let x = Packed::new()
        .entry(EntryType::Directory, ".", "", 0o710)
        .folder("./etc")
        .file("./etc/more", "3");
    take(root(), None, home.path(), None).unwrap();
    take(x, None, home.path(), None).unwrap();
    assert_eq!(names(home.path()), ["etc", "f"]);
    assert_eq!(names(&home.path().join("etc")), ["mine", "more", "theirs"]);
    take(root(), None, home.path(), Some("new")).unwrap();
    assert_eq!(names(&home.path().join("new")), ["etc", "f"]);
    // A new folder is as the one that it is made of.
    let x = Packed::new().entry(EntryType::Directory, ".", "", 0o710).file("./f", "");
    take(x, None, home.path(), Some("x")).unwrap();
    let x = fs::metadata(home.path().join("x")).unwrap();
    assert_eq!((x.mode() & 0o7777, x.mtime()), (0o710, 1_000_000_000));
    let error = take(Packed::new().file(".", ""), None, home.path(), None).unwrap_err();
    assert!(error.contains("nothing is taken"), "{error}");
    let error = take(Packed::new().file("x", ""), Some("x"), home.path(), None).unwrap_err();
    assert!(error.contains("not a folder"), "{error}");
}

#[test]
fn a_copy_has_a_price() {
    let home = tempfile::tempdir().unwrap();
    let refusal = |packed: Packed, budget: Budget| {
        let archive = packed.archive();
        let error =
            unpack(&archive[..], Some(OsStr::new("a")), home.path(), budget, false).unwrap_err();
        assert_eq!(names(home.path()), [""; 0]);
        error.to_string()
    };
    let two = || Packed::new().folder("a").file("a/f", "123").file("a/g", "456");
    let budget = Budget { size: 5, files: 3 };
    assert_eq!(refusal(two(), budget), "it is more than 5 bytes: cp --max-size SIZE allows more");
    let budget = Budget { size: 6, files: 2 };
    assert_eq!(
        refusal(two(), budget),
        "it is more than 2 files and folders: cp --max-files N allows more"
    );
    // A terabyte that is only promised.
    let mut huge = two().file("a/h", "").archive();
    let header = huge.len() - 1024 - 512;
    let mut changed = tar::Header::new_gnu();
    changed.as_mut_bytes().copy_from_slice(&huge[header..header + 512]);
    changed.set_size(1 << 40);
    changed.set_cksum();
    huge[header..header + 512].copy_from_slice(changed.as_bytes());
    let error = unpack(&huge[..], Some(OsStr::new("a")), home.path(), BUDGET, false).unwrap_err();
    assert!(matches!(error, UnpackError::Size(_)), "{error}");
    let deep = |levels: usize| {
        (1..=levels).fold(Packed::new().folder("a"), |packed, level| {
            let mut packed = packed;
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(EntryType::Directory);
            header.set_size(0);
            header.set_mode(0o755);
            packed
                .0
                .append_data(&mut header, format!("a{}", "/a".repeat(level)), io::empty())
                .unwrap();
            packed
        })
    };
    assert!(refusal(deep(255), BUDGET).contains("the container sends 'a/a/a"));
    take(deep(254), Some("a"), home.path(), Some("a")).unwrap();
}

#[test]
fn what_is_no_file_and_what_is_cut_is_said() {
    let home = tempfile::tempdir().unwrap();
    let error = take(
        Packed::new().entry(EntryType::Char, "a", "", 0o644),
        Some("a"),
        home.path(),
        Some("a"),
    );
    assert!(error.unwrap_err().contains("a device or a socket"));
    let archive = Packed::new().file("a", "123").archive();
    for cut in [0, 100, 512, 514, 1024] {
        let error =
            unpack(&archive[..cut], Some(OsStr::new("a")), home.path(), BUDGET, false).unwrap_err();
        assert!(error.is_cut(), "{cut}: {error}");
    }
    assert_eq!(names(home.path()), [""; 0]);
}
