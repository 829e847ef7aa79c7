//! Which devices the container's processes may use: docker's list, enforced by a program that the kernel asks at each
//! open(2) and mknod(2) of a device node (linux/Documentation/admin-guide/cgroup-v2.rst, "Device controller").
//!
//! Permissions and file systems don't decide it: a node of any number may be made in the container's /dev by whoever has
//! CAP_MKNOD, and then opened by anybody. No flag opens more: as in docker, `--cap-add ALL` doesn't either.

use std::fs::File;

use super::bpf::{self, Instruction};
use crate::error::{During, StartError};

/// What is done to a node, as bits: linux/bpf.h, `BPF_DEVCG_ACC_*`.
const MKNOD: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;

/// What it is a node of: linux/bpf.h, `BPF_DEVCG_DEV_*`.
const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;

/// Accesses that are allowed. No number means any.
struct Rule {
    kind: i32,
    major: Option<i32>,
    minor: Option<i32>,
    accesses: i32,
}

/// A character device that may be used in every way.
const fn character(major: i32, minor: Option<i32>) -> Rule {
    Rule { kind: CHARACTER, major: Some(major), minor, accesses: MKNOD | READ | WRITE }
}

/// What docker allows (moby's `oci/defaults.go`, "Devices", and what runc adds to every container, `AllowedDevices`), but for
/// reading and writing 5:1: that console is the machine's, where guest-init and the kernel tell the host what is wrong. A
/// container's /dev/console is one of its pseudoterminals. Numbers: linux/Documentation/admin-guide/devices.txt.
const ALLOWED: &[Rule] = &[
    // The node of any device may be made, though not opened: archives have them.
    Rule { kind: CHARACTER, major: None, minor: None, accesses: MKNOD },
    Rule { kind: BLOCK, major: None, minor: None, accesses: MKNOD },
    // null, zero, full, random, urandom
    character(1, Some(3)),
    character(1, Some(5)),
    character(1, Some(7)),
    character(1, Some(8)),
    character(1, Some(9)),
    // tty, ptmx, and pseudoterminals
    character(5, Some(0)),
    character(5, Some(2)),
    character(136, None),
    // net/tun, of no use without CAP_NET_ADMIN
    character(10, Some(200)),
];

/// From now on the group's processes, whoever and whenever they join it, use no other devices.
pub(super) fn limit(group: &File) -> Result<(), StartError> {
    let load = || {
        let program = bpf::load_device_program(&program())?;
        bpf::attach_device_program(group, &program)
    };
    load().during("limit the container's devices (the guest's kernel needs CONFIG_CGROUP_BPF)")
}

/// The list as a program: rule after rule; the first that holds allows the access, and none refuses it.
fn program() -> Vec<Instruction> {
    use bpf::{CONTEXT, RESULT, exit, load_word, load_word_immediate, mask, shift_right};
    /// Registers that keep nothing across a call, and there is none: linux/Documentation/bpf/standardization/abi.rst.
    const KIND: u8 = 2;
    const ACCESS: u8 = 3;
    const MAJOR: u8 = 4;
    const MINOR: u8 = 5;
    // linux/bpf.h, `struct bpf_cgroup_dev_ctx`: the access in the upper half of a word, the kind in the lower; the numbers.
    let mut program = vec![
        load_word(ACCESS, CONTEXT, 0),
        load_word(KIND, CONTEXT, 0),
        shift_right(ACCESS, 16),
        mask(KIND, 0xffff),
        load_word(MAJOR, CONTEXT, 4),
        load_word(MINOR, CONTEXT, 8),
    ];
    let verdict = |allowed: bool| [load_word_immediate(RESULT, allowed.into()), exit()];
    for rule in ALLOWED {
        // Each check leads past the rest of its rule, which is `after` instructions long.
        let checks = 2 + rule.major.iter().len() + rule.minor.iter().len();
        let mut after = checks as i16 + 1;
        let mut skip = || {
            after -= 1;
            after + 1
        };
        program.push(bpf::skip_unless_equal(KIND, rule.kind, skip()));
        program.push(bpf::skip_if_any(ACCESS, !rule.accesses, skip()));
        program.extend(rule.major.map(|major| bpf::skip_unless_equal(MAJOR, major, skip())));
        program.extend(rule.minor.map(|minor| bpf::skip_unless_equal(MINOR, minor, skip())));
        program.extend(verdict(true));
    }
    program.extend(verdict(false));
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program answers (linux/Documentation/bpf/standardization/instruction-set.rst).
    fn answer(program: &[Instruction], context: [u32; 3]) -> u64 {
        let mut registers = [0u64; 11];
        let mut at = 0;
        // Jumps lead forward, as another test sees.
        while at < program.len() {
            let Instruction { code, registers: operands, offset, immediate } = program[at];
            let (to, from) = (usize::from(operands & 15), usize::from(operands >> 4));
            // 64-bit instructions extend the sign of what they have in 32.
            let immediate = i64::from(immediate) as u64;
            at += 1;
            let mut jump = |holds: bool| {
                if holds {
                    at = at.checked_add_signed(offset.into()).unwrap();
                }
            };
            match code {
                // BPF_LDX | BPF_MEM | BPF_W; only the context is in memory here.
                0x61 => {
                    assert_eq!((from, offset % 4), (1, 0));
                    registers[to] = context[offset as usize / 4].into();
                }
                0x77 => registers[to] >>= immediate,
                0x57 => registers[to] &= immediate,
                0xb7 => registers[to] = immediate,
                0x55 => jump(registers[to] != immediate),
                0x45 => jump(registers[to] & immediate != 0),
                0x95 => return registers[0],
                code => panic!("instruction {code:#x}"),
            }
        }
        panic!("no answer");
    }

    fn allows(kind: i32, major: u32, minor: u32, accesses: i32) -> bool {
        let context = [(accesses << 16 | kind) as u32, major, minor];
        let answer = answer(&program(), context);
        assert!(answer < 2, "{answer}");
        answer == 1
    }

    #[test]
    fn docker_s_devices_may_be_used_and_no_others() {
        let single = [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (10, 200)];
        let usable = |major, minor| major == 136 || single.contains(&(major, minor));
        let numbers = (0..=300).flat_map(|major| {
            [0, 1, 2, 3, 5, 7, 8, 9, 16, 77, 200, 229].map(|minor| (major, minor))
        });
        let far = [(0xfff, 0xf_ffff), (u32::MAX, 3), (1, u32::MAX), (0x1_0001, 3), (1, 0x1_0003)];
        for (major, minor) in numbers.chain(far) {
            for accesses in [READ, WRITE, READ | WRITE, READ | MKNOD, READ | WRITE | MKNOD] {
                let expected = usable(major, minor);
                let what = format!("{major}:{minor}, {accesses}");
                assert_eq!(allows(CHARACTER, major, minor, accesses), expected, "{what}");
                assert!(!allows(BLOCK, major, minor, accesses), "block {what}");
            }
            assert!(allows(CHARACTER, major, minor, MKNOD) && allows(BLOCK, major, minor, MKNOD));
        }
        // What is neither, or done in a way that the kernel gets only later, is not for a container.
        assert!(!allows(0, 1, 3, READ) && !allows(3, 1, 3, READ) && !allows(CHARACTER, 1, 3, 8));
    }

    #[test]
    fn the_nodes_of_dev_may_be_used() {
        for (path, major, minor) in crate::mounts::DEVICES {
            assert!(allows(CHARACTER, *major, *minor, READ | WRITE), "{path}");
        }
    }

    #[test]
    fn no_jump_leaves_the_program() {
        let program = program();
        let exits = |code: u8| code == 0x95;
        assert!(exits(program.last().unwrap().code));
        for (at, instruction) in program.iter().enumerate() {
            // Jumps lead behind a verdict, or the program would run two rules into one.
            if matches!(instruction.code, 0x55 | 0x45) {
                let target = at + 1 + instruction.offset as usize;
                assert!(exits(program[target - 1].code), "{at}");
            }
        }
    }
}
