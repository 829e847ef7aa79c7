//! Sparse files, in each of GNU tar's four formats.

use super::header::Part;
use super::*;
use crate::layer::{LayerError, Limits, Meter, unpack_tar};

const FORMATS: [&str; 4] = ["gnu", "0.0", "0.1", "1.0"];

/// A sparse file `opt/holes` with these parts, and all their bytes one behind the other.
fn sparse(format: &str, size: u64, parts: &[Part], data: &[u8]) -> Vec<u8> {
    let numbers: Vec<String> =
        parts.iter().flat_map(|(offset, len)| [offset.to_string(), len.to_string()]).collect();
    let (count, size_text) = (parts.len().to_string(), size.to_string());
    let file = |name: &str, data: &[u8]| member(tar::EntryType::Regular, name, data, |_| {});
    let name = ("GNU.sparse.name", &b"opt/holes"[..]);
    let size_of = ("GNU.sparse.size", size_text.as_bytes());
    let count_of = ("GNU.sparse.numblocks", count.as_bytes());
    match format {
        "gnu" => old_gnu(size, parts, data),
        "0.0" => {
            let mut records = vec![size_of, count_of];
            for (index, number) in numbers.iter().enumerate() {
                let key = ["GNU.sparse.offset", "GNU.sparse.numbytes"][index % 2];
                records.push((key, number.as_bytes()));
            }
            [pax(&records), file("opt/holes", data)].concat()
        }
        "0.1" => {
            let map = numbers.join(",");
            let records = [name, size_of, count_of, ("GNU.sparse.map", map.as_bytes())];
            // Without parts there is no list of them.
            let records = if parts.is_empty() { &records[..3] } else { &records[..] };
            [pax(records), file("opt/GNUSparseFile.7/holes", data)].concat()
        }
        _ => {
            let mut map = format!("{count}\n").into_bytes();
            numbers.iter().for_each(|number| map.extend(format!("{number}\n").bytes()));
            map.resize(map.len().next_multiple_of(512), 0);
            map.extend(data);
            let (major, minor) = (("GNU.sparse.major", &b"1"[..]), ("GNU.sparse.minor", &b"0"[..]));
            let records = [major, minor, name, ("GNU.sparse.realsize", size_text.as_bytes())];
            [pax(&records), file("opt/GNUSparseFile.7/holes", &map)].concat()
        }
    }
}

fn old_gnu(size: u64, parts: &[Part], data: &[u8]) -> Vec<u8> {
    let number = |number: u64| match number < 1 << 33 {
        true => format!("{number:011o}\0").into_bytes(),
        false => [&[0x80, 0, 0, 0][..], &number.to_be_bytes()].concat(),
    };
    let table = |parts: &[Part]| -> Vec<u8> {
        parts.iter().flat_map(|&(offset, len)| [number(offset), number(len)].concat()).collect()
    };
    let (first, more) = parts.split_at(parts.len().min(4));
    let mut bytes = member(tar::EntryType::new(b'S'), "opt/holes", b"", |header| {
        let bytes = header.as_mut_bytes();
        bytes[257..265].copy_from_slice(b"ustar  \0");
        bytes[124..136].copy_from_slice(&number(data.len() as u64));
        let first = table(first);
        bytes[386..386 + first.len()].copy_from_slice(&first);
        bytes[482] = u8::from(!more.is_empty());
        bytes[483..495].copy_from_slice(&number(size));
    });
    let mut records = more.chunks(21).peekable();
    while let Some(parts) = records.next() {
        let mut record = table(parts);
        record.resize(512, 0);
        record[504] = u8::from(records.peek().is_some());
        bytes.extend(record);
    }
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn after() -> Vec<u8> {
    member(tar::EntryType::Regular, "after", b"next", |_| {})
}

fn expanded(size: u64, parts: &[Part], mut data: &[u8]) -> Vec<u8> {
    let mut file = vec![0; size as usize];
    for &(offset, len) in parts {
        let (part, rest) = data.split_at(len as usize);
        file[offset as usize..][..len as usize].copy_from_slice(part);
        data = rest;
    }
    file
}

#[test]
fn holes_are_expanded() {
    let many: Vec<Part> = (0..60).map(|number| (number * 1000, 3)).collect();
    let cases: [(u64, &[Part]); 5] = [
        (1 << 20, &[(524_288, 512), (1 << 20, 0)]),
        (10_000, &[(0, 100), (100, 50), (9_999, 1)]),
        (5000, &[]),
        (0, &[]),
        (60_000, &many),
    ];
    for (size, parts) in cases {
        let len: u64 = parts.iter().map(|(_, len)| len).sum();
        let data: Vec<u8> = (0..len).map(|byte| byte as u8 | 1).collect();
        for format in FORMATS {
            let bytes = [sparse(format, size, parts, &data), after()].concat();
            let members = read_all(&bytes).unwrap();
            let (member, file) = &members[0];
            assert_eq!(member.name, b"opt/holes", "{format}");
            assert_eq!((member.kind, member.size), (Kind::File, size), "{format}");
            assert!(*file == expanded(size, parts, &data), "{format}: {size} bytes");
            assert_eq!((&members[1].0.name[..], &members[1].1[..]), (&b"after"[..], &b"next"[..]));
            // Passed over instead of read.
            let mut reader = Reader::new(Stream(&bytes[..]));
            reader.next_member().unwrap();
            assert_eq!(reader.next_member().unwrap().unwrap().name, b"after", "{format}");
        }
    }
}

#[test]
fn a_map_that_makes_no_sense_is_refused_by_name() {
    let cases: [(u64, &[Part], &str); 5] = [
        (100, &[(90, 11)], "11 bytes at 90 are not behind the part before, in a file of 100 bytes"),
        (100, &[(10, 5), (14, 6)], "6 bytes at 14 are not behind the part before"),
        (100, &[(10, 5), (0, 6)], "6 bytes at 0 are not behind the part before"),
        (100, &[(0, 10)], "its parts have 10 bytes, and the archive has 11"),
        (u64::MAX, &[(0, 11)], "18446744073709551615 bytes are more than a file can have"),
    ];
    for (size, parts, message) in cases {
        for format in FORMATS {
            let error = read_all(&sparse(format, size, parts, &[1; 11])).unwrap_err().to_string();
            let name = "member 'opt/holes' at byte ";
            assert!(error.contains(name) && error.contains(message), "{format}: {error}");
        }
    }
    let refused = |records: &[(&str, &[u8])], data: &[u8]| {
        let file = member(tar::EntryType::Regular, "f", data, |_| {});
        read_all(&[pax(records), file].concat()).unwrap_err().to_string()
    };
    let (major, minor) = (("GNU.sparse.major", &b"1"[..]), ("GNU.sparse.minor", &b"0"[..]));
    let size = ("GNU.sparse.realsize", &b"9"[..]);
    for (records, data, message) in [
        (vec![("GNU.sparse.major", &b"2"[..]), minor], &b""[..], "format '2.0' is not known"),
        (vec![major, minor], b"", "its length is not said"),
        (vec![major, minor, size], b"1\n0\n", "its map is longer than its data"),
        (vec![major, minor, size], &[b'1'; 512], "its map is not of numbers"),
        (vec![major, minor, ("GNU.sparse.realsize", b"-1")], b"", "'-1' is not a number in range"),
        (vec![("GNU.sparse.map", b"0"), size], b"", "its last part has no length"),
        (vec![("GNU.sparse.map", b"0,x"), size], b"", "'x' is not a number in range"),
        (
            vec![("GNU.sparse.numblocks", b"2"), ("GNU.sparse.map", b"0,0"), size],
            b"",
            "has 1 parts",
        ),
        (vec![("GNU.sparse.numbytes", b"1"), size], b"", "the order of GNU.sparse.offset"),
    ] {
        let error = refused(&records, data);
        assert!(error.contains(message), "{error}");
    }
    let mut many = b"1048577\n".to_vec();
    many.resize(512, b'\n');
    assert!(refused(&[major, minor, size], &many).contains("the limit is 1048576"));
}

#[test]
fn exabytes_of_zeros_cost_nothing() {
    let exabytes = i64::MAX as u64;
    for format in FORMATS {
        let bytes = sparse(format, exabytes, &[(exabytes - 3, 3)], b"end");
        let mut reader = Reader::new(Stream(&bytes[..]));
        let mut meter = Meter::new(Limits::default());
        let error = unpack_tar(&mut reader, Vec::new(), &mut meter).unwrap_err();
        let LayerError::Limit { entry, .. } = &error else { panic!("{error}") };
        assert_eq!(entry, "opt/holes");
        let mut reader = Reader::new(Stream(&bytes[..]));
        assert_eq!(reader.next_member().unwrap().unwrap().size, exabytes);
        assert!(reader.next_member().unwrap().is_none());
    }
}

#[test]
fn holes_are_not_written_to_the_disk() {
    use std::os::unix::fs::MetadataExt;
    let size = 20 << 30;
    let bytes = sparse("1.0", size, &[(size / 2, 3)], b"mid");
    let file = tempfile::tempfile().unwrap();
    let mut meter = Meter::new(Limits::default());
    let out = io::BufWriter::new(crate::holes::Holes::new(&file));
    let layer = unpack_tar(&mut Reader::new(Stream(&bytes[..])), out, &mut meter).unwrap();
    assert_eq!((layer.blob_len, file.metadata().unwrap().len()), (size, size));
    // st_blocks counts 512 bytes (stat(2)).
    assert!(file.metadata().unwrap().blocks() * 512 < 1 << 20);
    let mut middle = [0; 3];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut middle, size / 2).unwrap();
    assert_eq!(&middle, b"mid");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_parts_are_where_they_belong(
        gaps in prop::collection::vec((0u64..2000, 0u64..700), 0..50),
        end in 0u64..2000,
        cut in any::<prop::sample::Index>(),
    ) {
        let (mut parts, mut at) = (Vec::new(), 0);
        for (gap, len) in gaps {
            parts.push((at + gap, len));
            at += gap + len;
        }
        let len: u64 = parts.iter().map(|(_, len)| len).sum();
        let data: Vec<u8> = (0..len).map(|byte| (byte % 251) as u8 + 1).collect();
        for format in FORMATS {
            let bytes = sparse(format, at + end, &parts, &data);
            let members = read_all(&bytes).unwrap();
            prop_assert!(members[0].1 == expanded(at + end, &parts, &data), "{}", format);
            let _ = read_all(&bytes[..cut.index(bytes.len())]);
        }
    }
}
