//! Layers, as tar files with exactly the entries that a test wants, whoever runs it.

use tar::{Builder, EntryType, Header};

/// Mode and owner of an entry.
#[derive(Clone, Copy)]
pub struct Meta {
    /// Permission bits, set-user-ID and the like included.
    pub mode: u32,
    /// User and group.
    pub owner: (u64, u64),
}

impl Meta {
    /// Root's.
    pub const fn root(mode: u32) -> Meta {
        Meta { mode, owner: (0, 0) }
    }
}

/// A tar that grows by the entry.
pub struct Layer(Builder<Vec<u8>>);

impl Layer {
    /// An empty one.
    pub fn new() -> Layer {
        Layer(Builder::new(Vec::new()))
    }

    /// A folder.
    pub fn folder(self, name: &str, meta: Meta) -> Layer {
        self.data(EntryType::Directory, name, meta, b"")
    }

    /// A file.
    pub fn file(self, name: &str, meta: Meta, content: &[u8]) -> Layer {
        self.data(EntryType::Regular, name, meta, content)
    }

    /// A file that has an extended attribute: a pax record, as GNU tar and Go write it.
    pub fn file_with(
        mut self,
        name: &str,
        meta: Meta,
        content: &[u8],
        attribute: (&str, &[u8]),
    ) -> Layer {
        let key = format!("SCHILY.xattr.{}", attribute.0);
        self.0.append_pax_extensions([(key.as_str(), attribute.1)]).unwrap();
        self.file(name, meta, content)
    }

    /// The mark that an entry of a layer below is gone (OCI image specification, "Whiteouts").
    pub fn without(self, folder: &str, name: &str) -> Layer {
        self.file(&format!("{folder}/.wh.{name}"), Meta::root(0o644), b"")
    }

    /// The mark that a folder has nothing of the layers below ("Opaque Whiteout").
    pub fn opaque(self, folder: &str) -> Layer {
        self.file(&format!("{folder}/.wh..wh..opq"), Meta::root(0o644), b"")
    }

    /// A symbolic link.
    pub fn symlink(self, name: &str, target: &str) -> Layer {
        self.link(EntryType::Symlink, name, target)
    }

    /// Another name of a file that came before.
    pub fn hard_link(self, name: &str, target: &str) -> Layer {
        self.link(EntryType::Link, name, target)
    }

    /// A character device.
    pub fn device(self, name: &str, meta: Meta, major: u32, minor: u32) -> Layer {
        self.node(EntryType::Char, name, meta, (major, minor))
    }

    /// A block device.
    pub fn block_device(self, name: &str, meta: Meta, major: u32, minor: u32) -> Layer {
        self.node(EntryType::Block, name, meta, (major, minor))
    }

    /// The tar file.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }

    fn node(
        mut self,
        kind: EntryType,
        name: &str,
        meta: Meta,
        (major, minor): (u32, u32),
    ) -> Layer {
        let mut header = header(kind, meta);
        header.set_device_major(major).unwrap();
        header.set_device_minor(minor).unwrap();
        self.0.append_data(&mut header, name, &b""[..]).unwrap();
        self
    }

    fn data(mut self, kind: EntryType, name: &str, meta: Meta, content: &[u8]) -> Layer {
        let mut header = header(kind, meta);
        header.set_size(content.len() as u64);
        self.0.append_data(&mut header, name, content).unwrap();
        self
    }

    fn link(mut self, kind: EntryType, name: &str, target: &str) -> Layer {
        self.0.append_link(&mut header(kind, Meta::root(0o777)), name, target).unwrap();
        self
    }
}

impl Default for Layer {
    fn default() -> Layer {
        Layer::new()
    }
}

/// 2001-09-09 01:46:40 UTC, so that nobody takes it for the time of a test.
const MTIME: u64 = 1_000_000_000;

fn header(kind: EntryType, meta: Meta) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(meta.mode);
    header.set_uid(meta.owner.0);
    header.set_gid(meta.owner.1);
    header.set_mtime(MTIME);
    header
}
