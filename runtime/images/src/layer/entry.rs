//! Checks that every entry passes, whether it comes from a tar or from a directory.

use std::collections::BTreeMap;

use crate::tree::Meta;

/// The longest value of an extended attribute that EROFS can hold (`e_value_size` has 16 bits).
const MAX_XATTR_VALUE: usize = u16::MAX as usize;

/// The longest name of an extended attribute (Linux `XATTR_NAME_MAX`).
const MAX_XATTR_NAME: usize = 255;

/// All of an inode's attributes have to fit behind it (`i_xattr_icount` counts 4-byte units in 16 bits).
const MAX_XATTRS: usize = 4 * (u16::MAX as usize - 64);

/// The largest device numbers that Linux encodes in 32 bits (`new_encode_dev`).
const MAX_MAJOR: u32 = 0xfff;
const MAX_MINOR: u32 = 0xf_ffff;

/// The attributes that a guest shall see.
///
/// `trusted.overlay.*` and `user.overlay.*` are an overlay's own bookkeeping: from an image they would steer the
/// guest's overlay, so they are left out, as are name spaces that EROFS does not know.
pub fn keep_xattrs(xattrs: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> Result<(), String> {
    const OVERLAY: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];
    xattrs.retain(|name, _| {
        crate::erofs::xattr_prefix(name).is_some()
            && !OVERLAY.iter().any(|prefix| name.starts_with(prefix))
    });
    let mut total = 0;
    for (name, value) in xattrs.iter() {
        if name.len() > MAX_XATTR_NAME || value.len() > MAX_XATTR_VALUE {
            return Err(format!(
                "an extended attribute has {} bytes of name and {} of value; the limits are {MAX_XATTR_NAME} and \
                 {MAX_XATTR_VALUE}",
                name.len(),
                value.len()
            ));
        }
        total += 8 + name.len() + value.len();
    }
    if total > MAX_XATTRS {
        return Err(format!(
            "its extended attributes take {total} bytes; the limit is {MAX_XATTRS}"
        ));
    }
    Ok(())
}

/// Device numbers that Linux can hold.
pub fn check_device(major: u32, minor: u32) -> Result<(), String> {
    if major > MAX_MAJOR || minor > MAX_MINOR {
        return Err(format!(
            "the device number {major}:{minor} is too large; the limits are {MAX_MAJOR}:{MAX_MINOR}"
        ));
    }
    Ok(())
}

/// How much memory an entry's text takes.
pub fn metadata_len(name: &[u8], link: &[u8], meta: &Meta) -> usize {
    let xattrs: usize = meta.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
    name.len() + link.len() + xattrs
}
