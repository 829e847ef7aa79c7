# Runs in the mode in which it is entered, 32-bit by PVH or 64-bit by the ELF entry: every instruction has the same encoding and
# meaning in both. It tries all ways to switch off: ACPI sleep control (bulkhead-vmm), keyboard controller reset (Firecracker), triple
# fault.

# PVH note: XEN_ELFNOTE_PHYS32_ENTRY (Xen public/elfnote.h).
.section .note.pvh, "a", @note
    .balign 4
    .long 4             # length of the name
    .long 8             # length of the entry address
    .long 18            # type
    .asciz "Xen"
    .quad entry

.section .boot.text, "ax"
.code32
.globl entry
entry:
    mov edx, 0x3f8      # COM1 transmitter
    mov esi, offset line
    mov ecx, 6
1:  lodsb
    out dx, al
    loop 1b

    mov edx, 0x600      # ACPI sleep control
    mov al, 0x34        # SLP_EN, S5
    out dx, al
    mov al, 0xfe        # i8042: pulse the reset line
    out 0x64, al
    mov esi, offset no_idt
    lidt [esi]          # no interrupt table, so an invalid instruction is a triple fault
    ud2

line:
    .ascii "hello\n"
no_idt:
    .zero 10
