//! From a tar stream to a blob and a tree.
//!
//! OCI image specification, "Image Layer Filesystem Changeset": a layer is a tar of what was added or changed;
//! `.wh.NAME` says that NAME is gone, `.wh..wh..opq` that nothing below shows through the directory.

use std::collections::HashMap;

use super::blob::Blob;
use super::entry::{check_device, keep_xattrs, metadata_len};
use super::limits::Meter;
use super::{Layer, LayerError};
use crate::copy::CopyError;
use crate::holes::Room;
use crate::limits;
use crate::tar::{self, Member, Reader, Source};
use crate::tree::{Kind, Meta, Node, NodeId, Tree, TreeError, components};
use host::text::printable;

/// The start of a whiteout's name.
const WHITEOUT: &[u8] = b".wh.";

/// Hides everything that lower layers have in its directory.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Names with this start are AUFS's own files; docker has kept the convention and skips them.
const AUFS: &[u8] = b".wh..wh.";

/// AUFS' folder of files that have several names, each of which a layer says as a hard link into it (go-archive
/// `WhiteoutLinkDir`).
const AUFS_LINKS: &[u8] = b".wh..wh.plnk";

/// Unpack the tar stream: file data into `out`, entries into the returned tree. The caller ends the layer on the meter.
pub fn unpack_tar<S: Source, W: Room>(
    tar: &mut Reader<S>,
    out: W,
    meter: &mut Meter,
) -> Result<Layer, LayerError> {
    let tree = Tree::bounded(meter.limits().entries);
    let mut unpack = Unpack { tree, blob: Blob::new(out), meter, aufs_links: HashMap::new() };
    while let Some(member) = tar.next_member()? {
        unpack.add(tar, member)?;
    }
    let blob_len = unpack.blob.finish().map_err(LayerError::Write)?;
    Ok(Layer { tree: unpack.tree, blob_len })
}

struct Unpack<'a, W> {
    tree: Tree,
    blob: Blob<W>,
    meter: &'a mut Meter,
    /// What is in AUFS' folder, by file name; nothing in the tree is called so.
    aufs_links: HashMap<Vec<u8>, NodeId>,
}

impl<W: Room> Unpack<'_, W> {
    fn add<S: Source>(
        &mut self,
        tar: &mut Reader<S>,
        mut member: Member,
    ) -> Result<(), LayerError> {
        let entry = printable(&member.name);
        let in_entry = |source| LayerError::Tree { entry: entry.clone(), source };
        let refused = |reason| LayerError::Refused { entry: entry.clone(), reason };
        let limit = |source| LayerError::Limit { entry: entry.clone(), source };

        self.meter.check_size(tar.offset().saturating_add(member.size)).map_err(limit)?;
        let path = components(&member.name)
            .map_err(|source| LayerError::Name { entry: entry.clone(), source })?;
        // The root is there, root's and 0755; docker takes nothing of what a layer says of it (go-archive `Unpack`).
        let Some((&name, parents)) = path.split_last() else { return Ok(()) };
        if name.starts_with(WHITEOUT) {
            self.meter.count_entry(member.name.len()).map_err(limit)?;
            return self.add_whiteout(name, parents, &entry);
        }
        let of_aufs = path[0].starts_with(AUFS);
        if of_aufs && (path[0] != AUFS_LINKS || member.kind != tar::Kind::File) {
            return Ok(());
        }

        keep_xattrs(&mut member.xattrs).map_err(refused)?;
        let meta = Meta {
            mode: member.mode,
            uid: member.uid,
            gid: member.gid,
            mtime: member.mtime,
            xattrs: member.xattrs,
        };
        let metadata = metadata_len(&member.name, &member.link, &meta);
        self.meter.count_entry(metadata).map_err(limit)?;

        let kind = match member.kind {
            tar::Kind::Directory => {
                self.tree.insert(&path, Node::directory(meta)).map_err(in_entry)?;
                return Ok(());
            }
            tar::Kind::HardLink => {
                let target = components(&member.link).map_err(|source| LayerError::LinkName {
                    entry: entry.clone(),
                    target: printable(&member.link),
                    source,
                })?;
                if target == path {
                    return Err(refused("it is a hard link to itself".to_owned()));
                }
                if let [AUFS_LINKS, .., file] = target[..] {
                    let Some(&node) = self.aufs_links.get(file) else {
                        let source = TreeError::NoLinkTarget(member.link);
                        return Err(in_entry(source));
                    };
                    return self.tree.name(&path, node).map_err(in_entry);
                }
                let node = self.tree.hard_link(&path, &target).map_err(in_entry)?;
                self.tree.restate(node, meta);
                return Ok(());
            }
            tar::Kind::File => {
                Kind::File(self.blob.append(tar, member.size).map_err(|error| match error {
                    CopyError::Read(source) => LayerError::Read { entry: entry.clone(), source },
                    CopyError::Write(source) => LayerError::Write(source),
                })?)
            }
            tar::Kind::Symlink => Kind::Symlink(check_target(member.link).map_err(refused)?),
            tar::Kind::Character { major, minor } => {
                check_device(major, minor).map_err(refused)?;
                Kind::Character(major, minor)
            }
            tar::Kind::Block { major, minor } => {
                check_device(major, minor).map_err(refused)?;
                Kind::Block(major, minor)
            }
            tar::Kind::Fifo => Kind::Fifo,
        };
        let node = Node { meta, kind };
        if of_aufs {
            let node = self.tree.add(node).map_err(in_entry)?;
            self.aufs_links.insert(name.to_vec(), node);
            return Ok(());
        }
        self.tree.insert(&path, node).map(drop).map_err(in_entry)
    }

    fn add_whiteout(
        &mut self,
        name: &[u8],
        parents: &[&[u8]],
        entry: &str,
    ) -> Result<(), LayerError> {
        let in_entry = |source: TreeError| LayerError::Tree { entry: entry.to_owned(), source };
        if name == OPAQUE {
            return self.tree.hide_below(parents).map_err(in_entry);
        }
        if name.starts_with(AUFS) {
            return Ok(());
        }
        match &name[WHITEOUT.len()..] {
            hidden @ (b"" | b"." | b"..") => Err(LayerError::Refused {
                entry: entry.to_owned(),
                reason: format!("a whiteout of '{}' leaves its directory", printable(hidden)),
            }),
            hidden => {
                let mut path = parents.to_vec();
                path.push(hidden);
                self.tree.white_out(&path).map_err(in_entry)
            }
        }
    }
}

/// A symbolic link may point anywhere: only the guest follows it.
fn check_target(target: Vec<u8>) -> Result<Vec<u8>, String> {
    match target.len() {
        0 => Err("the symbolic link's target is empty".to_owned()),
        len if len > limits::PATH => Err(format!(
            "the symbolic link's target is {len} bytes long; the limit is {}",
            limits::PATH
        )),
        _ if target.contains(&0) => {
            Err("the symbolic link's target has a NUL byte in it".to_owned())
        }
        _ => Ok(target),
    }
}
