//! Just enough of bpf(2) for one program of a control group: instructions, and the two calls.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// One instruction of the kernel's machine (linux/bpf.h, `struct bpf_insn`).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Instruction {
    pub(super) code: u8,
    /// Destination in the lower half, source in the upper: the bit fields of a little-endian machine, as all of ours are.
    pub(super) registers: u8,
    pub(super) offset: i16,
    pub(super) immediate: i32,
}

/// What a program returns, and where its context is when it begins: linux/Documentation/bpf/standardization/abi.rst.
pub(super) const RESULT: u8 = 0;
pub(super) const CONTEXT: u8 = 1;

/// linux/Documentation/bpf/standardization/instruction-set.rst; the C library's constants are the classic machine's, of which
/// these are a part. 64-bit instructions have the class ALU64.
const CLASS_ALU64: u32 = 0x07;
const MOVE: u32 = 0xb0;
const EXIT: u32 = 0x90;
const JUMP_UNLESS_EQUAL: u32 = 0x50;
const FROM_MEMORY: u32 = 0x60;

const fn instruction(code: u32, registers: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code: code as u8, registers, offset, immediate }
}

/// `to` = the 32 bits at `from` + `offset`.
pub(super) const fn load_word(to: u8, from: u8, offset: i16) -> Instruction {
    instruction(libc::BPF_LDX | FROM_MEMORY | libc::BPF_W, to | from << 4, offset, 0)
}

/// `to` = a number.
pub(super) const fn load_word_immediate(to: u8, value: i32) -> Instruction {
    instruction(CLASS_ALU64 | MOVE | libc::BPF_K, to, 0, value)
}

/// `register` >>= `bits`.
pub(super) const fn shift_right(register: u8, bits: i32) -> Instruction {
    instruction(CLASS_ALU64 | libc::BPF_RSH | libc::BPF_K, register, 0, bits)
}

/// `register` &= `bits`.
pub(super) const fn mask(register: u8, bits: i32) -> Instruction {
    instruction(CLASS_ALU64 | libc::BPF_AND | libc::BPF_K, register, 0, bits)
}

/// Leaves out the next instructions, `count` of them, unless `register` is `value`.
pub(super) const fn skip_unless_equal(register: u8, value: i32, count: i16) -> Instruction {
    instruction(libc::BPF_JMP | JUMP_UNLESS_EQUAL | libc::BPF_K, register, count, value)
}

/// Leaves out the next instructions, `count` of them, if `register` has any of these bits.
pub(super) const fn skip_if_any(register: u8, bits: i32, count: i16) -> Instruction {
    instruction(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, register, count, bits)
}

/// Ends the program.
pub(super) const fn exit() -> Instruction {
    instruction(libc::BPF_JMP | EXIT, 0, 0, 0)
}

/// linux/bpf.h: `enum bpf_cmd`, `enum bpf_prog_type`, `enum bpf_attach_type`, and a flag: groups below may have programs of
/// their own, which allow nothing that this one refuses.
const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_ATTACH: libc::c_int = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;

/// The kernel wants to know; a program that calls none of its functions may have any.
const LICENSE: &CStr = c"Apache-2.0";

/// `union bpf_attr` for BPF_PROG_LOAD, as far as it is needed here: the kernel takes the rest as zeros.
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
}

/// `union bpf_attr` for BPF_PROG_ATTACH.
#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

/// Has the kernel check a program that decides about devices.
pub(super) fn load_device_program(program: &[Instruction]) -> io::Result<OwnedFd> {
    let load = Load {
        kind: BPF_PROG_TYPE_CGROUP_DEVICE,
        count: program.len().try_into().map_err(io::Error::other)?,
        instructions: program.as_ptr() as u64,
        license: LICENSE.as_ptr() as u64,
    };
    // SAFETY: the attributes are BPF_PROG_LOAD's; both addresses are of live memory, of which the kernel reads `count`
    // instructions and a string that ends.
    let descriptor = unsafe { bpf(BPF_PROG_LOAD, &raw const load) }?;
    // SAFETY: the kernel has just opened it for this call.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Has the kernel ask it about the processes of a group, and of all groups below. The group keeps it.
pub(super) fn attach_device_program(group: &File, program: &OwnedFd) -> io::Result<()> {
    let attach = Attach {
        target: group.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        kind: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
    };
    // SAFETY: the attributes are BPF_PROG_ATTACH's, and name no memory.
    unsafe { bpf(BPF_PROG_ATTACH, &raw const attach) }.map(drop)
}

/// bpf(2).
///
/// # Safety
/// `T` is the part of `union bpf_attr` that belongs to the command, from its beginning, and what it points to is as the
/// command wants it.
unsafe fn bpf<T>(command: libc::c_int, attributes: *const T) -> io::Result<libc::c_int> {
    // SAFETY: the caller's promise; the size is that of the attributes.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as libc::c_int) }
}
