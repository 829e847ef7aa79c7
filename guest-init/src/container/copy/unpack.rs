//! Unpacks what the host sends into a folder of the container, as docker does (moby `archive.Unpack`): what is no
//! folder takes the place of what is none, a folder is joined with one, and neither takes the other's place.
//!
//! The container may change its files meanwhile. So nothing is written to a file that is there, a file's rights are given by its
//! descriptor, and links in a path lead where they lead the container's own processes: this one has their root.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use protocol::archive::ATTRIBUTE;
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chownat,
    fchmod, fchown, fsetxattr, futimens, makedev, mknodat, utimensat,
};
use rustix::io::Errno;
use tar::{Archive, Entry, EntryType};

/// The blocks of most file systems, ext4's among them: of a file that is unpacked, one that is all zeros becomes a hole.
const BLOCK: usize = 4096;

/// How much of a file is read at once.
const PIECE: usize = 64 * BLOCK;

/// Unpacks an archive in `folder`.
pub(super) fn unpack(archive: &mut Archive<impl Read>, folder: &Path) -> io::Result<()> {
    let mut folders = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let done = add(&mut entry, folder, &mut folders);
        done.map_err(|error| io::Error::new(error.kind(), format!("'{name}': {error}")))?;
    }
    // Last, as what is made in them changes their times, and they may be closed to be written to. Those inside first.
    for (path, rights) in folders.into_iter().rev() {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let folder =
            OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
        rights.give(&folder)?;
    }
    Ok(())
}

/// Makes an entry; the rights of a folder are left for later.
fn add(
    entry: &mut Entry<'_, impl Read>,
    folder: &Path,
    folders: &mut Vec<(PathBuf, Rights)>,
) -> io::Result<()> {
    let kind = entry.header().entry_type();
    if matches!(kind, EntryType::XGlobalHeader) {
        return Ok(());
    }
    let path = within(folder, entry.path()?.as_ref())?;
    if path == folder {
        return Ok(());
    }
    let rights = Rights::of(entry)?;
    // Writers from before POSIX.1-1988 have no type for folders.
    if kind.is_dir() || kind.is_file() && entry.path_bytes().ends_with(b"/") {
        if make_folder(&path)? {
            folders.push((path, rights));
        }
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_folders(parent)?;
    }
    if kind.is_hard_link() {
        let target = entry.link_name()?.ok_or(io::ErrorKind::InvalidData)?;
        let target = within(folder, &target)?;
        // A file that is given as a link to itself stays.
        if target != path {
            make_room(&path)?;
            fs::hard_link(&target, &path)?;
        }
        return Ok(());
    }
    make_room(&path)?;
    match kind {
        EntryType::Symlink => {
            let target = entry.link_name_bytes().ok_or(io::ErrorKind::InvalidData)?;
            symlink(Path::new(OsStr::from_bytes(&target)), &path)?;
            rights.give_by_name(&path)
        }
        EntryType::Fifo | EntryType::Char | EntryType::Block => {
            let file_type = match kind {
                EntryType::Fifo => FileType::Fifo,
                EntryType::Char => FileType::CharacterDevice,
                _ => FileType::BlockDevice,
            };
            let header = entry.header();
            let number = |number: io::Result<Option<u32>>| Ok::<_, io::Error>(number?.unwrap_or(0));
            // A pipe has none, and most writers leave the fields empty.
            let device = match kind {
                EntryType::Fifo => 0,
                _ => makedev(number(header.device_major())?, number(header.device_minor())?),
            };
            mknodat(CWD, &path, file_type, Mode::from_raw_mode(rights.mode), device)?;
            rights.give_by_name(&path)
        }
        _ => {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            write(entry, &mut file)?;
            rights.give(&file)
        }
    }
}

/// The path of an entry: `..` by its text, as docker has it, and never above the folder.
fn within(folder: &Path, name: &Path) -> io::Result<PathBuf> {
    let mut inside = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(name) => inside.push(name),
            Component::ParentDir if inside.pop() => {}
            Component::ParentDir => {
                return Err(io::Error::other("it is outside of the archive"));
            }
            _ => {}
        }
    }
    // Without a / behind it.
    Ok(if inside.as_os_str().is_empty() { folder.to_owned() } else { folder.join(inside) })
}

/// Whether it is a folder itself. A link to one stands for it, so that the /lib of an image that has it in /usr stays a link.
fn make_folder(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => Ok(true),
        Ok(there) if there.is_symlink() && fs::metadata(path).is_ok_and(|there| there.is_dir()) => {
            Ok(false)
        }
        Ok(_) => Err(io::Error::other("a folder does not take the place of what is none")),
        Err(_) => make_folders(path).map(|()| true),
    }
}

/// Makes folders that no entry speaks of, with the rights that docker gives them (moby `ImpliedDirectoryMode`).
fn make_folders(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// Removes what is there, but no folder.
fn make_room(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => {
            Err(io::Error::other("it does not take the place of a folder"))
        }
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Extended attributes by name: a program's capabilities, and whatever else an archive of the user's has.
fn attributes(entry: &mut Entry<'_, impl Read>) -> io::Result<Vec<(OsString, Vec<u8>)>> {
    let mut attributes = Vec::new();
    for record in entry.pax_extensions()?.into_iter().flatten() {
        let record = record?;
        if let Some(name) = record.key_bytes().strip_prefix(ATTRIBUTE.as_bytes()) {
            attributes.push((OsStr::from_bytes(name).to_owned(), record.value_bytes().to_vec()));
        }
    }
    Ok(attributes)
}

/// The time of the last change as a pax record has it: where the header has no room for it, or with parts of a second.
fn recorded_time(entry: &mut Entry<'_, impl Read>) -> io::Result<Option<Timespec>> {
    for record in entry.pax_extensions()?.into_iter().flatten() {
        let record = record?;
        if record.key_bytes() == b"mtime" {
            let time = str::from_utf8(record.value_bytes()).ok().and_then(time);
            return time.ok_or_else(|| io::ErrorKind::InvalidData.into()).map(Some);
        }
    }
    Ok(None)
}

/// `seconds[.fraction]` since 1970 (POSIX.1-2001 pax, "pax Extended Header File Times").
fn time(text: &str) -> Option<Timespec> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let tv_sec: i64 = seconds.parse().ok()?;
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = digits.map(|digit| digit.is_ascii_digit().then(|| i64::from(digit - b'0')));
    let nanos = nanos.reduce(|sum, digit| Some(sum? * 10 + digit?))??;
    // The fraction counts away from zero, and the kernel's always forward.
    Some(match seconds.starts_with('-') && nanos > 0 {
        true => Timespec { tv_sec: tv_sec.checked_sub(1)?, tv_nsec: 1_000_000_000 - nanos },
        false => Timespec { tv_sec, tv_nsec: nanos },
    })
}

/// Writes a new file, with holes where whole blocks are zeros.
fn write(data: &mut impl Read, file: &mut File) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut size = 0;
    loop {
        let mut filled = 0;
        while filled < piece.len() {
            match data.read(&mut piece[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        size += filled as u64;
        for block in piece[..filled].chunks(BLOCK) {
            match block.iter().all(|&byte| byte == 0) {
                true => drop(file.seek(SeekFrom::Current(block.len() as i64))?),
                false => file.write_all(block)?,
            }
        }
        if filled < piece.len() {
            return file.set_len(size);
        }
    }
}

/// What a file has beside its name and data.
struct Rights {
    owner: Uid,
    group: Gid,
    mode: u32,
    times: Timestamps,
    attributes: Vec<(OsString, Vec<u8>)>,
}

impl Rights {
    fn of(entry: &mut Entry<'_, impl Read>) -> io::Result<Self> {
        let attributes = attributes(entry)?;
        let recorded = recorded_time(entry)?;
        let header = entry.header();
        let number = |number: u64| u32::try_from(number).map_err(|_| io::ErrorKind::InvalidData);
        // Negative numbers are written as such in the header's binary form.
        let time = match recorded {
            Some(time) => time,
            None => Timespec { tv_sec: header.mtime()?.cast_signed(), tv_nsec: 0 },
        };
        Ok(Self {
            owner: Uid::from_raw(number(header.uid()?)?),
            group: Gid::from_raw(number(header.gid()?)?),
            mode: header.mode()? & 0o7777,
            times: Timestamps { last_access: time, last_modification: time },
            attributes,
        })
    }

    fn give(&self, file: impl AsFd) -> io::Result<()> {
        let file = file.as_fd();
        // With a change of the owner the set-ID bits go, and capabilities.
        fchown(file, Some(self.owner), Some(self.group))?;
        fchmod(file, Mode::from_raw_mode(self.mode))?;
        for (name, value) in &self.attributes {
            match fsetxattr(file, name, value, XattrFlags::empty()) {
                // docker leaves out what the file system does not have, too.
                Err(Errno::OPNOTSUPP) => {}
                result => result?,
            }
        }
        Ok(futimens(file, &self.times)?)
    }

    /// Of what can't be opened, and has its mode since it was made.
    fn give_by_name(&self, path: &Path) -> io::Result<()> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        chownat(CWD, path, Some(self.owner), Some(self.group), flags)?;
        Ok(utimensat(CWD, path, &self.times, flags)?)
    }
}
