//! pax records: `LENGTH KEY=VALUE\n`, repeated.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Time;

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
        Records { global: self.clone(), own: BTreeMap::new() }
    }
}

/// The records that apply to one member. An empty value takes a record back.
pub struct Records {
    global: Global,
    /// What its own extension header says; `None` is taken back.
    own: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

/// The key under which star, GNU tar, docker and others keep an extended attribute.
const XATTR: &[u8] = b"SCHILY.xattr.";

impl Records {
    /// Add the records of `text`; the error says which record is broken.
    pub fn merge(&mut self, text: &[u8]) -> Result<(), String> {
        let own = &mut self.own;
        each_record(text, |key, value| drop(own.insert(key.to_vec(), value.map(<[u8]>::to_vec))))
    }

    /// Other global records, which came after the member's own.
    pub fn set_global(&mut self, global: &Global) {
        self.global = global.clone();
    }

    fn get(&self, key: &[u8]) -> Option<&[u8]> {
        match self.own.get(key) {
            Some(own) => own.as_deref(),
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

    /// Whether the records describe a sparse file in one of GNU's formats.
    pub fn sparse(&self) -> bool {
        self.starting_with(b"GNU.sparse.").next().is_some()
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
