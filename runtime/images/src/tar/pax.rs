//! pax records: `LENGTH KEY=VALUE\n`, repeated.

use std::collections::BTreeMap;

use super::header::Part;
use super::{Time, printable};

/// The records that apply to one member. An empty value takes a record back.
#[derive(Default)]
pub struct Records {
    own: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What `GNU.sparse.offset` and `GNU.sparse.numbytes` say, in turn, once for each part of a sparse file.
    parts: Vec<Vec<u8>>,
}

/// How a member's records describe a sparse file (GNU tar manual, "Storing Sparse Files").
pub enum SparseFormat {
    /// pax 0.0 and 0.1.
    InRecords { size: u64, parts: Vec<Part> },
    /// pax 1.0: the map comes before the data.
    InData { size: u64 },
}

/// The key under which star, GNU tar, docker and others keep an extended attribute.
const XATTR: &[u8] = b"SCHILY.xattr.";

impl Records {
    /// Add the records of `text`; the error says which record is broken.
    pub fn merge(&mut self, text: &[u8]) -> Result<(), String> {
        let (own, parts) = (&mut self.own, &mut self.parts);
        let mut is_in_turn = true;
        each_record(text, |key, value| {
            if key == b"GNU.sparse.offset" || key == b"GNU.sparse.numbytes" {
                is_in_turn &= parts.len().is_multiple_of(2) == (key == b"GNU.sparse.offset");
                parts.push(value.unwrap_or_default().to_vec());
            } else {
                match value {
                    Some(value) => drop(own.insert(key.to_vec(), value.to_vec())),
                    None => drop(own.remove(key)),
                }
            }
        })?;
        if is_in_turn {
            Ok(())
        } else {
            Err("the order of GNU.sparse.offset and GNU.sparse.numbytes".to_owned())
        }
    }

    fn get(&self, key: &str) -> Option<&[u8]> {
        self.own.get(key.as_bytes()).map(Vec::as_slice)
    }

    /// A value as bytes.
    pub fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        self.get(key).map(<[u8]>::to_vec)
    }

    /// A value as a decimal number.
    pub fn number<N: std::str::FromStr>(
        &self,
        key: &'static str,
    ) -> Result<Option<N>, &'static str> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let text = std::str::from_utf8(value).map_err(|_| key)?;
        text.parse().map(Some).map_err(|_| key)
    }

    /// A value as a time: decimal seconds, with any number of decimals, perhaps negative.
    pub fn time(&self, key: &'static str) -> Result<Option<Time>, &'static str> {
        let Some(value) = self.get(key) else { return Ok(None) };
        parse_time(value).map(Some).ok_or(key)
    }

    /// The sparse file that the records describe.
    pub fn sparse(&self) -> Result<Option<SparseFormat>, String> {
        let text = |key: &str| self.get(key);
        let number = |key: &str| match text(key) {
            Some(value) => number_of(value).map(Some).map_err(|why| format!("{key}: {why}")),
            None => Ok(None),
        };
        let (size, real_size) = (number("GNU.sparse.size")?, number("GNU.sparse.realsize")?);
        let size = size.or(real_size);
        let needed = || size.ok_or_else(|| "its length is not said".to_owned());
        match (text("GNU.sparse.major"), text("GNU.sparse.minor")) {
            (Some(b"1"), Some(b"0")) => return Ok(Some(SparseFormat::InData { size: needed()? })),
            (None, None) | (Some(b"0"), Some(b"0" | b"1")) => {}
            (major, minor) => {
                let shown = |part: Option<&[u8]>| printable(part.unwrap_or_default());
                return Err(format!("format '{}.{}' is not known", shown(major), shown(minor)));
            }
        }
        let map = text("GNU.sparse.map");
        if map.is_none() && self.parts.is_empty() && size.is_none() {
            return Ok(None);
        }
        let numbers: Vec<&[u8]> = match map {
            Some(map) => map.split(|&byte| byte == b',').collect(),
            None => self.parts.iter().map(Vec::as_slice).collect(),
        };
        let numbers: Vec<u64> = numbers.into_iter().map(number_of).collect::<Result<_, _>>()?;
        let (pairs, odd) = numbers.as_chunks::<2>();
        if !odd.is_empty() {
            return Err("its last part has no length".to_owned());
        }
        if let Some(count) =
            number("GNU.sparse.numblocks")?.filter(|&count| count != pairs.len() as u64)
        {
            return Err(format!("it has {} parts, GNU.sparse.numblocks says {count}", pairs.len()));
        }
        let parts = pairs.iter().map(|&[offset, len]| (offset, len)).collect();
        Ok(Some(SparseFormat::InRecords { size: needed()?, parts }))
    }

    /// The extended attributes among the records.
    pub fn xattrs(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let from = self.own.range(XATTR.to_vec()..);
        let found = from.map_while(|(key, value)| Some((key.strip_prefix(XATTR)?, value)));
        found.map(|(name, value)| (name.to_vec(), value.clone())).collect()
    }
}

/// A number of a sparse file's map.
fn number_of(text: &[u8]) -> Result<u64, String> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| format!("'{}' is not a number in range", printable(text)))
}

/// Hand over each record of `text`: its key, and its value unless it takes a record back.
fn each_record(mut text: &[u8], mut take: impl FnMut(&[u8], Option<&[u8]>)) -> Result<(), String> {
    let mut number = 0;
    // Some writers pad the last record with NULs.
    while !text.iter().all(|&byte| byte == 0) {
        let (key, value, rest) = split_record(text).ok_or_else(|| format!("record {number}"))?;
        // An attribute may well be empty; for a field, that means "as the header says".
        let is_taken_back = value.is_empty() && !key.starts_with(XATTR);
        take(key, (!is_taken_back).then_some(value));
        text = rest;
        number += 1;
    }
    Ok(())
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
