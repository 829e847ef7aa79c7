//! Layers: from a tar to a blob and an index, and back from the index.

use images::layer::{Layer, Limits, Meter, PAGE, read_index, unpack_tar, write_index};
use images::tar::{Reader, Stream};
use images::tree::{Kind, Tree};

use crate::erofs::check_image;
use crate::tar::sealed;

/// Small ones, so that a fuzzer reaches them.
const LIMITS: Limits = Limits { size: 256 << 10, entries: 200, metadata: 64 << 10 };

/// The most bytes that a layer within them unpacks to: each file begins a page.
const MOST: u64 = LIMITS.size + LIMITS.entries * PAGE;

/// A layer's tar, as it is and with its checksums put right.
pub fn layer(bytes: &[u8]) {
    for bytes in [bytes, &sealed(bytes)] {
        unpack(bytes);
    }
}

/// All the way to a file system.
fn unpack(bytes: &[u8]) {
    let mut blob = Vec::new();
    let mut meter = Meter::new(LIMITS);
    let Ok(layer) = unpack_tar(&mut Reader::new(Stream(bytes)), &mut blob, &mut meter) else {
        assert!(blob.len() as u64 <= MOST);
        return;
    };
    assert_eq!(layer.blob_len, blob.len() as u64);
    assert!(layer.tree.len() as u64 <= LIMITS.entries + 1 && blob.len() as u64 <= MOST);
    check_extents(&layer);
    let index = text_of(&layer);
    let read = read_index(&*index).expect("an index that was just written");
    assert_eq!(read.blob_len, layer.blob_len);
    assert_eq!(text_of(&read), index);
    let (mut one, mut other) = (Tree::default(), Tree::default());
    let (laid, relaid) = (one.lay_over(&layer.tree, 0), other.lay_over(&read.tree, 0));
    assert_eq!(laid.is_ok(), relaid.is_ok(), "{laid:?} from the tar, {relaid:?} from the index");
    if laid.is_ok() {
        check_image(&one, &[layer.blob_len]);
        check_image(&other, &[layer.blob_len]);
    }
}

/// An index from the cache, which may be damaged.
pub fn layer_index(bytes: &[u8]) {
    let Ok(layer) = read_index(bytes) else { return };
    check_extents(&layer);
    let index = text_of(&layer);
    let again = read_index(&*index).expect("an index that was just written");
    // The first writing has put the lines in order, left out what was replaced, and resolved links on the way.
    assert_eq!(text_of(&again), index);
    // What was unpacked before is held to the limits as well, once it becomes part of an image.
    if Meter::new(Limits::default()).end_layer(&layer.tree, layer.blob_len).is_err() {
        return;
    }
    let mut tree = Tree::default();
    if tree.lay_over(&layer.tree, 0).is_ok() {
        check_image(&tree, &[layer.blob_len]);
    }
}

fn text_of(layer: &Layer) -> Vec<u8> {
    let mut text = Vec::new();
    write_index(layer, &mut text).expect("a small layer");
    text
}

/// Every file's data is inside the blob.
fn check_extents(layer: &Layer) {
    let mut pending = vec![Tree::ROOT];
    while let Some(id) = pending.pop() {
        let node = layer.tree.node(id);
        if let Kind::File(extent) = node.kind {
            let end = extent.offset.checked_add(extent.size);
            assert!(
                end.is_some_and(|end| end <= layer.blob_len) && extent.offset.is_multiple_of(PAGE)
            );
        }
        pending.extend(node.children().into_iter().flat_map(|children| children.values()));
    }
}
