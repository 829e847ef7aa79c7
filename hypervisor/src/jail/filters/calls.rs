//! Numbers of system calls (linux/arch/x86/entry/syscalls/syscall_64.tbl, linux/include/uapi/asm-generic/unistd.h): those
//! of the tables, and others that a C library may make, which are only named.
//!
//! `build.rs` reads them for the processor that it builds for, which need not be the one that it runs on.

/// A call, and its number where the processor's Linux has it.
pub struct Number {
    /// The kernel's name.
    pub name: &'static str,
    /// On x86_64.
    pub x86_64: Option<u32>,
    /// On aarch64.
    pub aarch64: Option<u32>,
}

macro_rules! numbers {
    (both { $($both:ident $x86_64:literal $aarch64:literal;)* } x86_64 { $($own:ident $number:literal;)* }) => {
        /// All of them, as the C libraries name them: `SYS_` and the name.
        pub const NUMBERS: &[Number] = &[
            $(Number { name: stringify!($both), x86_64: Some($x86_64), aarch64: Some($aarch64) },)*
            $(Number { name: stringify!($own), x86_64: Some($number), aarch64: None },)*
        ];

        /// Their numbers as the C library of this build has them.
        #[cfg(test)]
        pub fn of_the_c_library() -> Vec<(&'static str, libc::c_long)> {
            vec![
                $((stringify!($both), libc::$both),)*
                $(#[cfg(target_arch = "x86_64")] (stringify!($own), libc::$own),)*
            ]
        }
    };
}

numbers! {
    both {
        SYS_accept4 288 242;
        SYS_brk 12 214;
        SYS_clock_gettime 228 113;
        SYS_close 3 57;
        SYS_connect 42 203;
        SYS_epoll_ctl 233 21;
        SYS_epoll_pwait 281 22;
        SYS_exit 60 93;
        SYS_exit_group 231 94;
        SYS_fallocate 285 47;
        SYS_fdatasync 75 83;
        SYS_futex 202 98;
        SYS_getrandom 318 278;
        SYS_ioctl 16 29;
        SYS_madvise 28 233;
        SYS_mmap 9 222;
        SYS_mprotect 10 226;
        SYS_mremap 25 216;
        SYS_munmap 11 215;
        SYS_preadv 295 69;
        SYS_pwritev 296 70;
        SYS_read 0 63;
        SYS_recvfrom 45 207;
        SYS_restart_syscall 219 128;
        SYS_rt_sigreturn 15 139;
        SYS_sched_yield 24 124;
        SYS_sendto 44 206;
        SYS_shutdown 48 210;
        SYS_sigaltstack 131 132;
        SYS_socket 41 198;
        SYS_tgkill 234 131;
        SYS_timerfd_settime 286 86;
        SYS_write 1 64;
        SYS_execve 59 221;
        SYS_execveat 322 281;
        SYS_clone 56 220;
        SYS_clone3 435 435;
        SYS_ptrace 101 117;
        SYS_process_vm_readv 310 270;
        SYS_process_vm_writev 311 271;
        SYS_pidfd_open 434 434;
        SYS_pidfd_getfd 438 438;
        SYS_pidfd_send_signal 424 424;
        SYS_process_madvise 440 440;
        SYS_kcmp 312 272;
        SYS_kill 62 129;
        SYS_tkill 200 130;
        SYS_rt_sigqueueinfo 129 138;
        SYS_rt_tgsigqueueinfo 297 240;
        SYS_mount 165 40;
        SYS_umount2 166 39;
        SYS_pivot_root 155 41;
        SYS_chroot 161 51;
        SYS_unshare 272 97;
        SYS_setns 308 268;
        SYS_mount_setattr 442 442;
        SYS_move_mount 429 429;
        SYS_open_tree 428 428;
        SYS_fsopen 430 430;
        SYS_fsmount 432 432;
        SYS_fsconfig 431 431;
        SYS_fspick 433 433;
        SYS_io_uring_setup 425 425;
        SYS_io_uring_enter 426 426;
        SYS_io_uring_register 427 427;
        SYS_io_setup 206 0;
        SYS_bpf 321 280;
        SYS_perf_event_open 298 241;
        SYS_userfaultfd 323 282;
        SYS_keyctl 250 219;
        SYS_add_key 248 217;
        SYS_request_key 249 218;
        SYS_personality 135 92;
        SYS_init_module 175 105;
        SYS_finit_module 313 273;
        SYS_delete_module 176 106;
        SYS_kexec_load 246 104;
        SYS_reboot 169 142;
        SYS_pkey_mprotect 329 288;
        SYS_remap_file_pages 216 234;
        SYS_shmat 30 196;
        SYS_open_by_handle_at 304 265;
        SYS_setuid 105 146;
        SYS_setresuid 117 147;
        SYS_setgroups 116 159;
        SYS_capset 126 91;
        SYS_acct 163 89;
        SYS_swapon 167 224;
        SYS_quotactl 179 60;
        SYS_openat 257 56;
        SYS_openat2 437 437;
        SYS_fstat 5 80;
        SYS_newfstatat 262 79;
        SYS_statx 332 291;
        SYS_lseek 8 62;
        SYS_pread64 17 67;
        SYS_pwrite64 18 68;
        SYS_writev 20 66;
        SYS_readv 19 65;
        SYS_fcntl 72 25;
        SYS_getpid 39 172;
        SYS_gettid 186 178;
        SYS_getcwd 79 17;
        SYS_readlinkat 267 78;
        SYS_rt_sigaction 13 134;
        SYS_rt_sigprocmask 14 135;
        SYS_prctl 157 167;
        SYS_seccomp 317 277;
        SYS_prlimit64 302 261;
        SYS_unlinkat 263 35;
        SYS_getdents64 217 61;
        SYS_ppoll 271 73;
        SYS_nanosleep 35 101;
        SYS_clock_nanosleep 230 115;
        SYS_eventfd2 290 19;
        SYS_epoll_create1 291 20;
        SYS_epoll_pwait2 441 441;
        SYS_timerfd_create 283 85;
        SYS_socketpair 53 199;
        SYS_bind 49 200;
        SYS_listen 50 201;
        SYS_getsockopt 55 209;
        SYS_setsockopt 54 208;
        SYS_sendmsg 46 211;
        SYS_recvmsg 47 212;
        SYS_pipe2 293 59;
        SYS_dup 32 23;
        SYS_dup3 292 24;
        SYS_memfd_create 319 279;
        SYS_mincore 27 232;
        SYS_membarrier 324 283;
        SYS_set_robust_list 273 99;
        SYS_rseq 334 293;
        SYS_sched_getaffinity 204 123;
        SYS_sysinfo 99 179;
        SYS_uname 63 160;
        SYS_getuid 102 174;
        SYS_ftruncate 77 46;
        SYS_fsync 74 82;
        SYS_copy_file_range 326 285;
        SYS_futex_waitv 449 449;
        SYS_landlock_create_ruleset 444 444;
    }
    x86_64 {
        SYS_fork 57;
        SYS_vfork 58;
        SYS_modify_ldt 154;
        SYS_ioperm 173;
        SYS_iopl 172;
        SYS_open 2;
        SYS_stat 4;
        SYS_readlink 89;
        SYS_unlink 87;
        SYS_poll 7;
        SYS_arch_prctl 158;
    }
}
