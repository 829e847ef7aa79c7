//! What no thread has a reason to ask for, and a C library neither: it kills the process at once.
//!
//! Whatever else is refused ends it too, but by way of a handler that names the call. An intruder may keep a handler from
//! its work, and go on without what it asked for; from this there is no going on.

/// The calls.
pub const NEVER: &[&str] = &[
    // Other programs.
    "execve",
    "execveat",
    "fork",
    "vfork",
    "clone",
    "clone3",
    // Other processes.
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "kcmp",
    "kill",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    // Names and namespaces.
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "mount_setattr",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsmount",
    "fsconfig",
    "fspick",
    "open_by_handle_at",
    // Rights.
    "setuid",
    "setresuid",
    "setgroups",
    "capset",
    "keyctl",
    "add_key",
    "request_key",
    // Ways around a filter, and large parts of the kernel.
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "io_setup",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "personality",
    "modify_ldt",
    "pkey_mprotect",
    "remap_file_pages",
    "shmat",
    // The machine.
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "reboot",
    "ioperm",
    "iopl",
    "acct",
    "swapon",
    "quotactl",
];
