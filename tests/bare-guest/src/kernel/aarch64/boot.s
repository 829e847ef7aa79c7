// From the boot protocol (Linux Documentation/arch/arm64/booting.rst: EL1, MMU off, x0 = FDT) to Rust.

.section .boot.text, "ax"
    b start
    .long 0
    .quad 0                     // text_offset
    .quad image_size
    .quad 0x2                   // flags: little-endian, pages of 4 KiB, at the start of RAM
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0

start:
    mov x19, x0
    bl set_up_processor
    // No write before the MMU is on: it would bypass the caches.
    adrp x0, bss_start
    add x0, x0, :lo12:bss_start
    adrp x1, image_end
    add x1, x1, :lo12:image_end
1:  stp xzr, xzr, [x0], #16
    cmp x0, x1
    b.lo 1b
    adrp x0, stack_top
    add x0, x0, :lo12:stack_top
    mov sp, x0
    mov x0, x19                 // the first argument of kernel_main
    mov x29, xzr
    bl kernel_main              // does not return
    brk #0

// Where another processor starts (processors.rs): x0 is the address of a word in which it says that it is there. Then it
// switches itself off.
.globl processor_entry
processor_entry:
    mov x19, x0
    bl set_up_processor
    mov w0, #1
    stlr w0, [x19]
    mov w0, #0x0002             // PSCI CPU_OFF, 0x8400_0002 (Arm DEN0022F §5.5)
    movk w0, #0x8400, lsl #16
    hvc #0                      // does not return
    brk #0

// Where another processor starts that stays: x0 is its number, from 1 on, and chooses its stack.
.globl member_entry
member_entry:
    mov x19, x0
    bl set_up_processor
    adrp x0, other_stacks
    add x0, x0, :lo12:other_stacks
    add x0, x0, x19, lsl #12
    mov sp, x0
    mov x29, xzr
    bl processor_main           // does not return
    brk #0

// Exceptions to our handlers, floating point and NEON allowed, MMU and caches on (Arm ARM D24.2). Changes x0 and x1.
set_up_processor:
    adrp x0, vectors
    add x0, x0, :lo12:vectors
    msr vbar_el1, x0
    mov x0, #3 << 20            // CPACR_EL1.FPEN
    msr cpacr_el1, x0
    mov x0, #0xff04             // attribute 0: device nGnRE, 1: normal, write-back
    msr mair_el1, x0
    adrp x0, page_table
    msr ttbr0_el1, x0
    // T0SZ 25: addresses of 39 bits; table walks by write-back, inner shareable memory; no TTBR1.
    mov x0, #0x3519
    movk x0, #0x0080, lsl #16
    mrs x1, id_aa64mmfr0_el1
    and x1, x1, #0xf            // PARange, of which 48 bits are as many as pages of 4 KiB allow
    cmp x1, #5
    b.ls 1f
    mov x1, #5
1:  orr x0, x0, x1, lsl #32     // IPS
    msr tcr_el1, x0
    tlbi vmalle1
    ic iallu
    dsb nsh
    isb
    mrs x0, sctlr_el1
    mov x1, #0x1005             // I, C, M
    orr x0, x0, x1
    msr sctlr_el1, x0
    isb
    ret

// Sixteen vectors, 0x80 bytes apart (Arm ARM D1.3.1). Only interrupts at EL1 by its own stack pointer are expected.
    .balign 0x800
vectors:
.set vector, 0
.rept 16
    .balign 0x80
    .if vector == 5
    // It is served where it is waited for (interrupts.rs): return with interrupts masked.
    msr tpidr_el1, x0
    mrs x0, spsr_el1
    orr x0, x0, #0x80
    msr spsr_el1, x0
    mrs x0, tpidr_el1
    eret
    .else
    mov x0, #vector
    mrs x1, esr_el1
    mrs x2, elr_el1
    mrs x3, far_el1
    bl exception                // does not return
    .endif
    .set vector, vector + 1
.endr

.section .data, "aw"
// Blocks of 1 GiB at their physical addresses, ready made (Arm ARM D8.3): the first is device memory without instructions,
// all others are normal memory, inner shareable.
    .balign 4096
page_table:
    .quad 0x0060000000000401
.set block, 1
.rept 511
    .quad block << 30 | 0x705
    .set block, block + 1
.endr

.section .bss, "aw", @nobits
    .balign 16
    .zero 16384
stack_top:
other_stacks:                   // 4 KiB each
    .zero 31 * 4096
