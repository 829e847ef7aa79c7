//! File system images: what is written is read back, by the rules of the kernel's headers.

mod reader;

use std::collections::{BTreeMap, HashMap};

use images::erofs::{BLOCK, metadata};
use images::layer::PAGE;
use images::tar::Time;
use images::tree::{Extent, Kind, Meta, Node, NodeId, Tree, components};

use crate::input::Input;
use reader::{Image, Inode};

/// How long the one blob is, in bytes.
const BLOB: u64 = 1 << 20;

/// Two layers of any entries, one laid over the other.
pub fn erofs(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut layers = [Tree::bounded(300), Tree::bounded(300)];
    while change(&mut input, &mut layers).is_some() {}
    let mut tree = Tree::bounded(1000);
    let laid = (0..).zip(&layers).try_for_each(|(number, layer)| tree.lay_over(layer, number));
    // A link to nothing, or through itself, is refused there.
    if laid.is_ok() {
        check_image(&tree, &[BLOB, BLOB]);
    }
}

/// One entry more of a layer.
fn change(input: &mut Input, layers: &mut [Tree; 2]) -> Option<()> {
    let choice = input.u8()?;
    let layer = &mut layers[usize::from(choice >> 7)];
    let path = path(input)?;
    let Ok(path) = components(&path) else { return Some(()) };
    let meta = Meta {
        mode: u32::from(input.u16()? & 0o7777),
        uid: input.number()? as u32,
        gid: input.number()? as u32,
        mtime: Time { seconds: input.number()? as i64, nanos: u32::from(choice) },
        xattrs: attributes(input, choice)?,
    };
    let kind = match choice & 15 {
        0..=2 => Kind::File(Extent {
            layer: 0,
            offset: u64::from(input.u8()?) * PAGE % BLOB,
            size: u64::from(input.u16()?) % PAGE,
        }),
        3 | 4 => {
            let len = usize::from(input.u16()? % 4095) + 1;
            Kind::Symlink(vec![b't'; len])
        }
        5 => Kind::Character(u32::from(input.u16()?) & 0xfff, input.u32()? & 0xf_ffff),
        6 => Kind::Block(u32::from(input.u16()?) & 0xfff, input.u8()?.into()),
        7 => Kind::Fifo,
        8 => Kind::Socket,
        _ => return more(input, layer, &path, choice, meta),
    };
    let _ = layer.insert(&path, Node { meta, kind });
    Some(())
}

/// What is no node of its own.
fn more(input: &mut Input, layer: &mut Tree, path: &[&[u8]], choice: u8, meta: Meta) -> Option<()> {
    let _refused = match choice & 15 {
        9 => layer.white_out(path).err(),
        10 => layer.hide_below(path).err(),
        11 | 12 => {
            let target = self::path(input)?;
            layer.hard_link(path, &components(&target).unwrap_or_default()).err()
        }
        _ => layer.insert(path, Node::directory(meta)).err(),
    };
    Some(())
}

/// Few names, so that entries meet, and some that fill a block.
fn path(input: &mut Input) -> Option<Vec<u8>> {
    let choice = input.u8()?;
    let parts = (0..1 + choice % 3).map(|level| match choice >> (2 + 2 * level) & 3 {
        0 => b"a".to_vec(),
        1 => vec![b'a' + choice % 26; 1 + usize::from(choice)],
        _ => vec![b'b' + level, b'0' + choice % 10],
    });
    Some(parts.collect::<Vec<_>>().join(&b'/'))
}

fn attributes(input: &mut Input, choice: u8) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
    if choice & 0x10 == 0 {
        return Some(BTreeMap::new());
    }
    let names: [&[u8]; 4] =
        [b"user.a", b"security.capability", b"trusted.long", b"system.posix_acl_access"];
    let count = usize::from(input.u8()? % 5);
    let lens = input.bytes(count)?;
    let value = |len: &u8| vec![b'v'; usize::from(*len) * 8];
    Some(names.iter().zip(lens).map(|(name, len)| (name.to_vec(), value(len))).collect())
}

/// Writes the tree's image, and reads it again.
pub fn check_image(tree: &Tree, blobs: &[u64]) {
    let part = metadata(tree, blobs, [7; 16]).expect("a tree of whole layers");
    assert!((part.len() as u64).is_multiple_of(BLOCK));
    let image = Image::new(&part);
    let blocks = blobs.iter().map(|len| len.div_ceil(BLOCK)).sum::<u64>();
    assert_eq!(image.blocks(), part.len() as u64 / BLOCK + blocks);
    let mut check =
        Check { tree, image: &image, blobs, numbers: HashMap::new(), names: HashMap::new() };
    check.numbers.insert(Tree::ROOT, image.root());
    let mut pending = vec![(Tree::ROOT, image.root(), image.root())];
    while let Some((id, number, parent)) = pending.pop() {
        check.inode(id, number, parent, &mut pending);
    }
    assert_eq!(image.inodes(), check.numbers.len() as u64);
    for (id, names) in &check.names {
        assert_eq!(image.inode(check.numbers[id]).links, *names);
    }
}

struct Check<'a> {
    tree: &'a Tree,
    image: &'a Image<'a>,
    blobs: &'a [u64],
    /// Which inode a node became.
    numbers: HashMap<NodeId, u64>,
    /// How many names there are of what is no directory.
    names: HashMap<NodeId, u32>,
}

impl Check<'_> {
    /// Compares a node with its inode, and leaves its entries for later.
    fn inode(
        &mut self,
        id: NodeId,
        number: u64,
        parent: u64,
        pending: &mut Vec<(NodeId, u64, u64)>,
    ) {
        let node = self.tree.node(id);
        let inode = self.image.inode(number);
        assert_eq!(inode.mode, type_bits(&node.kind) | node.meta.mode & 0o7777);
        assert_eq!((inode.uid, inode.gid), (node.meta.uid, node.meta.gid));
        assert_eq!((inode.seconds, inode.nanos), (node.meta.mtime.seconds, node.meta.mtime.nanos));
        assert_eq!(self.image.attributes(number), node.meta.xattrs);
        match &node.kind {
            Kind::Directory { children, .. } => {
                self.directory(children, &inode, number, parent, pending);
            }
            Kind::Symlink(target) => assert_eq!(self.image.data(&inode), *target),
            Kind::File(extent) => self.file(extent, &inode),
            Kind::Character(major, minor) | Kind::Block(major, minor) => {
                // Linux new_decode_dev, include/linux/kdev_t.h.
                let (found_major, low) = (inode.place >> 8 & 0xfff, inode.place & 0xff);
                assert_eq!((found_major, low | inode.place >> 12 & 0xf_ff00), (*major, *minor));
            }
            _ => assert_eq!(inode.size, 0),
        }
    }

    fn file(&self, extent: &Extent, inode: &Inode) {
        assert_eq!(inode.size, extent.size);
        if extent.size > 0 {
            let below = &self.blobs[..extent.layer as usize];
            let start = below.iter().map(|len| len.div_ceil(BLOCK)).sum::<u64>();
            let block = self.image.len() / BLOCK + start + extent.offset / BLOCK;
            assert_eq!(u64::from(inode.place), block);
        }
    }

    fn directory(
        &mut self,
        children: &BTreeMap<Vec<u8>, NodeId>,
        inode: &Inode,
        number: u64,
        parent: u64,
        pending: &mut Vec<(NodeId, u64, u64)>,
    ) {
        let mut entries = self.image.entries(inode);
        assert_eq!(entries.remove(&b"."[..]), Some(number));
        assert_eq!(entries.remove(&b".."[..]), Some(parent));
        assert!(entries.keys().eq(children.keys()));
        let mut folders = 0;
        for (&id, (_, found)) in children.values().zip(entries) {
            let known = *self.numbers.entry(id).or_insert(found);
            assert_eq!(known, found, "one inode a node");
            if self.tree.node(id).children().is_some() {
                folders += 1;
            } else {
                let names = self.names.entry(id).or_default();
                *names += 1;
                if *names > 1 {
                    continue;
                }
            }
            pending.push((id, found, number));
        }
        assert_eq!(inode.links, 2 + folders);
    }
}

/// The type bits of a mode (POSIX `sys/stat.h`).
fn type_bits(kind: &Kind) -> u32 {
    match kind {
        Kind::File(_) => 0o100_000,
        Kind::Directory { .. } => 0o040_000,
        Kind::Character(..) => 0o020_000,
        Kind::Block(..) => 0o060_000,
        Kind::Fifo => 0o010_000,
        Kind::Socket => 0o140_000,
        Kind::Symlink(_) => 0o120_000,
        Kind::Whiteout | Kind::LinkBelow(_) => panic!("it has no place in an image"),
    }
}
