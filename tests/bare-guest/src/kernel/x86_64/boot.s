# From the PVH entry (Xen docs/misc/pvh.pandoc: 32-bit protected mode, no paging, EBX = start info) to 64-bit Rust.

.section .note.pvh, "a", @note
    .balign 4
    .long 4                 # length of the name
    .long 8                 # length of the entry address
    .long 18                # XEN_ELFNOTE_PHYS32_ENTRY (Xen public/elfnote.h)
    .asciz "Xen"
    .quad pvh_entry

.section .boot.text, "ax"
.code32
.globl pvh_entry
pvh_entry:
    cld
    movl $stack_top, %esp
    movl %ebx, %edi         # the first argument of kernel_main
    movl $kernel_main, %esi
    lgdt gdt_pointer
# Goes on at %esi, in 64-bit mode.
to_long_mode:
    movl %cr4, %eax
    orl $0x620, %eax        # CR4.PAE, and SSE (OSFXSR, OSXMMEXCPT), for compilers that use it
    movl %eax, %cr4
    movl $pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx  # EFER
    rdmsr
    orl $0x100, %eax        # LME
    wrmsr
    movl %cr0, %eax
    orl $0x80000000, %eax   # CR0.PG: now in compatibility mode
    movl %eax, %cr0
    ljmpl $0x08, $long_mode

.code64
long_mode:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %ebp, %ebp
    callq *%rsi             # does not return
    ud2

# Where another processor starts (processors.rs), once this is copied to START_PAGE: in real mode, where only the first MiB can
# be read. CS is the page, so that all it needs is at an offset from here.
.code16
.globl processor_entry
processor_entry:
    cli
    lgdtl %cs:gdt_pointer - processor_entry
    movl %cr0, %eax
    orl $1, %eax            # CR0.PE
    movl %eax, %cr0
    ljmpl $0x18, $processor_protected
# With the entry, for the same reason.
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt
.globl processor_entry_end
processor_entry_end:

.code32
processor_protected:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $4096, %esp        # each takes a stack of its own
    lock xaddl %esp, next_stack
    movl $processor_main, %esi
    jmp to_long_mode

.code64
# One entry point for each vector, 16 bytes apart. The processor pushes an error code for some exceptions; the others get a
# zero in its place.
.globl vector_entries
    .balign 16
vector_entries:
.set vector, 0
.rept 64
    .balign 16
    .if (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21)
    .else
    pushq $0
    .endif
    pushq $vector
    .if vector < 32
    jmp exception_entry
    .else
    jmp interrupt_entry
    .endif
    .set vector, vector + 1
.endr

# Counts the interrupt and tells the local APIC that it was served; the rest is done where it is waited for.
interrupt_entry:
    pushq %rax
    movq 8(%rsp), %rax
    incl interrupt_counts(, %rax, 4)
    movl $0xfee000b0, %eax  # end of interrupt
    movl $0, (%rax)
    popq %rax
    addq $16, %rsp
    iretq

# No exception is expected: report it and stop.
exception_entry:
    movq %rsp, %rdi
    andq $-16, %rsp
    call exception          # does not return
    ud2

.section .boot.data, "aw"
# Null, 64-bit code, data, 32-bit code (Intel SDM 3A §3.4.5).
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
    .quad 0x00cf9b000000ffff
gdt_end:
next_stack:                 # the top of the stack that the next processor takes
    .long first_stack + 4096

# The first 4 GiB at their physical addresses, by pages of 2 MiB, ready made: filling them in would take longer than all the checks.
# Flags: present, writable (3), 2 MiB (0x80).
    .balign 4096
pml4:
    .quad pdpt + 3
    .zero 4096 - 8
pdpt:
    .quad pd + 3
    .quad pd + 0x1003
    .quad pd + 0x2003
    .quad pd + 0x3003
    .quad window_pd + 3     # at 4 GiB: a window on any other 2 MiB
    .zero 4096 - 5 * 8
pd:
.set page, 0
.rept 2048
    .quad page + 0x83
    .set page, page + 0x200000
.endr
.globl window_pd
window_pd:
    .zero 4096

.section .bss, "aw", @nobits
    .balign 16
    .zero 16384
stack_top:
    .balign 4096
first_stack:
    .zero 31 * 4096         # processors.rs: MAX_OTHERS
