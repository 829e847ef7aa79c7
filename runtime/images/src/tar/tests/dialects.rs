//! What old and odd writers make, and Go's archive/tar reads.

use super::*;

/// A header with these fields of a tar of 1979: no magic, and nothing behind the link's name.
fn v7(name: &str, type_flag: u8, link: &str) -> Vec<u8> {
    member(tar::EntryType::new(type_flag), "x", b"", |header| {
        let bytes = header.as_mut_bytes();
        bytes[..100].fill(0);
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes[157..157 + link.len()].copy_from_slice(link.as_bytes());
        // The library writes '0' for a file.
        bytes[156] = type_flag;
        bytes[257..].fill(0);
    })
}

fn changed(change: impl FnOnce(&mut [u8; 512])) -> Member {
    only(&member(tar::EntryType::Regular, "name", b"", |header| change(header.as_mut_bytes())))
}

#[test]
fn a_tar_of_1979() {
    assert_eq!(only(&v7("dir/", 0, "")).kind, Kind::Directory);
    assert_eq!(only(&v7("file", 0, "")).kind, Kind::File);
    let link = only(&v7("link", b'1', "/dir/file"));
    assert_eq!((link.kind, &link.link[..]), (Kind::HardLink, &b"/dir/file"[..]));
    assert_eq!(only(&v7("link", b'2', "x")).kind, Kind::Symlink);
    // What is behind the fields of then is none of a prefix.
    let mut bytes = v7("file", 0, "");
    bytes[345..350].fill(b'p');
    bytes[148..156].fill(b' ');
    let sum: u32 = bytes.iter().map(|&byte| u32::from(byte)).sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert_eq!(only(&bytes).name, b"file");
}

#[test]
fn prefixes_of_ustar_of_star_and_of_docker_before_2017() {
    let prefix = |header: &mut [u8; 512], len: usize| header[345..345 + len].fill(b'p');
    let long = |len: usize| format!("{}/name", "p".repeat(len)).into_bytes();
    assert_eq!(changed(|header| prefix(header, 155)).name, long(155));
    let star = changed(|header| {
        prefix(header, 131);
        header[476..488].copy_from_slice(b"00000000001\0");
        header[508..].copy_from_slice(b"tar\0");
    });
    assert_eq!(star.name, long(131));
    let gnu = |header: &mut [u8; 512]| header[257..265].copy_from_slice(b"ustar  \0");
    assert_eq!(changed(|header| (gnu(header), prefix(header, 40)).1).name, long(40));
    let times = changed(|header| {
        gnu(header);
        header[345..357].copy_from_slice(b"14000000000\0");
        header[357..369].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    });
    assert_eq!(times.name, b"name");
}

#[test]
fn numbers_in_every_way_of_writing_them() {
    let mtime = |field: &[u8; 12]| {
        let field = *field;
        changed(move |header| header[136..148].copy_from_slice(&field)).mtime.seconds
    };
    assert_eq!(mtime(b"00000000017\0"), 15);
    assert_eq!(mtime(b"         17 "), 15);
    assert_eq!(mtime(b"17\0garbage!!"), 15);
    assert_eq!(mtime(b"\0\0\0\0\0\0\0\0\0\x0017"), 15);
    assert_eq!(mtime(&[0; 12]), 0);
    assert_eq!(mtime(&[b' '; 12]), 0);
    assert_eq!(mtime(&[0xff; 12]), -1);
    assert_eq!(mtime(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0]), -512);
    assert_eq!(mtime(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]), 256);
    let uid = changed(|header| {
        header[108..116].copy_from_slice(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe])
    });
    assert_eq!(uid.uid, u32::MAX - 1);
}

#[test]
fn only_files_have_data() {
    let sized = |kind| member(kind, "name", b"", |header| header.set_size(4096));
    for kind in [
        tar::EntryType::Directory,
        tar::EntryType::Link,
        tar::EntryType::Symlink,
        tar::EntryType::Fifo,
        tar::EntryType::Char,
    ] {
        let members = read_all(&[sized(kind), sized(kind)].concat()).unwrap();
        assert!(members.iter().all(|(member, _)| member.size == 0), "{kind:?}");
    }
    // pax records give a link a size too, when its writer knows the file's.
    let link = [pax(&[("size", b"4096")]), sized(tar::EntryType::Link)].concat();
    assert_eq!(only(&link).size, 0);
}

#[test]
fn a_contiguous_file_is_a_file_and_what_nobody_knows_is_refused() {
    let contiguous = member(tar::EntryType::Continuous, "name", b"data", |_| {});
    let members = read_all(&contiguous).unwrap();
    assert_eq!((members[0].0.kind, &members[0].1[..]), (Kind::File, &b"data"[..]));
    // Volume labels, parts of volumes, lists of folders, Solaris' access lists: docker takes none of them.
    for flag in *b"VMDNAX8z" {
        let error = read_all(&member(tar::EntryType::new(flag), "name", b"", |_| {})).unwrap_err();
        let flag = char::from(flag);
        assert_eq!(
            error.to_string(),
            format!("member 'name' at byte 0 has the unknown type '{flag}'")
        );
    }
}

#[test]
fn a_file_whose_name_ends_with_a_slash() {
    let file = |kind: u8, data: &[u8]| {
        let bytes = member(tar::EntryType::Regular, "dir/", data, |header| {
            header.as_mut_bytes()[156] = kind
        });
        let after = member(tar::EntryType::Regular, "after", b"", |_| {});
        read_all(&[bytes, after].concat())
            .map(|members| (members[0].0.kind, members[0].1.clone(), members.len()))
    };
    assert_eq!(file(0, b"").unwrap(), (Kind::Directory, vec![], 2));
    assert_eq!(file(b'0', b"").unwrap(), (Kind::Directory, vec![], 2));
    // To take it for a folder would be to take its data for a header.
    assert_eq!(file(b'0', b"data").unwrap(), (Kind::File, b"data".to_vec(), 2));
}

#[test]
fn nobody_is_a_number_below_zero() {
    let uid = |text: &[u8]| {
        only(&[pax(&[("uid", text)]), member(tar::EntryType::Regular, "f", b"", |_| {})].concat())
            .uid
    };
    assert_eq!((uid(b"-2"), uid(b"4294967294")), (u32::MAX - 1, u32::MAX - 1));
    // To chown(2), that is nobody's number.
    assert_eq!((uid(b"-1"), uid(b"4294967295")), (0, 0));
    let field =
        |bytes: [u8; 8]| changed(move |header| header[116..124].copy_from_slice(&bytes)).gid;
    assert_eq!(
        (field([0xff; 8]), field([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe])),
        (0, u32::MAX - 1)
    );
    assert_eq!(changed(|header| header[100..108].copy_from_slice(&[0xff; 8])).mode, 0o7777);
}

#[test]
fn of_a_long_name_and_a_path_gnus_counts() {
    let bytes = [
        pax(&[("path", b"of pax"), ("linkpath", b"pax target")]),
        member(tar::EntryType::GNULongName, "l", b"of GNU\0ignored", |_| {}),
        member(tar::EntryType::Symlink, "short", b"", |header| header.set_link_name("x").unwrap()),
    ];
    let member = only(&bytes.concat());
    assert_eq!((&member.name[..], &member.link[..]), (&b"of GNU"[..], &b"pax target"[..]));
}

#[test]
fn an_end_is_two_records_one_or_none_and_nothing_behind_it_counts() {
    let file = member(tar::EntryType::Regular, "name", b"data", |_| {});
    for (end, is_marked) in
        [(vec![], false), (vec![0; 512], true), (vec![0; 1024], true), (vec![0; 10240], true)]
    {
        for garbage in [&b""[..], b"garbage"] {
            if end.len() < 1024 && !garbage.is_empty() {
                continue;
            }
            let bytes = [&file[..], &end, garbage].concat();
            let mut reader = Reader::new(Stream(&bytes[..]));
            assert_eq!(reader.next_member().unwrap().unwrap().name, b"name");
            assert!(reader.next_member().unwrap().is_none());
            assert_eq!(reader.ended(), is_marked, "{} bytes", end.len());
        }
    }
    // What follows one alone would get lost.
    for rest in [&file[..], b"garbage", &[0, 0, 1]] {
        let error = read_all(&[&file[..], &[0; 512], rest].concat()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a record of zeros at byte 1024 ends the archive, and more follows it"
        );
    }
    assert_eq!(read_all(&[&file[..], &[0; 700]].concat()).unwrap().len(), 1);
    // Nothing at all is an archive too.
    assert!(read_all(b"").unwrap().is_empty() && read_all(&[0; 1024]).unwrap().is_empty());
    // The last one's padding may be missing.
    assert_eq!(read_all(&file[..516]).unwrap()[0].1, b"data");
}

#[test]
fn times_with_any_number_of_decimals() {
    let time = |text: &str| {
        let file = member(tar::EntryType::Regular, "f", b"", |_| {});
        only(&[pax(&[("mtime", text.as_bytes())]), file].concat()).mtime
    };
    let at = |seconds, nanos| Time { seconds, nanos };
    assert_eq!(time("1700000000"), at(1_700_000_000, 0));
    assert_eq!(time("1700000000."), at(1_700_000_000, 0));
    assert_eq!(time("1700000000.5"), at(1_700_000_000, 500_000_000));
    assert_eq!(time("1700000000.1234567899999"), at(1_700_000_000, 123_456_789));
    assert_eq!(time("-0.25"), at(-1, 750_000_000));
    assert_eq!(time("-1"), at(-1, 0));
}
