//! Kernels that are arm64 Images, and that no machine can boot.

/// A header (Linux Documentation/arch/arm64/booting.rst §4), and zeros up to a page.
pub struct Arm64Image {
    /// Where it goes, from a 2 MiB boundary on.
    pub text_offset: u64,
    /// How much memory it takes.
    pub image_size: u64,
    /// Bit 0: big-endian.
    pub flags: u64,
}

impl Arm64Image {
    /// A page: nothing is wrong with it yet.
    pub fn new() -> Arm64Image {
        Arm64Image { text_offset: 0, image_size: 0x1000, flags: 0 }
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let numbers = [0, self.text_offset, self.image_size, self.flags, 0, 0, 0];
        let mut file: Vec<u8> = numbers.into_iter().flat_map(u64::to_le_bytes).collect();
        file.extend(b"ARM\x64");
        file.resize(0x1000, 0);
        file
    }
}

impl Default for Arm64Image {
    fn default() -> Arm64Image {
        Arm64Image::new()
    }
}
