//! Sparse files as GNU tar itself writes them.

// As other rooms call it: they share what is common.
extern crate bulkhead_images as images;

mod common;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;

use common::{have, text, tool};
use images::tar::{Kind, Reader, Seekable, Stream};

#[test]
fn what_gnu_tar_packs_is_what_was_there() {
    if !have("what_gnu_tar_packs_is_what_was_there", &["tar"]) {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join(name);
    fs::create_dir(path("root")).unwrap();
    // Holes at the start, between more parts than a header has places for, and at the end; and nothing but a hole.
    let file = File::create(path("root/holes")).unwrap();
    for part in 1..40u64 {
        let data: Vec<u8> = (0..5000).map(|byte| (byte % 251) as u8 + 1).collect();
        file.write_all_at(&data[..5000 - part as usize], part << 18).unwrap();
    }
    file.set_len(12 << 20).unwrap();
    File::create(path("root/nothing")).unwrap().set_len(1 << 20).unwrap();
    fs::write(path("root/plain"), "plain").unwrap();
    let formats: [&[&str]; 4] = [
        &["--format=gnu"],
        &["--format=posix", "--sparse-version=0.0"],
        &["--format=posix", "--sparse-version=0.1"],
        &["--format=posix", "--sparse-version=1.0"],
    ];
    for format in formats {
        let archive = path("archive.tar");
        let root = path("root");
        let arguments = ["--sparse", "-C", text(&root), "-cf", text(&archive)];
        tool("tar", &[format, &arguments, &["holes", "nothing", "plain"]].concat());
        let packed = fs::read(&archive).unwrap();
        assert!(packed.len() < 1 << 20, "{format:?}: {} bytes", packed.len());
        let mut streamed = Reader::new(Stream(&packed[..]));
        let mut jumped = Reader::new(Seekable::new(File::open(&archive).unwrap()).unwrap());
        for name in ["holes", "nothing", "plain"] {
            let member = streamed.next_member().unwrap().unwrap();
            assert_eq!(
                (&member.name[..], member.kind),
                (name.as_bytes(), Kind::File),
                "{format:?}"
            );
            let mut data = Vec::new();
            streamed.read_to_end(&mut data).unwrap();
            assert!(data == fs::read(root.join(name)).unwrap(), "{format:?}: {name}");
            assert_eq!(jumped.next_member().unwrap(), Some(member), "{format:?}");
        }
        assert!(streamed.next_member().unwrap().is_none() && streamed.ended());
        assert!(jumped.next_member().unwrap().is_none() && jumped.ended());
    }
}
