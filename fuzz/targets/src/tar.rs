//! Tar streams, which come from whoever made an image.

use std::io::Read;

use images::limits;
use images::tar::{Kind, Member, RECORD, Reader, Seekable, Source, Stream};

use crate::files::file;
use crate::kernel::check_refusal;

/// How much of a member is read: more than an input has.
const MOST: u64 = 1 << 20;

/// An archive as it is, and with its checksums put right.
pub fn tar(bytes: &[u8]) {
    for bytes in [bytes, &sealed(bytes)] {
        read_both_ways(bytes);
    }
}

/// The same archive with the right checksums, which the fuzzer can't compute: all that it changes in a header would be
/// refused for that. A header is what has the magic of one (POSIX.1-2001 pax, "ustar Interchange Format").
pub fn sealed(bytes: &[u8]) -> Vec<u8> {
    let (checksum, magic) = (148..156, 257..262);
    let mut archive = bytes.to_vec();
    for record in archive.chunks_exact_mut(RECORD as usize) {
        if record[magic.clone()] == *b"ustar" {
            record[checksum.clone()].fill(b' ');
            let sum: u32 = record.iter().map(|&byte| u32::from(byte)).sum();
            record[checksum.clone()].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    archive
}

/// On and on, and jumping from header to header.
fn read_both_ways(bytes: &[u8]) {
    let streamed = members(Reader::new(Stream(bytes)), bytes.len(), true);
    let jumped =
        members(Reader::new(Seekable::new(file(bytes)).expect("a file")), bytes.len(), false);
    let read = members(Reader::new(Seekable::new(file(bytes)).expect("a file")), bytes.len(), true);
    assert_eq!(streamed, read);
    assert_eq!(streamed.0, jumped.0);
}

/// All members up to the first error or the end, with their data, and whether the end was marked.
type Members = (Vec<Member>, Vec<Vec<u8>>, bool, bool);

fn members<S: Source>(mut reader: Reader<S>, len: usize, reads: bool) -> Members {
    let (mut members, mut contents) = (Vec::new(), Vec::new());
    let is_whole = loop {
        let before = reader.offset();
        match reader.next_member() {
            Ok(Some(member)) => {
                assert!(reader.offset() > before, "each member takes a record");
                check(&member);
                members.push(member);
            }
            Ok(None) => break true,
            Err(error) => {
                check_refusal(&error);
                break false;
            }
        }
        if reads {
            let mut data = Vec::new();
            // Not all of every second one: the next call passes over what is left. A sparse file may have exabytes of zeros.
            let most = if members.len() % 2 == 0 { MOST } else { 100 };
            let result = reader.by_ref().take(most).read_to_end(&mut data);
            let size = members.last().map_or(0, |member| member.size);
            assert!(
                data.len() as u64 <= size
                    && (result.is_err() || data.len() as u64 == size.min(most))
            );
            contents.push(data);
        }
        assert!(reader.offset() <= len as u64);
    };
    (members, contents, is_whole, reader.ended())
}

fn check(member: &Member) {
    assert!(member.offset.is_multiple_of(RECORD) && member.mode <= 0o7777);
    assert!(member.kind == Kind::File || member.size == 0);
    assert!(member.mtime.nanos < 1_000_000_000);
    let most = limits::TAR_EXTENSION as usize * limits::TAR_EXTENSIONS_IN_A_ROW;
    let attributes = member.xattrs.iter().map(|(name, value)| name.len() + value.len());
    assert!(member.name.len() + member.link.len() + attributes.sum::<usize>() <= most);
}
