//! What the tests of images share, and those of the command with them: tools, a busybox image, and a look at a file tree.
#![allow(dead_code)]

pub mod layers;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use host::cache::Cache;
use host::digest::Digest;
use host::disk::Disk;
use host::platform::Platform;
use images::image::{self, Reference};
use images::layer::Limits;

/// Run a tool to its end; what it printed, or a panic with what it complained about.
pub fn tool(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The command failed with this status and one line that contains `message`.
#[track_caller]
pub fn assert_refused(output: &Output, arguments: &[&str], status: i32, message: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
    assert!(
        stderr.starts_with("bulkhead: ") && stderr.contains(message),
        "{arguments:?}: {stderr}"
    );
}

/// Whether all of these tools are there; says on stdout that `test` is skipped where not.
pub fn have(test: &str, tools: &[&str]) -> bool {
    for tool in tools {
        let found = std::env::var_os("PATH").is_some_and(|path| {
            std::env::split_paths(&path).any(|folder| folder.join(tool).is_file())
        });
        if !found {
            println!("SKIPPED: {test}: {tool} is not installed");
            return false;
        }
    }
    true
}

/// Whether this machine knows certificate authorities, without which there is no TLS; says on stdout that `test` is skipped
/// where not, as in the small Debian of an emulated host of another architecture.
pub fn authorities(test: &str) -> bool {
    let known = std::path::Path::new("/etc/ssl/certs/ca-certificates.crt").is_file();
    if !known {
        println!(
            "SKIPPED: {test}: there are no certificate authorities: ca-certificates is not set up"
        );
    }
    known
}

/// Whether this is root; says on stdout that `test` is skipped where not.
pub fn root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("SKIPPED: {test}: only root can do this");
    }
    root
}

/// Open and unpack an image for linux/amd64, whatever this machine is; errors as the command would print them.
pub fn unpack(
    cache: &Path,
    image: &Path,
    name: Option<&str>,
) -> Result<(image::Image, Disk), String> {
    unpack_limited(cache, image, name, Limits::default())
}

/// Likewise, with limits.
pub fn unpack_limited(
    cache: &Path,
    image: &Path,
    name: Option<&str>,
    limits: Limits,
) -> Result<(image::Image, Disk), String> {
    let cache = Cache::open(cache.to_owned()).map_err(|error| chain(&error))?;
    let reference = Reference { path: image.to_owned(), name: name.map(str::to_owned) };
    let image =
        image::open(&cache, &reference, Platform::Amd64, limits).map_err(|error| chain(&error))?;
    let disk = image::unpack(&cache, &image, limits).map_err(|error| chain(&error))?;
    Ok((image, disk))
}

/// An error and its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    assert!(!text.contains('\n'), "an error is one line: {text}");
    text
}

/// The disk as one file, as a guest sees it.
pub fn stitch(disk: &Disk, to: &Path) {
    let mut out = File::create(to).unwrap();
    for part in &disk.parts {
        assert_eq!((part.offset % 4096, part.length % 4096), (0, 0), "{part:?}");
        let copied = io::copy(&mut File::open(&part.path).unwrap(), &mut out).unwrap();
        assert_eq!(copied, part.length, "{part:?}");
    }
}

/// What there is to say about a file, apart from its name.
#[derive(Debug, PartialEq, Eq)]
pub struct Facts {
    pub mode: u32,
    pub owner: (u32, u32),
    pub mtime: (i64, i64),
    pub device: u64,
    pub links: u64,
    pub contents: Option<Digest>,
    pub target: Option<PathBuf>,
    /// Names, and the digests of values.
    pub xattrs: BTreeMap<String, Digest>,
    /// The first of the file's names.
    pub first_name: PathBuf,
}

/// Every file below `root` and what there is to say about it.
pub fn facts(root: &Path) -> BTreeMap<PathBuf, Facts> {
    let mut facts = BTreeMap::new();
    let mut names: BTreeMap<u64, PathBuf> = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(path) = pending.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().to_owned();
        let first_name = names.entry(metadata.ino()).or_insert_with(|| name.clone()).clone();
        let file_type = metadata.file_type();
        if file_type.is_dir() {
            let mut entries: Vec<PathBuf> =
                fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
            entries.sort_by(|a, b| b.as_os_str().as_bytes().cmp(a.as_os_str().as_bytes()));
            pending.extend(entries);
        }
        let is_device = file_type.is_char_device() || file_type.is_block_device();
        let fact = Facts {
            mode: metadata.mode(),
            owner: (metadata.uid(), metadata.gid()),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            device: if is_device { metadata.rdev() } else { 0 },
            // File systems count a directory's links differently.
            links: if file_type.is_dir() { 0 } else { metadata.nlink() },
            contents: file_type
                .is_file()
                .then(|| Digest::of_reader(File::open(&path).unwrap()).unwrap()),
            target: file_type.is_symlink().then(|| fs::read_link(&path).unwrap()),
            xattrs: xattrs(&path)
                .into_iter()
                .map(|(name, value)| {
                    (String::from_utf8_lossy(&name).into_owned(), Digest::of(&value))
                })
                .collect(),
            first_name,
        };
        facts.insert(name, fact);
    }
    facts
}

/// A file's extended attributes; none when there is no such file.
pub fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0; 65536];
    let len = rustix::fs::llistxattr(path, &mut names[..]).unwrap_or(0);
    let mut xattrs = BTreeMap::new();
    for name in names[..len].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 65536];
        let len = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
        value.truncate(len);
        xattrs.insert(name.to_vec(), value);
    }
    xattrs
}

/// An EROFS image mounted by the kernel, until this is dropped.
pub struct Mounted(pub PathBuf);

impl Mounted {
    pub fn new(image: &Path, at: &Path) -> Self {
        fs::create_dir_all(at).unwrap();
        tool("mount", &["-t", "erofs", "-o", "ro,loop", text(image), text(at)]);
        Self(at.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// A path that is text, as those of the tests are.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Compare two trees and say what differs, not everything.
pub fn assert_same(ours: &Path, theirs: &Path) {
    assert_same_facts(&facts(ours), &facts(theirs));
}

/// Likewise, of what was found out about them.
pub fn assert_same_facts(ours: &BTreeMap<PathBuf, Facts>, theirs: &BTreeMap<PathBuf, Facts>) {
    let names = |facts: &BTreeMap<PathBuf, Facts>| facts.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(ours), names(theirs));
    for (name, fact) in ours {
        // Nothing of what a layer says of the root counts, as in docker.
        if name.as_os_str().is_empty() {
            continue;
        }
        assert_eq!(fact, &theirs[name], "{}", name.display());
    }
}

/// A root file system of Debian's busybox in `root`.
pub fn busybox(root: &Path) {
    for folder in ["bin", "etc", "tmp"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    for applet in ["sh", "cat", "echo"] {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
}
