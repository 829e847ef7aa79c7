//! pax records: `LENGTH KEY=VALUE\n`, repeated.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::header::Part;
use super::{Time, printable};

/// Values by key.
type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Records that apply to all members from here on: shared with each, never copied for one.
#[derive(Clone, Default)]
pub struct Global(Arc<Map>);

impl Global {
    /// Add the records of `text`; the error says which record is broken.
    pub fn merge(&mut self, text: &[u8]) -> Result<(), String> {
        let map = Arc::make_mut(&mut self.0);
        each_record(text, |key, value| match value {
            Some(value) => drop(map.insert(key.to_vec(), value.to_vec())),
            None => drop(map.remove(key)),
        })
    }

    /// How many bytes it holds.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum()
    }

    /// The records of a member that has none of its own yet.
    pub fn records(&self) -> Records {
        Records { global: self.clone(), own: BTreeMap::new(), parts: Vec::new() }
    }
}

/// The records that apply to one member. An empty value takes a record back.
pub struct Records {
    global: Global,
    /// What its own extension header says; `None` is taken back.
    own: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
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

/// What a global header cannot say: no two members share it. (docker takes no global record at all.)
const OF_ONE: [&[u8]; 4] = [b"path", b"linkpath", b"size", b"GNU.sparse.name"];

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
                own.insert(key.to_vec(), value.map(<[u8]>::to_vec));
            }
        })?;
        if is_in_turn {
            Ok(())
        } else {
            Err("the order of GNU.sparse.offset and GNU.sparse.numbytes".to_owned())
        }
    }

    /// Other global records, which came after the member's own.
    pub fn set_global(&mut self, global: &Global) {
        self.global = global.clone();
    }

    fn get(&self, key: &[u8]) -> Option<&[u8]> {
        match self.own.get(key) {
            Some(own) => own.as_deref(),
            None if OF_ONE.contains(&key) => None,
            None => self.global.0.get(key).map(Vec::as_slice),
        }
    }

    /// A value as bytes.
    pub fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        self.get(key.as_bytes()).map(<[u8]>::to_vec)
    }

    /// A value as a decimal number.
    pub fn number<N: std::str::FromStr>(
        &self,
        key: &'static str,
    ) -> Result<Option<N>, &'static str> {
        let Some(value) = self.get(key.as_bytes()) else { return Ok(None) };
        let text = std::str::from_utf8(value).map_err(|_| key)?;
        text.parse().map(Some).map_err(|_| key)
    }

    /// A value as a time: decimal seconds, with any number of decimals, perhaps negative.
    pub fn time(&self, key: &'static str) -> Result<Option<Time>, &'static str> {
        let Some(value) = self.get(key.as_bytes()) else { return Ok(None) };
        parse_time(value).map(Some).ok_or(key)
    }

    /// The sparse file that the records describe; they have to be the member's own.
    pub fn sparse(&self) -> Result<Option<SparseFormat>, String> {
        let text = |key: &str| self.own.get(key.as_bytes()).and_then(Option::as_deref);
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
        let xattr = |(key, value): (&[u8], &[u8])| (key[XATTR.len()..].to_vec(), value.to_vec());
        self.starting_with(XATTR).map(xattr).collect()
    }

    /// The records whose keys start so; the other global ones are not looked at.
    fn starting_with<'a>(
        &'a self,
        start: &'static [u8],
    ) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let from = start.to_vec();
        let global = self.global.0.range(from.clone()..).map(|(key, _)| key.as_slice());
        let global = global.take_while(move |key| key.starts_with(start));
        let global = global.filter(|key| !self.own.contains_key(*key));
        let own = self.own.range(from..).map(|(key, _)| key.as_slice());
        let own = own.take_while(move |key| key.starts_with(start));
        global.chain(own).filter_map(|key| Some((key, self.get(key)?)))
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
