mod dialects;
mod sparse;

use std::io::Read;

use proptest::prelude::*;

use super::*;

fn read_all(bytes: &[u8]) -> Result<Vec<(Member, Vec<u8>)>, TarError> {
    let mut reader = Reader::new(Stream(bytes));
    let mut members = Vec::new();
    while let Some(member) = reader.next_member()? {
        let mut data = Vec::new();
        reader.read_to_end(&mut data).map_err(|source| TarError::Io { offset: 0, source })?;
        members.push((member, data));
    }
    Ok(members)
}

/// A header with these fields, as another tar library writes it, and its data.
fn member(
    kind: tar::EntryType,
    name: &str,
    data: &[u8],
    change: impl FnOnce(&mut tar::Header),
) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_path(name).unwrap();
    header.set_size(data.len() as u64);
    header.set_mode(0o100_644);
    header.set_uid(3);
    header.set_gid(4);
    header.set_mtime(5);
    change(&mut header);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut text = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        // The length counts its own digits.
        let len = (rest + 1..).find(|len| len - rest == len.to_string().len()).unwrap();
        text.extend(format!("{len} {key}=").bytes());
        text.extend(*value);
        text.push(b'\n');
    }
    member(tar::EntryType::XHeader, "pax", &text, |_| {})
}

fn only(bytes: &[u8]) -> Member {
    let mut members = read_all(bytes).unwrap();
    assert_eq!(members.len(), 1);
    members.remove(0).0
}

#[test]
fn pax_records_go_before_the_header() {
    let long = "directory/".repeat(40);
    let mut bytes = pax(&[
        ("path", long.as_bytes()),
        ("uid", b"4294967294"),
        ("mtime", b"-1.25"),
        ("SCHILY.xattr.user.a", b"with = and \n and \xff"),
        ("SCHILY.xattr.user.empty", b""),
        ("comment", b"ignored"),
    ]);
    bytes.extend(member(tar::EntryType::Directory, "short", b"", |_| {}));
    let member = only(&bytes);
    assert_eq!(member.name, long.as_bytes());
    assert_eq!((member.uid, member.gid, member.mode), (u32::MAX - 1, 4, 0o644));
    assert_eq!(member.mtime, Time { seconds: -2, nanos: 750_000_000 });
    assert_eq!(member.xattrs[&b"user.a"[..]], b"with = and \n and \xff");
    assert_eq!(member.xattrs[&b"user.empty"[..]], b"");
}

fn global(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut global = pax(records);
    global[156] = b'g';
    let checksum = 148..156;
    global[checksum.clone()].fill(b' ');
    let sum: u32 = global[..512].iter().map(|&byte| u32::from(byte)).sum();
    global[checksum].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    global
}

#[test]
fn a_global_header_is_passed_over() {
    let link = |header: &mut tar::Header| header.set_link_name("a").unwrap();
    // Between a member's own records and the member as well, and as often as there are members.
    let bytes = [
        global(&[
            ("path", b"x"),
            ("linkpath", b"y"),
            ("size", b"9"),
            ("uid", b"7"),
            ("mtime", b"1"),
        ]),
        pax(&[("gid", b"9")]),
        global(&[("gid", b"8"), ("SCHILY.xattr.user.a", b"1"), ("GNU.sparse.major", b"1")])
            .repeat(20),
        member(tar::EntryType::Regular, "a", b"data", |_| {}),
        // Nobody looks at what it says.
        global(&[("uid", &[b'x'; 3000])]),
        member(tar::EntryType::Symlink, "b", b"", link),
    ];
    let mut broken = bytes.concat();
    broken[512..514].copy_from_slice(b"99");
    for bytes in [bytes.concat(), broken] {
        let members = read_all(&bytes).unwrap();
        let names: Vec<&[u8]> = members.iter().map(|(member, _)| &member.name[..]).collect();
        assert_eq!(names, [b"a", b"b"]);
        assert_eq!((&members[0].1[..], &members[1].0.link[..]), (&b"data"[..], &b"a"[..]));
        let owners =
            members.iter().map(|(member, _)| (member.uid, member.gid, member.mtime.seconds));
        assert_eq!(owners.collect::<Vec<_>>(), [(3, 9, 5), (3, 4, 5)]);
        assert!(members.iter().all(|(member, _)| member.xattrs.is_empty()));
    }
}

#[test]
fn gnu_long_names_and_base_256_numbers() {
    let mut builder = tar::Builder::new(Vec::new());
    let name = "n".repeat(300);
    let target = "t".repeat(200);
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    header.set_mode(0o777);
    header.set_uid(4_000_000_000);
    header.set_gid(0);
    header.set_mtime(1 << 40);
    builder.append_link(&mut header, &name, &target).unwrap();
    let member = only(&builder.into_inner().unwrap());
    assert_eq!((member.name, member.link), (name.into_bytes(), target.into_bytes()));
    assert_eq!((member.uid, member.mtime.seconds), (4_000_000_000, 1 << 40));
    assert_eq!(member.kind, Kind::Symlink);
}

#[test]
fn a_cut_stream_says_where() {
    let mut bytes = member(tar::EntryType::Regular, "large", &[1; 5000], |_| {});
    bytes.truncate(512 + 1000);
    let error = read_all(&bytes).unwrap_err();
    let TarError::Io { source, .. } = error else { panic!("{error}") };
    assert_eq!(
        source.to_string(),
        "cut short at byte 1512, in member 'large': at least 4000 bytes are missing"
    );
    // Passed over instead of read, and in the middle of a header.
    let mut reader = Reader::new(Stream(&bytes[..]));
    reader.next_member().unwrap();
    assert!(matches!(reader.next_member(), Err(TarError::Cut { offset: 1512, .. })));
    assert!(matches!(read_all(&bytes[..300]), Err(TarError::CutHeader { offset: 300 })));
}

#[test]
fn what_cannot_be_represented_is_refused() {
    let refused = |bytes: &[u8]| read_all(bytes).unwrap_err().to_string();
    let file = |change: fn(&mut tar::Header)| member(tar::EntryType::Regular, "f", b"", change);
    let number = |bytes: &mut tar::Header, at: usize, text: &[u8]| {
        bytes.as_mut_bytes()[at..at + text.len()].copy_from_slice(text);
    };
    assert!(refused(&file(|header| header.as_mut_bytes()[100] = b'9')).contains("mode"));
    // -1 is a number, but none of bytes.
    let uid = |header: &mut tar::Header| header.as_mut_bytes()[108..116].fill(0xbf);
    assert!(refused(&file(uid)).contains("member 'f' at byte 0: the header's uid"));
    let mut huge = file(|_| {});
    huge.splice(0..512, member(tar::EntryType::Regular, "f", b"", |h| number(h, 124, &[0xbf; 12])));
    assert!(refused(&huge).contains("size"));
    let mut sparse = pax(&[("GNU.sparse.major", b"1")]);
    sparse.extend(file(|_| {}));
    assert!(refused(&sparse).contains("sparse"));
    let mut broken = pax(&[("uid", b"1")]);
    broken[512..514].copy_from_slice(b"99");
    broken.extend(file(|_| {}));
    assert!(refused(&broken).contains("pax records at byte 0"));
    let mut many = Vec::new();
    (0..20).for_each(|_| many.extend(pax(&[("uid", b"1")])));
    assert!(refused(&many).contains("too many extension headers"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// A valid archive with a few bytes changed, and the checksums made right again, is read or refused; never more.
    #[test]
    fn mutated_archives_never_panic(
        changes in prop::collection::vec((0..6000usize, any::<u8>()), 0..40),
        cut in 0..8000usize,
    ) {
        let mut bytes = pax(&[("path", b"some/where"), ("SCHILY.xattr.user.a", b"value"), ("mtime", b"12.5")]);
        bytes.extend(member(tar::EntryType::Regular, "file", &[7; 1000], |_| {}));
        bytes.extend(member(tar::EntryType::Link, "link", b"", |header| header.set_link_name("file").unwrap()));
        bytes.extend(member(tar::EntryType::GNULongName, "l", b"a/long/name\0", |_| {}));
        bytes.extend(member(tar::EntryType::Symlink, "sym", b"", |header| header.set_link_name("/x").unwrap()));
        bytes.extend(member(tar::EntryType::Char, ".wh.dev", b"", |_| {}));
        bytes.extend([0; 1024]);
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        for record in bytes.chunks_exact_mut(512) {
            record[148..156].fill(b' ');
            let sum: u32 = record.iter().map(|&byte| u32::from(byte)).sum();
            record[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        bytes.truncate(cut);
        let _ = read_all(&bytes);
        // The whole way, through the tree to a file system.
        let mut reader = Reader::new(Stream(&bytes[..]));
        let mut meter = crate::layer::Meter::new(crate::layer::Limits::default());
        if let Ok(layer) = crate::layer::unpack_tar(&mut reader, Vec::new(), &mut meter) {
            let mut text = Vec::new();
            crate::layer::write_index(&layer, &mut text).unwrap();
            let layer = crate::layer::read_index(&text[..]).unwrap();
            let mut tree = crate::tree::Tree::default();
            if tree.lay_over(&layer.tree, 0).is_ok() {
                crate::erofs::metadata(&tree, &[layer.blob_len], [0; 16]).unwrap();
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let _ = read_all(&bytes);
    }
}
