//! The index file: a line of JSON for the layer, then one for each entry, parents first.
//!
//! Paths are text wherever they can be; a byte that is not part of UTF-8 is written as `%XX`, and so is `%`.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::entry::keep_xattrs;
use super::{Layer, PAGE};
use crate::limits;
use crate::tar::Time;
use crate::tree::{Extent, Kind, Meta, Node, NodeId, Tree, TreeError, components, relative};

/// Changes when the meaning of a line does; part of the index's name in the cache.
const FORMAT: u32 = 2;

/// What the index of the layer with this key is called.
pub fn index_name(key: &str) -> String {
    format!("{key}.v{FORMAT}")
}

/// Why an index cannot be read or written.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum IndexError {
    #[error("line {line} is not valid")]
    Line { line: usize, source: serde_json::Error },
    #[error("line {line} does not fit: {reason}")]
    Entry { line: usize, reason: String },
    #[error("the paths of the layer's entries take more than {limit} bytes", limit = limits::INDEX_PATHS)]
    TooLarge,
    #[error("cannot read or write it")]
    Io(#[from] io::Error),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: u32,
    blob_len: u64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    path: String,
    #[serde(flatten)]
    what: What,
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: Time,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    xattrs: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum What {
    Directory {
        opaque: bool,
        implied: bool,
    },
    File {
        offset: u64,
        size: u64,
    },
    Symlink {
        target: String,
    },
    Character {
        major: u32,
        minor: u32,
    },
    Block {
        major: u32,
        minor: u32,
    },
    Fifo,
    Socket,
    Whiteout,
    /// Another name of an entry further up in this index.
    HardLink {
        to: String,
    },
    /// Another name of a file in a lower layer.
    LinkBelow {
        to: String,
    },
}

/// Write the index of `layer`.
pub fn write_index(layer: &Layer, mut out: impl Write) -> Result<(), IndexError> {
    let mut put = |line: Result<String, serde_json::Error>| -> Result<(), IndexError> {
        let line = line.map_err(|source| IndexError::Line { line: 0, source })?;
        Ok(writeln!(out, "{line}")?)
    };
    put(serde_json::to_string(&Head { format: FORMAT, blob_len: layer.blob_len }))?;
    let shared = layer.tree.shared_nodes();
    let mut first_names: HashMap<NodeId, String> = HashMap::new();
    let mut paths = 0;
    let mut pending = vec![(String::new(), Tree::ROOT)];
    while let Some((path, id)) = pending.pop() {
        paths += path.len() as u64;
        if paths > limits::INDEX_PATHS {
            return Err(IndexError::TooLarge);
        }
        let node = layer.tree.node(id);
        let what = match first_names.get(&id) {
            Some(to) => What::HardLink { to: to.clone() },
            None => describe(&node.kind),
        };
        put(serde_json::to_string(&Line {
            path: path.clone(),
            what,
            mode: node.meta.mode,
            uid: node.meta.uid,
            gid: node.meta.gid,
            mtime: node.meta.mtime,
            xattrs: node
                .meta
                .xattrs
                .iter()
                .map(|(name, value)| (escape(name), escape(value)))
                .collect(),
        }))?;
        for (name, &child) in node.children().into_iter().flatten().rev() {
            let slash = if path.is_empty() { "" } else { "/" };
            pending.push((format!("{path}{slash}{}", escape(name)), child));
        }
        if shared.contains(&id) {
            first_names.entry(id).or_insert(path);
        }
    }
    Ok(())
}

fn describe(kind: &Kind) -> What {
    match kind {
        Kind::Directory { opaque, implied, .. } => {
            What::Directory { opaque: *opaque, implied: *implied }
        }
        Kind::File(extent) => What::File { offset: extent.offset, size: extent.size },
        Kind::Symlink(target) => What::Symlink { target: escape(target) },
        Kind::Character(major, minor) => What::Character { major: *major, minor: *minor },
        Kind::Block(major, minor) => What::Block { major: *major, minor: *minor },
        Kind::Fifo => What::Fifo,
        Kind::Socket => What::Socket,
        Kind::Whiteout => What::Whiteout,
        Kind::LinkBelow(to) => What::LinkBelow { to: escape(to) },
    }
}

/// Read an index back.
pub fn read_index(input: impl BufRead) -> Result<Layer, IndexError> {
    let mut layer = Layer { tree: Tree::default(), blob_len: 0 };
    for (index, text) in input.lines().enumerate() {
        let (line, text) = (index + 1, text?);
        let bad = |reason: String| IndexError::Entry { line, reason };
        if index == 0 {
            let head: Head =
                serde_json::from_str(&text).map_err(|source| IndexError::Line { line, source })?;
            if head.format != FORMAT {
                return Err(bad(format!("format {} is not {FORMAT}", head.format)));
            }
            layer.blob_len = head.blob_len;
            continue;
        }
        let entry: Line =
            serde_json::from_str(&text).map_err(|source| IndexError::Line { line, source })?;
        place(&mut layer, entry).map_err(bad)?;
    }
    Ok(layer)
}

fn place(layer: &mut Layer, line: Line) -> Result<(), String> {
    let path = unescape(&line.path)?;
    let parts = relative(&path);
    // A tree takes names as they are, and its own have no '..' in them any more.
    if components(&path).map_err(|error| error.to_string())? != parts {
        return Err("its path has '..' in it".to_owned());
    }
    let mut xattrs = BTreeMap::new();
    for (name, value) in &line.xattrs {
        xattrs.insert(unescape(name)?, unescape(value)?);
    }
    keep_xattrs(&mut xattrs)?;
    let meta = Meta { mode: line.mode, uid: line.uid, gid: line.gid, mtime: line.mtime, xattrs };
    let kind = match line.what {
        What::Directory { opaque, implied } => {
            return place_directory(&mut layer.tree, &parts, meta, opaque, implied)
                .map_err(|e| e.to_string());
        }
        What::HardLink { to } => {
            let to = unescape(&to)?;
            return layer
                .tree
                .hard_link(&parts, &relative(&to))
                .map(drop)
                .map_err(|e| e.to_string());
        }
        What::File { offset, size } => {
            let end = offset.checked_add(size).filter(|&end| end <= layer.blob_len);
            if end.is_none() || !offset.is_multiple_of(PAGE) {
                return Err(format!("{size} bytes at {offset} are not inside the blob"));
            }
            Kind::File(Extent { layer: 0, offset, size })
        }
        What::Symlink { target } => Kind::Symlink(unescape(&target)?),
        What::Character { major, minor } => Kind::Character(major, minor),
        What::Block { major, minor } => Kind::Block(major, minor),
        What::Fifo => Kind::Fifo,
        What::Socket => Kind::Socket,
        What::Whiteout => Kind::Whiteout,
        What::LinkBelow { to } => Kind::LinkBelow(unescape(&to)?),
    };
    layer.tree.insert(&parts, Node { meta, kind }).map(drop).map_err(|e| e.to_string())
}

fn place_directory(
    tree: &mut Tree,
    parts: &[&[u8]],
    meta: Meta,
    opaque: bool,
    implied: bool,
) -> Result<(), TreeError> {
    // Parents come first, so an implied directory is made by its own line.
    let node = if implied { Node::implied_directory() } else { Node::directory(meta) };
    let said = !implied || !parts.is_empty();
    if said {
        tree.insert(parts, node)?;
    }
    if opaque {
        tree.hide_below(parts)?;
    }
    Ok(())
}

/// Bytes as text.
fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('%', "%25"));
        for byte in chunk.invalid() {
            text.push_str(&format!("%{byte:02x}"));
        }
    }
    text
}

/// The bytes of escaped text.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(value.ok_or_else(|| format!("'%' without two hexadecimal digits in '{text}'"))?);
        rest = &rest[2..];
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A damaged index is refused before anything is made of it that the file system can't hold.
    #[test]
    fn what_no_layer_has_is_refused() {
        let read = |path: &str, xattrs: &str| {
            let meta = r#""mode":420,"uid":0,"gid":0,"mtime":{"seconds":0,"nanos":0}"#;
            let line = format!(r#"{{"path":"{path}","type":"fifo",{meta},"xattrs":{xattrs}}}"#);
            let index = format!("{{\"format\":{FORMAT},\"blob_len\":0}}\n{line}\n");
            read_index(index.as_bytes()).map_err(|error| error.to_string())
        };
        assert!(read(&format!("a/{}", "n".repeat(255)), r#"{"user.a":"b"}"#).is_ok());
        let long_name = read(&format!("a/{}", "n".repeat(256)), "{}").unwrap_err();
        assert!(long_name.contains("256 bytes"), "{long_name}");
        for path in ["..", "a/..", "a/../b", "/..", "/a/../b"] {
            assert!(read(path, "{}").unwrap_err().contains("'..'"), "{path}");
        }
        for path in ["a\\u0000b", "%00"] {
            assert!(read(path, "{}").unwrap_err().contains("NUL byte"), "{path}");
        }
        let attribute = format!(r#"{{"user.{}":"b"}}"#, "n".repeat(251));
        assert!(read("a", &attribute).unwrap_err().contains("extended attribute"));
    }
}
