//! pax records: `LENGTH KEY=VALUE\n`, repeated.

use std::collections::BTreeMap;

use super::Time;

/// The records that apply to one member. An empty value takes a record back.
#[derive(Clone, Default)]
pub struct Records(BTreeMap<Vec<u8>, Vec<u8>>);

/// The key under which star, GNU tar, docker and others keep an extended attribute.
const XATTR: &[u8] = b"SCHILY.xattr.";

impl Records {
    /// Add the records of `text`; the error says which record is broken.
    pub fn merge(&mut self, mut text: &[u8]) -> Result<(), String> {
        while !text.is_empty() {
            // Some writers pad the last record with NULs.
            if text.iter().all(|&byte| byte == 0) {
                break;
            }
            let (key, value, rest) =
                split_record(text).ok_or_else(|| format!("record {}", self.0.len()))?;
            // An attribute may well be empty; for a field, that means "as the header says".
            if value.is_empty() && !key.starts_with(XATTR) {
                self.0.remove(key);
            } else {
                self.0.insert(key.to_vec(), value.to_vec());
            }
            text = rest;
        }
        Ok(())
    }

    /// A value as bytes.
    pub fn take(&mut self, key: &str) -> Option<Vec<u8>> {
        self.0.remove(key.as_bytes())
    }

    /// A value as a decimal number.
    pub fn number<N: std::str::FromStr>(
        &self,
        key: &'static str,
    ) -> Result<Option<N>, &'static str> {
        let Some(value) = self.0.get(key.as_bytes()) else { return Ok(None) };
        let text = std::str::from_utf8(value).map_err(|_| key)?;
        text.parse().map(Some).map_err(|_| key)
    }

    /// A value as a time: decimal seconds, with any number of decimals, perhaps negative.
    pub fn time(&self, key: &'static str) -> Result<Option<Time>, &'static str> {
        let Some(value) = self.0.get(key.as_bytes()) else { return Ok(None) };
        parse_time(value).map(Some).ok_or(key)
    }

    /// Whether the records describe a sparse file in one of GNU's formats.
    pub fn sparse(&self) -> bool {
        self.0.keys().any(|key| key.starts_with(b"GNU.sparse."))
    }

    /// The extended attributes among the records.
    pub fn xattrs(&mut self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let records = std::mem::take(&mut self.0);
        let xattr = |(key, value): (Vec<u8>, Vec<u8>)| {
            key.strip_prefix(XATTR).map(|name| (name.to_vec(), value))
        };
        records.into_iter().filter_map(xattr).collect()
    }
}

/// The first record of `text`: key, value and what follows it.
fn split_record(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = text.iter().take(20).position(|&byte| byte == b' ')?;
    let len: usize = std::str::from_utf8(&text[..space]).ok()?.parse().ok()?;
    // The length counts itself, the space and the newline.
    let record = text.get(space + 1..len)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], &text[len..]))
}

fn parse_time(value: &[u8]) -> Option<Time> {
    let text = std::str::from_utf8(value).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let digits = &fraction[..fraction.len().min(9)];
    let nanos: u32 = format!("{digits:0<9}").parse().ok()?;
    // "-1.25" is 1.25 s before 1970: two seconds before, and 0.75 s on.
    if whole.starts_with('-') && nanos > 0 {
        return Some(Time { seconds: seconds.checked_sub(1)?, nanos: 1_000_000_000 - nanos });
    }
    Some(Time { seconds, nanos })
}
