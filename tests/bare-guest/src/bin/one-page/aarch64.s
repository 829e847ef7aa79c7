// A flat Image (Linux Documentation/arch/arm64/booting.rst) that runs wherever it is loaded, with the MMU off.
.section .boot.text, "ax"
    b entry
    .long 0
    .quad 0             // text_offset
    .quad 0x1000        // image_size
    .quad 0xa           // flags: little-endian, pages of 4 KiB, anywhere in memory
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0

entry:
    mov x1, #0x09000000 // data register of the PL011
    adr x2, line
    mov x3, #6
1:  ldrb w0, [x2], #1
    str w0, [x1]
    subs x3, x3, #1
    b.ne 1b

    mov w0, #0x0008     // PSCI SYSTEM_OFF, 0x8400_0008 (Arm DEN0022F §5.10)
    movk w0, #0x8400, lsl #16
    hvc #0
2:  wfi
    b 2b

line:
    .ascii "hello\n"
