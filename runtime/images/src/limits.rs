//! What an image, whoever made it, may cost this machine: every limit on what is read of one, in one place.
//!
//! The limits that a person can raise are in [`crate::layer::Limits`], with these as defaults.

// A tar stream (`tar`).

/// The longest extension member (pax records or a GNU long name), in bytes. A pax header has to hold all of a file's extended
/// attributes, of which Linux allows 64 KiB each.
pub const TAR_EXTENSION: u64 = 1 << 20;
/// The most extension members in a row before a real member: a GNU long name, a GNU long link and pax records are three, which
/// some writers repeat.
pub const TAR_EXTENSIONS_IN_A_ROW: usize = 8;
/// The most parts of a sparse file: 16 bytes of memory each. A file whose every second block is a hole has so many in 8 GiB.
pub const TAR_SPARSE_PARTS: usize = 1 << 20;

// Names (`tree`).

/// The longest file name, in bytes (Linux `NAME_MAX`, EROFS `EROFS_NAME_LEN`).
pub const NAME: usize = 255;
/// The longest path, or target of a symbolic link, in bytes (Linux `PATH_MAX` counts the final NUL).
pub const PATH: usize = 4095;
/// The most parts of a path. Linux has no such limit, but no image comes near, and each level costs whoever walks it.
pub const DEPTH: usize = 255;
/// The most symbolic links on one walk (Linux `MAXSYMLINKS`).
pub const SYMLINKS: usize = 40;

// A layer (`layer`).

/// The most bytes of a layer's uncompressed tar.
pub const LAYER_SIZE: u64 = 32 << 30;
/// The most entries of a layer, with the directories that their names imply: some 400 bytes of memory each.
pub const LAYER_ENTRIES: u64 = 1_000_000;
/// The most bytes of a layer's names, link targets and extended attributes: these are held in memory.
pub const LAYER_METADATA: u64 = 256 << 20;
/// How many times a layer's limits all layers of an image may reach together. The layers of one image lie on the disk, and in
/// the merged tree, at the same time.
pub const LAYERS_IN_ALL: u64 = 2;
/// The most bytes of paths in a layer's index. Through symbolic links, short names can put many entries in deep places.
pub const INDEX_PATHS: u64 = 1 << 30;

// An image (`image`).

/// The most layers. Each is a file that the VMM keeps open; docker stops at 127.
pub const LAYERS: usize = 256;
/// The longest JSON document, in bytes (containerd's limit for a manifest is half of this).
pub const DOCUMENT: u64 = 16 << 20;
/// How deep an index may refer to an index.
pub const INDEX_DEPTH: usize = 4;
/// The most manifests and nested indexes that are looked at.
pub const MANIFESTS: usize = 1000;
/// The most members of an image archive. A layer is one or three of them.
pub const ARCHIVE_MEMBERS: usize = 100_000;
/// The most bytes of the names of all its members, of what links refer to, and of the maps of sparse ones: these are
/// held in memory.
pub const ARCHIVE_NAMES: usize = 16 << 20;
/// The most links from member to member on the way to a file.
pub const ARCHIVE_LINKS: usize = 8;
/// The most memory that a zstd frame may ask for, in bytes: what `zstd -d` allows without `--long`.
pub const ZSTD_WINDOW: u64 = 128 << 20;
/// The largest dictionary of an xz block, in bytes: twice what `xz -9` makes.
pub const XZ_DICTIONARY: u64 = 128 << 20;

// The image store (`store`).

/// The most images of an archive that is loaded, each of which costs some reading.
pub const LOADED_IMAGES: usize = 1000;
