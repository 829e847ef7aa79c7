//! The initramfs writer, against a reader of the format: nothing here reads one.

use boot::cpio::{PAGE, Writer};

use crate::input::Input;

/// An entry as the archive must have it.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    name: Vec<u8>,
    mode: u32,
    content: Vec<u8>,
    device: (u32, u32),
}

/// Entries with any names, modes and contents: each is refused, or is in the archive as it was given.
pub fn cpio(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut writer = Writer::new(Vec::new());
    let mut wanted = Vec::new();
    while let Some(entry) = next(&mut input, &mut writer) {
        match entry {
            Some(entry) => wanted.push(entry),
            // After an error an archive is of no use.
            None => (writer, wanted) = (Writer::new(Vec::new()), Vec::new()),
        }
    }
    let archive = writer.finish().expect("a vector takes everything");
    assert!((archive.len() as u64).is_multiple_of(PAGE));
    assert_eq!(read(&archive), wanted);
}

/// Writes an entry; gives what it must be read as. `Some(None)`: it was refused.
fn next(input: &mut Input, writer: &mut Writer<Vec<u8>>) -> Option<Option<Entry>> {
    let (kind, mode) = (input.u8()?, u32::from(input.u16()?) & 0o17777);
    let len = usize::from(input.u8()?);
    let name = String::from_utf8_lossy(input.bytes(len)?).into_owned();
    let len = usize::from(input.u16()? & 0x3ff);
    let content = input.bytes(len)?;
    let (result, mode, content, device) = match kind & 3 {
        0 => (writer.directory(&name, mode), 0o040_000 | mode, &b""[..], (0, 0)),
        1 => (writer.file(&name, mode, content), 0o100_000 | mode, content, (0, 0)),
        2 => match std::str::from_utf8(content) {
            Ok(target) => (writer.symlink(&name, target), 0o120_777, content, (0, 0)),
            Err(_) => return Some(None),
        },
        _ => {
            let device = (u32::from(kind), mode);
            (
                writer.char_device(&name, mode, device.0, device.1),
                0o020_000 | mode,
                &b""[..],
                device,
            )
        }
    };
    let entry = Entry { name: name.into_bytes(), mode, content: content.to_vec(), device };
    Some(result.ok().map(|()| entry))
}

/// Reads an archive as the kernel does (Linux Documentation/driver-api/early-userspace/buffer-format.rst).
fn read(archive: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut at = 0;
    loop {
        let header = std::str::from_utf8(&archive[at..at + 110]).expect("a header is ASCII");
        let field = |number: usize| {
            let start = 6 + 8 * number;
            u32::from_str_radix(&header[start..start + 8], 16).expect("hexadecimal digits")
        };
        assert!(header.starts_with("070701"));
        let (len, name_len) = (field(6) as usize, field(11) as usize);
        let (name, nul) = archive[at + 110..at + 110 + name_len].split_at(name_len - 1);
        assert!(nul == [0] && !name.contains(&0));
        let start = (at + 110 + name_len).next_multiple_of(4);
        let content = archive[start..start + len].to_vec();
        at = (start + len).next_multiple_of(4);
        if name == b"TRAILER!!!" {
            assert!(archive[at..].iter().all(|&byte| byte == 0));
            return entries;
        }
        // It ends at the first of these for the kernel, which makes no links to nothing.
        assert_eq!(field(4), if field(1) & 0o170_000 == 0o040_000 { 2 } else { 1 });
        let device = (field(9), field(10));
        entries.push(Entry { name: name.to_vec(), mode: field(1), content, device });
    }
}
