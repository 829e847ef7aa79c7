//! The user to run as, found in the image's own /etc/passwd and /etc/group.
//!
//! The rules are docker's: a number need not be in the files; a name must. A group after the colon replaces the
//! user's own group and its supplementary ones. The primary group is one of the supplementary ones as well: what a file
//! forbids that group stays forbidden to a set-group-ID program (CVE-2022-36109).

use protocol::ByteString;

/// Who the process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// User ID.
    pub uid: u32,
    /// Primary group ID.
    pub gid: u32,
    /// Supplementary group IDs, the primary one first.
    pub groups: Vec<u32>,
    /// The home folder; `/` for a user that has none.
    pub home: ByteString,
}

/// Why there is no such user.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// A name that passwd lacks.
    #[error("user: the image's /etc/passwd has no user \"{0}\"")]
    NoUser(ByteString),
    /// A name that group lacks.
    #[error("user: the image's /etc/group has no group \"{0}\"")]
    NoGroup(ByteString),
    /// A number that is no ID.
    #[error("user: \"{0}\" is not an ID (0 to 2147483647)")]
    Range(ByteString),
}

/// NGROUPS_MAX, setgroups(2).
const MAX_GROUPS: usize = 65536;

/// Finds `specification` (`user`, `user:group`, by name or number; empty is root).
pub fn find(specification: &[u8], passwd: &[u8], group: &[u8]) -> Result<User, UserError> {
    let (user, wanted_group) = match specification.iter().position(|&b| b == b':') {
        Some(at) => (&specification[..at], &specification[at + 1..]),
        None => (specification, &b""[..]),
    };
    let wanted = if user.is_empty() { Wanted::Id(0) } else { Wanted::parse(user)? };
    let entry = lines(passwd)
        .find_map(|line| Passwd::parse(line).filter(|entry| wanted.is(entry.name, entry.uid)));
    let mut found = match (&entry, wanted) {
        (Some(entry), _) => User {
            uid: entry.uid,
            gid: entry.gid,
            groups: Vec::new(),
            home: home(entry.home).into(),
        },
        (None, Wanted::Id(uid)) => User { uid, gid: 0, groups: Vec::new(), home: "/".into() },
        (None, Wanted::Name(name)) => return Err(UserError::NoUser(name.into())),
    };
    let mut supplementary = Vec::new();
    let mut known = lines(group).filter_map(Group::parse);
    if !wanted_group.is_empty() {
        let wanted = Wanted::parse(wanted_group)?;
        found.gid = match (known.find(|entry| wanted.is(entry.name, entry.gid)), wanted) {
            (Some(entry), _) => entry.gid,
            (None, Wanted::Id(gid)) => gid,
            (None, Wanted::Name(name)) => return Err(UserError::NoGroup(name.into())),
        };
    } else if let Some(entry) = entry {
        let mine = known
            .filter(|group| group.members.split(|&b| b == b',').any(|member| member == entry.name));
        supplementary = mine.map(|group| group.gid).filter(|&gid| gid != found.gid).collect();
    }
    found.groups = std::iter::once(found.gid).chain(supplementary).take(MAX_GROUPS).collect();
    Ok(found)
}

/// One half of a specification.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Id(u32),
    Name(&'a [u8]),
}

impl<'a> Wanted<'a> {
    /// All digits is an ID, whatever the files say.
    fn parse(text: &'a [u8]) -> Result<Self, UserError> {
        if !text.iter().all(u8::is_ascii_digit) {
            return Ok(Self::Name(text));
        }
        id(text).map(Self::Id).ok_or_else(|| UserError::Range(text.into()))
    }

    fn is(self, name: &[u8], id: u32) -> bool {
        match self {
            Self::Id(wanted) => wanted == id,
            Self::Name(wanted) => wanted == name,
        }
    }
}

/// A decimal ID. The upper half of the range holds -1, "no change" to the kernel.
fn id(text: &[u8]) -> Option<u32> {
    let number: u32 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (number <= i32::MAX as u32).then_some(number)
}

fn home(field: &[u8]) -> &[u8] {
    if field.is_empty() { b"/" } else { field }
}

fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file.split(|&b| b == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty() && line[0] != b'#')
}

/// passwd(5). A line that is not one is skipped, as getpwnam(3) does.
struct Passwd<'a> {
    name: &'a [u8],
    uid: u32,
    gid: u32,
    home: &'a [u8],
}

impl<'a> Passwd<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.split(|&b| b == b':');
        let (name, _password) = (fields.next()?, fields.next()?);
        let (uid, gid) = (id(fields.next()?)?, id(fields.next()?)?);
        let (_gecos, home) = (fields.next(), fields.next().unwrap_or_default());
        Some(Self { name, uid, gid, home })
    }
}

/// group(5).
struct Group<'a> {
    name: &'a [u8],
    gid: u32,
    members: &'a [u8],
}

impl<'a> Group<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.split(|&b| b == b':');
        let (name, _password) = (fields.next()?, fields.next()?);
        Some(Self { name, gid: id(fields.next()?)?, members: fields.next().unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests;
