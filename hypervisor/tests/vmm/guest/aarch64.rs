//! arm64 Images of A64 instructions.

/// The PL011.
const UART: u64 = 0x0900_0000;

/// Memory that nothing else is in.
pub const SCRATCH: u64 = 0x4080_0000;

/// What `--stats` says first of a guest that prints two bytes and does nothing else.
pub const PRINTED_TWO: &str = "port_reads=0 port_writes=0 mmio_reads=0 mmio_writes=2";

/// Files that are no kernels for this machine, and what must be said of each.
pub fn unbootable() -> Vec<(Vec<u8>, &'static [&'static str])> {
    let image = Code::new().power_off().into_kernel();
    let mut x86_64_elf = b"\x7FELF\x02\x01\x01".to_vec();
    x86_64_elf.resize(64, 0);
    x86_64_elf[0x12] = 62;
    vec![
        (b"#!/bin/sh\n".to_vec(), &[]),
        (image[..60].to_vec(), &[]),
        (vec![0; 64], &["Image"]),
        (x86_64_elf, &["x86_64"]),
        (Vec::new(), &[]),
    ]
}

/// Instructions, one after another. W10 and X9 are theirs.
#[derive(Clone, Default)]
pub struct Code(Vec<u8>);

impl Code {
    pub fn new() -> Code {
        Code::default()
    }

    /// Any instruction.
    pub fn instruction(mut self, bits: u32) -> Code {
        self.0.extend(bits.to_le_bytes());
        self
    }

    /// `movz x9, #0x900, lsl #16`: the UART's address.
    fn uart(self) -> Code {
        self.instruction(0xD2A0_0009 | ((UART >> 16) as u32) << 5)
    }

    /// A byte to a device's register.
    #[cfg(feature = "traitor")]
    pub fn store(self, address: u64, value: u8) -> Code {
        self.instruction(0xD2A0_0009 | ((address >> 16) as u32) << 5) // movz x9, #high, lsl #16
            .instruction(0xF280_0009 | (address as u32 & 0xFFFF) << 5) // movk x9, #low
            .instruction(0x5280_000A | u32::from(value) << 5) // movz w10, #value
            .instruction(0x3900_012A) // strb w10, [x9]
    }

    /// 32 bits to memory or a register.
    pub fn store32(self, address: u64, value: u32) -> Code {
        self.point_at(address)
            .instruction(0x5280_000A | (value & 0xFFFF) << 5) // movz w10, #low
            .instruction(0x72A0_000A | (value >> 16) << 5) // movk w10, #high, lsl #16
            .instruction(0xB900_012A) // str w10, [x9]
    }

    /// Waits until the 32 bits there are not 0: `ldr w10, [x9]; cbz w10, -4`.
    pub fn wait_for(self, address: u64) -> Code {
        self.point_at(address).instruction(0xB940_012A).instruction(0x34FF_FFEA)
    }

    /// The byte there to the UART.
    pub fn print_byte_at(self, address: u64) -> Code {
        self.point_at(address)
            .instruction(0x3940_012A) // ldrb w10, [x9]
            .uart()
            .instruction(0x3900_012A) // strb w10, [x9]
    }

    /// `movz x9, #high, lsl #16; movk x9, #low`
    fn point_at(self, address: u64) -> Code {
        self.instruction(0xD2A0_0009 | ((address >> 16) as u32) << 5)
            .instruction(0xF280_0009 | (address as u32 & 0xFFFF) << 5)
    }

    /// Text to the UART.
    pub fn print(self, text: &str) -> Code {
        text.bytes().fold(self.uart(), |code, byte| {
            // movz w10, #byte; strb w10, [x9]
            code.instruction(0x5280_000A | u32::from(byte) << 5).instruction(0x3900_012A)
        })
    }

    /// Waits for the UART's next byte, and sends it back.
    pub fn echo(self) -> Code {
        self.uart()
            .instruction(0x5280_602A) // movz w10, #0x301 (UARTEN, TXE, RXE)
            .instruction(0xB900_312A) // str w10, [x9, #0x30] (UARTCR)
            .instruction(0xB940_192A) // ldr w10, [x9, #0x18] (UARTFR)
            .instruction(0x3727_FFEA) // tbnz w10, #4, -4 (RXFE)
            .instruction(0xB940_012A) // ldr w10, [x9] (UARTDR)
            .instruction(0x3900_012A) // strb w10, [x9]
    }

    /// Text to the UART without end.
    pub fn print_forever(self) -> Code {
        self.uart().instruction(0x3900_012A).instruction(0x17FF_FFFF) // strb w10, [x9]; b -4
    }

    /// `stp w10, w10, [x9]` at the UART: the processor tells KVM the address, but not the registers.
    pub fn store_pair(self) -> Code {
        self.uart().instruction(0x2900_292A)
    }

    /// This, and then each way to reset the machine: PSCI `SYSTEM_RESET` (Arm DEN0022 §5.12).
    pub fn resets(self) -> Vec<Code> {
        vec![self.psci(9).forever()]
    }

    /// PSCI `SYSTEM_OFF` (Arm DEN0022 §5.11).
    pub fn power_off(self) -> Code {
        self.psci(8).forever()
    }

    fn psci(self, function: u32) -> Code {
        self.instruction(0x5280_0000 | function << 5) // movz w0, #function
            .instruction(0x72B0_8000) // movk w0, #0x8400, lsl #16
            .instruction(0xD400_0002) // hvc #0
    }

    /// `b .`
    pub fn forever(self) -> Code {
        self.instruction(0x1400_0000)
    }

    /// An Image (Linux Documentation/arch/arm64/booting.rst §4).
    pub fn into_kernel(self) -> Vec<u8> {
        const HEADER: usize = 64;
        let mut file = 0x1400_0010u32.to_le_bytes().to_vec(); // b +64
        file.extend(0u32.to_le_bytes());
        file.extend(0u64.to_le_bytes()); // text_offset
        file.extend(((HEADER + self.0.len()) as u64).to_le_bytes()); // image_size
        file.extend([0; 32]); // flags, reserved
        file.extend(b"ARM\x64");
        file.extend(0u32.to_le_bytes()); // no PE header
        file.extend(self.0);
        file
    }
}
