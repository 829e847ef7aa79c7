//! Extended attributes, stored right behind their inode.

use std::collections::BTreeMap;

use zerocopy::IntoBytes;
use zerocopy::little_endian::U16;

use super::format::{XattrEntry, XattrHeader};

/// Name spaces and their numbers (`EROFS_XATTR_INDEX_*`). The two ACL names are complete: nothing follows.
const PREFIXES: [(&[u8], u8); 5] = [
    (b"system.posix_acl_access", 2),
    (b"system.posix_acl_default", 3),
    (b"user.", 1),
    (b"trusted.", 4),
    (b"security.", 6),
];

/// The number of the name's space and the rest of the name; `None` for a space that EROFS does not have.
pub fn prefix(name: &[u8]) -> Option<(u8, &[u8])> {
    PREFIXES.iter().find_map(|&(prefix, index)| {
        let rest = name.strip_prefix(prefix)?;
        (prefix.ends_with(b".") != rest.is_empty()).then_some((index, rest))
    })
}

/// The attributes as they stand behind the inode: nothing at all when there are none.
pub fn body(xattrs: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
    if xattrs.is_empty() {
        return Vec::new();
    }
    let mut body = XattrHeader::default().as_bytes().to_vec();
    for (name, value) in xattrs {
        // Names without a prefix were left out when the layer was read.
        let Some((e_name_index, name)) = prefix(name) else { continue };
        let e_value_size = U16::new(value.len() as u16);
        body.extend(
            XattrEntry { e_name_len: name.len() as u8, e_name_index, e_value_size }.as_bytes(),
        );
        body.extend(name);
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    body
}

/// `i_xattr_icount` for a body of this length: the header counts as one, then one for every four bytes.
pub fn icount(body: &[u8]) -> u16 {
    match body.len() {
        0 => 0,
        len => (1 + (len - size_of::<XattrHeader>()) / 4) as u16,
    }
}
