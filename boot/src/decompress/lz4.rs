//! The two lz4 containers.

use std::io::{self, ErrorKind, Read};

use lz4_flex::block::decompress_into;
use lz4_flex::frame::FrameDecoder;

/// Magic of the frame format (LZ4 frame format 1.6.4).
const FRAME_MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
/// Magic of the legacy format (ibid., "legacy frame").
const LEGACY_MAGIC: [u8; 4] = 0x184c_2102_u32.to_le_bytes();
/// Each legacy block unfolds to this many bytes, the last one to as many or fewer.
const LEGACY_BLOCK: usize = 8 << 20;

pub(super) fn is_frame(bytes: &[u8]) -> bool {
    bytes.starts_with(&FRAME_MAGIC)
}

pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    bytes.starts_with(&LEGACY_MAGIC)
}

/// A reader that remembers whether it was asked for more than there is.
struct Exhaustible<'a, 'b> {
    rest: &'a mut &'b [u8],
    exhausted: bool,
}

impl Read for Exhaustible<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let got = self.rest.read(buf)?;
        self.exhausted |= got < buf.len();
        Ok(got)
    }
}

/// One frame. The decoder takes a cut between two blocks for the end; it is not, as the end mark is missing.
pub(super) fn frame(rest: &mut &[u8], out: &mut Vec<u8>, room: u64) -> io::Result<()> {
    let mut decoder = FrameDecoder::new(Exhaustible { rest, exhausted: false });
    decoder.by_ref().take(room).read_to_end(out)?;
    if decoder.get_ref().exhausted {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Legacy blocks: each a length and that many compressed bytes. No end mark, no checksum: it goes on to the end of the input or to
/// another magic.
pub(super) fn legacy(rest: &mut &[u8], out: &mut Vec<u8>, room: u64) -> io::Result<()> {
    let mut input = &rest[LEGACY_MAGIC.len()..];
    let mut left = room;
    let mut block = vec![0; LEGACY_BLOCK];
    while left > 0 && !input.is_empty() && !is_legacy(input) {
        let (len, after) = input.split_first_chunk().ok_or(ErrorKind::UnexpectedEof)?;
        let len = u32::from_le_bytes(*len) as usize;
        let data = after.get(..len).ok_or(ErrorKind::UnexpectedEof)?;
        let got = decompress_into(data, &mut block)
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))?;
        let got = &block[..got.min(usize::try_from(left).unwrap_or(usize::MAX))];
        out.extend_from_slice(got);
        left -= got.len() as u64;
        input = &after[len..];
    }
    *rest = input;
    Ok(())
}
