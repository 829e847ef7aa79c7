//! What is no file or folder, and what may take whose place.

use std::os::unix::fs::FileTypeExt;

use super::*;

#[test]
fn pipes_are_made_and_devices_left_out() {
    let home = tempfile::tempdir().unwrap();
    let packed = Packed::new()
        .folder("a")
        .entry(EntryType::Fifo, "a/pipe", "", 0o4640)
        .entry(EntryType::Char, "a/null", "", 0o666)
        .entry(EntryType::Block, "a/disk", "", 0o666)
        .file("a/f", "1");
    let archive = packed.archive();
    let top = Some(OsStr::new("a"));
    let unpacked = unpack(&archive[..], top, home.path(), BUDGET, false).unwrap();
    assert_eq!((unpacked.size, unpacked.left_out), (1, 2));
    let name = Some(OsString::from("a"));
    unpacked.put(&Place { folder: home.path().to_owned(), name, is_folder: true }).unwrap();
    assert_eq!(names(&home.path().join("a")), ["f", "pipe"]);
    let pipe = fs::metadata(home.path().join("a/pipe")).unwrap();
    assert!(pipe.file_type().is_fifo());
    assert_eq!((pipe.mode() & 0o7000, pipe.mtime()), (0, 1_000_000_000));
    assert_eq!(fs::metadata(home.path().join("a")).unwrap().mtime(), 1_000_000_000);
}

#[test]
fn a_file_makes_no_folder_and_a_folder_replaces_no_file() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("file"), "mine").unwrap();
    let put = |packed: Packed, name: &str, is_folder: bool| {
        let archive = packed.archive();
        let unpacked =
            unpack(&archive[..], Some(OsStr::new("a")), home.path(), BUDGET, false).unwrap();
        let place = Place { folder: home.path().to_owned(), name: Some(name.into()), is_folder };
        unpacked.put(&place).map_err(|error| error.to_string())
    };
    let error = put(Packed::new().file("a", "1"), "new", true).unwrap_err();
    assert!(error.contains(&format!("no folder {}/new", home.path().display())), "{error}");
    let error = put(Packed::new().folder("a"), "file", false).unwrap_err();
    assert!(error.contains("file is there and is no folder"), "{error}");
    assert_eq!(
        (names(home.path()), text(home.path().join("file"))),
        (vec!["file".to_owned()], "mine".to_owned())
    );
    put(Packed::new().folder("a"), "new", true).unwrap();
    put(Packed::new().file("a", "1"), "file", false).unwrap();
    assert_eq!(
        (names(home.path()), text(home.path().join("file"))),
        (vec!["file".to_owned(), "new".to_owned()], "1".to_owned())
    );
}
