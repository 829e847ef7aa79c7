use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;

/// The type, link target and data of each entry, by its name.
type Entries = BTreeMap<String, (EntryType, String, String)>;

fn pack(source: &Path, name: &str, owner: Owner) -> Vec<u8> {
    let mut out = Vec::new();
    let mut archive = Packer::new(&mut out, owner);
    archive.pack(source, Path::new(name), |_, _| Ok(true)).unwrap();
    archive.finish().unwrap();
    out
}

fn entries(archive: &[u8]) -> Entries {
    let mut entries = Entries::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        let target = entry.link_name().unwrap().map_or(String::new(), |l| l.display().to_string());
        let name = entry.path().unwrap().display().to_string();
        entries.insert(name, (entry.header().entry_type(), target, text));
    }
    entries
}

/// The type of every record that says one, those of long names among them.
fn raw_types(archive: &[u8]) -> Vec<u8> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().unwrap().raw(true);
    entries.map(|entry| entry.unwrap().header().entry_type().as_byte()).collect()
}

#[test]
fn every_kind_of_file_is_archived_as_what_it_is() {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path().join("folder");
    let (long, target) = ("n".repeat(250), format!("/{}", "t".repeat(300)));
    fs::create_dir_all(folder.join("sub")).unwrap();
    fs::write(folder.join("sub").join(&long), "data").unwrap();
    symlink("./over//there", folder.join("link")).unwrap();
    symlink(&target, folder.join("far")).unwrap();
    mknodat(CWD, folder.join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let _socket = UnixListener::bind(folder.join("socket")).unwrap();
    let archive = pack(&folder, "x", Owner::Source);
    let entry = |kind, target: &str, text: &str| (kind, target.to_owned(), text.to_owned());
    let expected = Entries::from([
        ("x/".to_owned(), entry(EntryType::Directory, "", "")),
        ("x/sub/".to_owned(), entry(EntryType::Directory, "", "")),
        (format!("x/sub/{long}"), entry(EntryType::Regular, "", "data")),
        ("x/link".to_owned(), entry(EntryType::Symlink, "./over//there", "")),
        ("x/far".to_owned(), entry(EntryType::Symlink, &target, "")),
        ("x/pipe".to_owned(), entry(EntryType::Fifo, "", "")),
    ]);
    assert_eq!(entries(&archive), expected);
    assert!(
        Packer::new(io::sink(), Owner::Source)
            .pack(&folder.join("none"), Path::new("n"), |_, _| Ok(true))
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    );
}

#[test]
fn names_of_one_file_stay_names_of_one_file() {
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("a"), vec![b'x'; 300_000]).unwrap();
    for number in 0..19 {
        fs::hard_link(work.path().join("a"), work.path().join(format!("b{number}"))).unwrap();
    }
    let archive = pack(work.path(), "tools", Owner::Source);
    assert!(archive.len() < 400_000, "{} bytes", archive.len());
    let entries = entries(&archive);
    let first = entries.iter().find(|(_, (kind, ..))| *kind == EntryType::Regular).unwrap().0;
    let links =
        entries.values().filter(|(kind, target, _)| *kind == EntryType::Link && target == first);
    assert_eq!(links.count(), 19);
}

#[test]
fn no_entry_has_a_type_that_only_gnu_tar_knows() {
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("n".repeat(250)), "").unwrap();
    symlink("t".repeat(300), work.path().join("link")).unwrap();
    let holes = File::create(work.path().join("holes")).unwrap();
    holes.set_len(1 << 20).unwrap();
    let archive = pack(work.path(), "x", Owner::Source);
    // POSIX.1-2001 pax, "ustar Interchange Format" and "pax Header Block".
    let types = raw_types(&archive);
    assert!(types.iter().all(|kind| b"01234567xg".contains(kind)), "{types:?}");
    assert_eq!(types.iter().filter(|&&kind| kind == b'x').count(), 2);
    assert_eq!(entries(&archive)["x/holes"].2, "\0".repeat(1 << 20));
}

#[test]
fn the_owner_is_the_files_own_or_root() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let own = file.as_file().metadata().unwrap();
    for (owner, wanted) in
        [(Owner::Source, (u64::from(own.uid()), u64::from(own.gid()))), (Owner::Root, (0, 0))]
    {
        let archive = pack(file.path(), "f", owner);
        let mut archive = tar::Archive::new(&archive[..]);
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        let header = entry.header();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), wanted);
        assert_eq!(header.mtime().unwrap().cast_signed(), own.mtime());
    }
}

#[test]
fn an_archive_is_listed_as_docker_lists_it() {
    let work = tempfile::tempdir().unwrap();
    fs::create_dir(work.path().join("sub")).unwrap();
    for name in ["sub/b", "z", "a"] {
        fs::write(work.path().join(name), "").unwrap();
    }
    for (name, wanted) in [
        (".", ["./", "./a", "./sub/", "./sub/b", "./z"]),
        ("x", ["x/", "x/a", "x/sub/", "x/sub/b", "x/z"]),
    ] {
        let archive = pack(work.path(), name, Owner::Source);
        let mut archive = tar::Archive::new(&archive[..]);
        let names = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            assert_eq!(entry.header().mode().unwrap() & !0o7777, 0);
            String::from_utf8(entry.path_bytes().into_owned()).unwrap()
        });
        assert_eq!(names.collect::<Vec<_>>(), wanted);
    }
}

#[test]
fn numbers_that_a_header_has_no_room_for_are_records() {
    let (small, large) = (0o777_7777, 0o777_7777_7777_u64);
    let half = 500_000_000;
    for (owner, size, time, wanted) in [
        (small, large, (0, 0), vec![]),
        (small + 1, 1, (-5, 0), vec![("uid", "2097152"), ("gid", "2097152"), ("mtime", "-5")]),
        (
            7,
            large + 1,
            (large as i64 + 1, 0),
            vec![("mtime", "8589934592"), ("size", "8589934592")],
        ),
        (0, 0, (3, half), vec![("mtime", "3.500000000")]),
        (0, 0, (-2, half), vec![("mtime", "-1.500000000")]),
        (0, 0, (-1, half), vec![("mtime", "-0.500000000")]),
    ] {
        let mut archive = Builder::new(Vec::new());
        let mut entry = Entry::new(EntryType::Regular, b"file", 0o10_0644);
        entry.owner(owner, owner);
        entry.changed(time.0, time.1);
        // Their data, as long as it is said to be, is not written here.
        entry.append(&mut archive, size, io::empty()).unwrap();
        let archive = archive.into_inner().unwrap();
        let mut archive = tar::Archive::new(&archive[..]);
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!((entry.size(), entry.header().uid().unwrap()), (size, owner.into()));
        let records: Vec<_> = entry
            .pax_extensions()
            .unwrap()
            .into_iter()
            .flatten()
            .map(|record| record.unwrap())
            .map(|record| (record.key().unwrap().to_owned(), record.value().unwrap().to_owned()))
            .collect();
        let wanted: Vec<_> =
            wanted.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(records, wanted);
    }
}
