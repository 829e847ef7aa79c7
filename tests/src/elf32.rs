//! A program of 32 bits for this machine: i386's on x86_64, 32-bit Arm's on aarch64.

/// Where its one segment, the whole file, goes.
const ADDRESS: u32 = 0x1_0000;

/// Where its instructions begin: after the file's header and one program header (System V ABI, "ELF Header" and "Program
/// Header", 32-bit forms).
const CODE: u32 = 52 + 32;

/// A static executable that makes a Unix socket as a C library does, then asks for a system call that no kernel has, and ends
/// with the first error's number as its status: the call `exit` is number 1 on both machines.
pub fn makes_a_socket_and_an_unknown_call() -> Vec<u8> {
    let (machine, flags, code) = if cfg!(target_arch = "aarch64") {
        // mov r0, #1; mov r1, #1; mov r2, #0; movw r7, #281 (socket); svc #0; cmp r0, #0; blt to the rsb.
        let socket = [0xe3a0_0001, 0xe3a0_1001, 0xe3a0_2000, 0xe300_7119, 0xef00_0000u32];
        let branch = [0xe350_0000, 0xba00_0001u32];
        // movw r7, #600; svc #0; rsb r0, r0, #0; mov r7, #1; svc #0.
        let rest = [0xe300_7258, 0xef00_0000, 0xe260_0000, 0xe3a0_7001, 0xef00_0000u32];
        let code = [&socket[..], &branch, &rest].concat();
        // EABI version 5.
        (40u16, 0x0500_0000u32, code.into_iter().flat_map(u32::to_le_bytes).collect())
    } else {
        // push 0; push 1; push 1; mov ecx, esp; mov eax, 102 (socketcall); mov ebx, 1 (SYS_SOCKET); int 0x80.
        let arguments = [0x6a, 0, 0x6a, 1, 0x6a, 1, 0x89, 0xe1];
        let socket = [0xb8, 102, 0, 0, 0, 0xbb, 1, 0, 0, 0, 0xcd, 0x80];
        // test eax, eax; js to the neg.
        let branch = [0x85, 0xc0, 0x78, 7];
        // mov eax, 600; int 0x80; neg eax; mov ebx, eax; mov eax, 1; int 0x80.
        let ask = [0xb8, 0x58, 2, 0, 0, 0xcd, 0x80, 0xf7, 0xd8];
        let end = [0x89, 0xc3, 0xb8, 1, 0, 0, 0, 0xcd, 0x80];
        (3, 0, [&arguments[..], &socket, &branch, &ask, &end].concat())
    };
    let length = CODE + code.len() as u32;
    let mut file = b"\x7fELF\x01\x01\x01".to_vec(); // 32-bit, little-endian, version 1
    file.resize(16, 0);
    let half = |number: u16, file: &mut Vec<u8>| file.extend(number.to_le_bytes());
    let word = |number: u32, file: &mut Vec<u8>| file.extend(number.to_le_bytes());
    half(2, &mut file); // executable
    half(machine, &mut file);
    for number in [1, ADDRESS + CODE, 52, 0, flags] {
        word(number, &mut file); // version, entry, program headers, no section headers, flags
    }
    for number in [52, 32, 1, 0, 0, 0] {
        half(number, &mut file); // sizes and counts of headers
    }
    // Loadable, from the start of the file, readable and executable.
    for number in [1, 0, ADDRESS, ADDRESS, length, length, 5, 0x1000] {
        word(number, &mut file);
    }
    file.extend(code);
    file
}
