//! Entries of a layer, as docker takes them.

use tar::EntryType as T;

use super::*;
use crate::layer::Layer;
use crate::tree::{Kind, NodeId, Tree};

/// One entry: type, name, what it links to, mode and data.
type Entry<'a> = (T, &'a str, &'a str, u32, &'a [u8]);

fn unpacked(entries: &[Entry]) -> Result<Layer, String> {
    let mut builder = tar::Builder::new(Vec::new());
    for (number, (kind, name, link, mode, data)) in entries.iter().enumerate() {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_size(data.len() as u64);
        header.set_mode(*mode);
        header.set_uid(number as u64);
        header.set_mtime(number as u64);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        builder.append(&header, *data).unwrap();
    }
    let tar = builder.into_inner().unwrap();
    let mut reader = crate::tar::Reader::new(crate::tar::Stream(&tar[..]));
    let mut meter = crate::layer::Meter::new(Limits::default());
    let layer = crate::layer::unpack_tar(&mut reader, Vec::new(), &mut meter);
    layer.map_err(|error| host::text::in_one_line(&error))
}

fn find(tree: &Tree, path: &str) -> Option<NodeId> {
    tree.find(&crate::tree::relative(path.as_bytes())).unwrap()
}

fn size(tree: &Tree, path: &str) -> Option<u64> {
    match tree.node(find(tree, path)?).kind {
        Kind::File(extent) => Some(extent.size),
        _ => None,
    }
}

#[test]
fn nothing_of_what_is_said_of_the_root_is_taken() {
    for name in ["./", "/", ".", "a/..", ""] {
        for kind in [T::Directory, T::Regular, T::Symlink, T::Link] {
            let layer = unpacked(&[
                (T::Regular, "file", "", 0o644, b"data"),
                (kind, name, "file", 0o700, b""),
                (T::Regular, "after", "", 0o644, b""),
            ])
            .unwrap();
            let root = layer.tree.node(Tree::ROOT);
            assert_eq!((root.meta.mode, root.meta.uid), (0o755, 0), "{kind:?} '{name}'");
            assert_eq!(root.children().unwrap().len(), 2, "{kind:?} '{name}'");
        }
    }
}

#[test]
fn hard_links_into_the_folder_of_aufs_are_files() {
    let layer = unpacked(&[
        (T::Directory, ".wh..wh.plnk", "", 0o700, b""),
        (T::Regular, ".wh..wh.plnk/12.34", "", 0o640, b"shared"),
        (T::Regular, ".wh..wh.orph/56", "", 0o644, b"orphan"),
        (T::Link, "one", ".wh..wh.plnk/12.34", 0, b""),
        (T::Link, "folder/two", "/.wh..wh.plnk/12.34", 0, b""),
    ])
    .unwrap();
    assert_eq!((size(&layer.tree, "one"), size(&layer.tree, "folder/two")), (Some(6), Some(6)));
    assert_eq!(find(&layer.tree, "one"), find(&layer.tree, "folder/two"));
    assert_eq!(layer.tree.node(find(&layer.tree, "one").unwrap()).meta.mode, 0o640);
    assert_eq!(layer.tree.node(Tree::ROOT).children().unwrap().len(), 2);
    // And through the index of the cache.
    let mut text = Vec::new();
    crate::layer::write_index(&layer, &mut text).unwrap();
    let read = crate::layer::read_index(&text[..]).unwrap().tree;
    assert_eq!((size(&read, "one"), find(&read, "one")), (Some(6), find(&read, "folder/two")));
    let error = unpacked(&[(T::Link, "one", ".wh..wh.plnk/0.0", 0, b"")]).unwrap_err();
    let message = "entry 'one': it is a hard link to '.wh..wh.plnk/0.0', which does not exist";
    assert_eq!(error, message);
}

#[test]
fn names_of_aufs_are_names_in_a_folder() {
    let layer = unpacked(&[(T::Regular, "a/.wh..wh.x/b", "", 0o644, b"data")]).unwrap();
    assert_eq!(size(&layer.tree, "a/.wh..wh.x/b"), Some(4));
}

#[test]
fn a_hard_link_says_once_more_what_its_file_is() {
    let layer = unpacked(&[
        (T::Regular, "file", "", 0o600, b"data"),
        (T::Symlink, "way", "file", 0o777, b""),
        (T::Link, "name", "file", 0o4755, b""),
        (T::Link, "other way", "/way", 0o600, b""),
        (T::Link, "below", "not/here", 0o600, b""),
    ])
    .unwrap();
    let meta = |path: &str| {
        let meta = &layer.tree.node(find(&layer.tree, path).unwrap()).meta;
        (meta.mode, meta.uid, meta.mtime.seconds)
    };
    assert_eq!((meta("file"), meta("name")), ((0o4755, 2, 2), (0o4755, 2, 2)));
    // One more name of the link, not of what it leads to; its own mode and time stay.
    assert_eq!((meta("way"), meta("other way")), ((0o777, 3, 1), (0o777, 3, 1)));
    let below = layer.tree.node(find(&layer.tree, "below").unwrap());
    assert_eq!(below.kind, Kind::LinkBelow(b"not/here".to_vec()));
}
