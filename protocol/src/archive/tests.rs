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
        ("x".to_owned(), entry(EntryType::Directory, "", "")),
        ("x/sub".to_owned(), entry(EntryType::Directory, "", "")),
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
