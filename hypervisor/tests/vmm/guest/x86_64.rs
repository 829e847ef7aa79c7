//! ELF files of x86_64 instructions.

/// Where the code runs: the lowest address that a kernel may have.
const ADDRESS: u64 = 0x10_0000;
/// Where it is in the file: a page on, so that it can be mapped.
const OFFSET: u64 = 0x1000;

/// Memory that nothing else is in.
pub const SCRATCH: u64 = 0x80_0000;

/// What `--stats` says first of a guest that prints two bytes and does nothing else.
pub const PRINTED_TWO: &str = "port_reads=0 port_writes=2 mmio_reads=0 mmio_writes=0";

/// Files that are no kernels for this machine, and what must be said of each.
pub fn unbootable() -> Vec<(Vec<u8>, &'static [&'static str])> {
    const AARCH64: u16 = 183;
    let elf = Code::new().power_off().into_kernel();
    vec![
        (b"#!/bin/sh\n".to_vec(), &["ELF"]),
        (elf[..100].to_vec(), &[]),
        (Code::new().power_off().into_elf(AARCH64), &["aarch64"]),
        (Vec::new(), &[]),
    ]
}

/// Instructions, one after another.
#[derive(Clone, Default)]
pub struct Code(Vec<u8>);

impl Code {
    pub fn new() -> Code {
        Code::default()
    }

    /// Any instruction.
    pub fn bytes(mut self, bytes: &[u8]) -> Code {
        self.0.extend_from_slice(bytes);
        self
    }

    /// `mov dx, port; mov al, value; out dx, al`
    pub fn out(self, port: u16, value: u8) -> Code {
        let [low, high] = port.to_le_bytes();
        self.bytes(&[0x66, 0xBA, low, high, 0xB0, value, 0xEE])
    }

    /// A byte to a port.
    #[cfg(feature = "traitor")]
    pub fn store(self, port: u64, value: u8) -> Code {
        self.out(port as u16, value)
    }

    /// `mov edi, address; mov dword [rdi], value`
    pub fn store32(self, address: u64, value: u32) -> Code {
        self.point_at(address).bytes(&[0xC7, 0x07]).bytes(&value.to_le_bytes())
    }

    /// Waits until the 32 bits there are not 0: `cmp dword [rdi], 0; jz -5`.
    pub fn wait_for(self, address: u64) -> Code {
        self.point_at(address).bytes(&[0x83, 0x3F, 0x00, 0x74, 0xFB])
    }

    /// The byte there to the serial port: `mov dx, 0x3F8; mov al, [rdi]; out dx, al`.
    pub fn print_byte_at(self, address: u64) -> Code {
        self.point_at(address).bytes(&[0x66, 0xBA, 0xF8, 0x03, 0x8A, 0x07, 0xEE])
    }

    /// `mov edi, address`
    fn point_at(self, address: u64) -> Code {
        self.bytes(&[0xBF]).bytes(&(address as u32).to_le_bytes())
    }

    /// Text to the serial port.
    pub fn print(self, text: &str) -> Code {
        text.bytes().fold(self, |code, byte| code.out(0x3F8, byte))
    }

    /// Waits for the serial port's next byte, and sends it back.
    pub fn echo(self) -> Code {
        self.bytes(&[0x66, 0xBA, 0xFD, 0x03]) // mov dx, 0x3FD (line status)
            .bytes(&[0xEC, 0xA8, 0x01, 0x74, 0xFB]) // in al, dx; test al, 1; jz -5
            .bytes(&[0x66, 0xBA, 0xF8, 0x03, 0xEC, 0xEE]) // mov dx, 0x3F8; in al, dx; out dx, al
    }

    /// Text to the serial port without end.
    pub fn print_forever(self) -> Code {
        self.bytes(&[0x66, 0xBA, 0xF8, 0x03, 0xEE, 0xEB, 0xFD]) // mov dx, 0x3F8; out dx, al; jmp -3
    }

    /// This, and then each way to reset the machine: the keyboard controller's and ACPI's.
    pub fn resets(self) -> Vec<Code> {
        let reset = |(port, value)| self.clone().out(port, value).forever();
        [(0x64, 0xFE), (0x602, 1)].map(reset).into()
    }

    /// Soft off by the ACPI sleep control register.
    pub fn power_off(self) -> Code {
        self.out(0x600, 0x20 | 5 << 2).forever()
    }

    /// `jmp $`
    pub fn forever(self) -> Code {
        self.bytes(&[0xEB, 0xFE])
    }

    /// An ELF64 executable with one segment, entered at its start.
    pub fn into_kernel(self) -> Vec<u8> {
        const X86_64: u16 = 62;
        self.into_elf(X86_64)
    }

    /// The same for any machine (`EM_*` in the ELF specification).
    fn into_elf(self, machine: u16) -> Vec<u8> {
        let mut file = vec![0x7F, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        file.extend(2u16.to_le_bytes()); // executable
        file.extend(machine.to_le_bytes());
        file.extend(1u32.to_le_bytes()); // version
        file.extend(ADDRESS.to_le_bytes()); // entry
        file.extend(64u64.to_le_bytes()); // program headers
        file.extend(0u64.to_le_bytes()); // no section headers
        file.extend(0u32.to_le_bytes()); // flags
        for number in [64u16, 56, 1, 0, 0, 0] {
            file.extend(number.to_le_bytes()); // sizes and counts of headers
        }
        file.extend(1u32.to_le_bytes()); // loadable
        file.extend(7u32.to_le_bytes()); // read, write, execute
        let length = self.0.len() as u64;
        for number in [OFFSET, ADDRESS, ADDRESS, length, length, 0x1000] {
            file.extend(number.to_le_bytes());
        }
        file.resize(OFFSET as usize, 0);
        file.extend(self.0);
        file
    }
}
