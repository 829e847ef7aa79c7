use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, symlink};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tar::{EntryType, Header};

use super::*;

/// Names, and the data of files or what links refer to.
fn entries(source: &Path, name: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    pack(source, Path::new(name), &mut out).unwrap();
    let mut entries = Vec::new();
    for entry in tar::Archive::new(&out[..]).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        if let Some(target) = entry.link_name().unwrap() {
            text = target.display().to_string();
        }
        let name = entry.path().unwrap().display().to_string();
        entries.push((name.trim_end_matches('/').trim_start_matches("./").to_owned(), text));
    }
    entries.sort();
    entries
}

/// Packs a folder's contents and unpacks them in another.
fn send(from: &Path, to: &Path) -> io::Result<()> {
    let mut out = Vec::new();
    pack(from, Path::new("."), &mut out).unwrap();
    unpack::unpack(&mut tar::Archive::new(&out[..]), to)
}

/// Unpacks entries without data: names, types and link targets.
fn give(entries: &[(&str, EntryType, &str)], to: &Path) -> io::Result<()> {
    let own = fs::metadata(to).unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    for (name, kind, target) in entries {
        let mut header = Header::new_ustar();
        header.set_entry_type(*kind);
        header.set_mode(0o755);
        header.set_uid(own.uid().into());
        header.set_gid(own.gid().into());
        header.set_size(0);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_link_name_literal(target.as_bytes()).unwrap();
        // As GNU tar has it, of what is no device.
        header.as_ustar_mut().unwrap().dev_major = [0; 8];
        header.set_cksum();
        archive.append(&header, io::empty()).unwrap();
    }
    let archive = archive.into_inner().unwrap();
    unpack::unpack(&mut tar::Archive::new(&archive[..]), to)
}

#[test]
fn a_path_says_what_its_top_entry_is_called() {
    for (path, wanted) in
        [("/srv", "srv"), ("/srv/", "srv"), ("/srv/.", "."), ("/", "."), ("/.", "."), ("/a/b", "b")]
    {
        assert_eq!(name(Path::new(path)), Path::new(wanted), "{path}");
    }
}

#[test]
fn a_folder_is_archived_and_a_link_to_one_when_it_is_called_so() {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("file"), "data").unwrap();
    symlink("folder", work.path().join("link")).unwrap();
    let entry = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    assert_eq!(entries(&folder, "x"), [entry("x", ""), entry("x/file", "data")]);
    assert_eq!(entries(&folder.join("."), "."), [entry(".", ""), entry("file", "data")]);
    assert_eq!(entries(&work.path().join("link"), "l"), [entry("l", "folder")]);
    for called in ["link/", "link/."] {
        let expected = [entry("l", ""), entry("l/file", "data")];
        assert_eq!(entries(&work.path().join(called), "l"), expected);
    }
    assert!(pack(&folder.join("none"), Path::new("n"), io::sink()).is_err());
    assert!(pack(&folder.join("file/"), Path::new("n"), io::sink()).is_err());
}

#[test]
fn the_kernels_own_files_are_told_apart() {
    assert!(!is_on_disk(Path::new("/proc")).unwrap());
    assert!(is_on_disk(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap());
    // A file of it has a length of nothing, and is archived so; what it gives is no part of the archive.
    assert_eq!(entries(Path::new("/proc/version"), "v"), [("v".to_owned(), String::new())]);
}

#[test]
fn what_is_unpacked_is_what_was_packed() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(from.path().join("sub")).unwrap();
    fs::write(from.path().join("sub/a"), "data").unwrap();
    fs::hard_link(from.path().join("sub/a"), from.path().join("b")).unwrap();
    symlink("nowhere", from.path().join("link")).unwrap();
    mknodat(CWD, from.path().join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let holes = File::create(from.path().join("holes")).unwrap();
    rustix::io::pwrite(&holes, b"middle", 1 << 20).unwrap();
    holes.set_len(32 << 20).unwrap();
    let past = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    for path in ["sub/a", "sub"] {
        File::open(from.path().join(path)).unwrap().set_modified(past).unwrap();
    }
    // A second time as well, in the place of the first.
    for _ in 0..2 {
        send(from.path(), to.path()).unwrap();
        assert_eq!(entries(to.path(), "x"), entries(from.path(), "x"));
        let metadata = |path: &str| fs::symlink_metadata(to.path().join(path)).unwrap();
        assert_eq!(metadata("sub/a").ino(), metadata("b").ino());
        assert!(metadata("pipe").file_type().is_fifo());
        assert_eq!(metadata("sub").mtime(), 1_000_000_000);
        assert_eq!(metadata("b").mtime(), 1_000_000_000);
        let holes = metadata("holes");
        // st_blocks counts 512 bytes (stat(2)).
        assert!(holes.blocks() * 512 < 1 << 20, "{} blocks", holes.blocks());
    }
}

#[test]
fn a_link_to_a_folder_stays_and_is_written_through() {
    let to = tempfile::tempdir().unwrap();
    fs::create_dir_all(to.path().join("usr/lib")).unwrap();
    symlink("usr/lib", to.path().join("lib")).unwrap();
    give(&[("lib/", EntryType::Directory, ""), ("lib/x", EntryType::Regular, "")], to.path())
        .unwrap();
    assert_eq!(fs::read_link(to.path().join("lib")).unwrap(), Path::new("usr/lib"));
    assert!(to.path().join("usr/lib/x").exists());
    // The folder itself may be one.
    give(&[("y", EntryType::Regular, "")], &to.path().join("lib")).unwrap();
    assert!(to.path().join("usr/lib/y").exists());
}

#[test]
fn a_folder_and_another_file_do_not_take_each_others_place() {
    let to = tempfile::tempdir().unwrap();
    fs::create_dir(to.path().join("folder")).unwrap();
    fs::write(to.path().join("file"), "stays").unwrap();
    symlink("gone", to.path().join("link")).unwrap();
    for (name, kind) in [
        ("folder", EntryType::Regular),
        ("folder", EntryType::Symlink),
        ("file", EntryType::Directory),
        ("link", EntryType::Directory),
        ("../out", EntryType::Regular),
    ] {
        let error = give(&[(name, kind, "target")], to.path()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("'{name}': ")), "{error}");
    }
    assert_eq!(fs::read_to_string(to.path().join("file")).unwrap(), "stays");
    // A link is replaced, not written through.
    symlink("file", to.path().join("through")).unwrap();
    give(&[("through", EntryType::Regular, "")], to.path()).unwrap();
    assert_eq!(fs::read_to_string(to.path().join("file")).unwrap(), "stays");
    assert!(!to.path().join("through").is_symlink());
    // `..` that stays inside, and a name from the root, are as docker cleans them.
    give(&[("a/../b", EntryType::Regular, ""), ("/c", EntryType::Fifo, "")], to.path()).unwrap();
    assert!(to.path().join("b").exists() && to.path().join("c").exists());
}

#[test]
fn attributes_are_those_that_the_file_system_takes() {
    let to = tempfile::tempdir().unwrap();
    let own = fs::metadata(to.path()).unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    let records = [("SCHILY.xattr.user.note", &b"text"[..]), ("SCHILY.xattr.none.such", b"text")];
    archive.append_pax_extensions(records).unwrap();
    let mut header = Header::new_ustar();
    header.set_metadata(&own);
    header.set_entry_type(EntryType::Regular);
    header.set_path("file").unwrap();
    header.set_size(0);
    header.set_cksum();
    archive.append(&header, io::empty()).unwrap();
    let archive = archive.into_inner().unwrap();
    unpack::unpack(&mut tar::Archive::new(&archive[..]), to.path()).unwrap();
    let flags = rustix::fs::XattrFlags::empty();
    let takes = rustix::fs::setxattr(to.path(), "user.note", b"text", flags).is_ok();
    let mut value = [0; 8];
    let found = rustix::fs::getxattr(to.path().join("file"), "user.note", &mut value);
    assert_eq!(found.ok(), takes.then_some(4));
}

#[test]
fn times_of_pax_records_are_taken() {
    let to = tempfile::tempdir().unwrap();
    let own = fs::metadata(to.path()).unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    let times = [
        ("a", "1700000000.25", (1_700_000_000, 250_000_000)),
        ("b", "-1.5", (-2, 500_000_000)),
        ("c", "-7", (-7, 0)),
    ];
    for (name, time, _) in times {
        archive.append_pax_extensions([("mtime", time.as_bytes())]).unwrap();
        let mut header = Header::new_ustar();
        header.set_metadata(&own);
        header.set_entry_type(EntryType::Regular);
        header.set_path(name).unwrap();
        header.set_size(0);
        header.set_cksum();
        archive.append(&header, io::empty()).unwrap();
    }
    let archive = archive.into_inner().unwrap();
    unpack::unpack(&mut tar::Archive::new(&archive[..]), to.path()).unwrap();
    for (name, _, wanted) in times {
        let found = fs::metadata(to.path().join(name)).unwrap();
        assert_eq!((found.mtime(), found.mtime_nsec()), wanted, "{name}");
    }
}
