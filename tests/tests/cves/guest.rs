//! What a container finds that means to get out of itself, into its guest; and what a guest's program finds that means to get
//! at its host. No file system is shared with the host: what lies beyond the guest is out of reach in any case.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use bulkhead_tests::{Running, World, busybox_folder, eventually};
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// An image with busybox.
fn image(world: &World) -> PathBuf {
    busybox_folder(&world.path("image"));
    world.path("image")
}

/// A container that runs in the background.
struct Held<'a>(&'a World);

impl Held<'_> {
    fn start<'a>(world: &'a World, flags: &[&str], command: &[&str]) -> Held<'a> {
        let flags = [&["-d", "--rm", "--name", "box"], flags].concat();
        let mut run = world.run_as_docker(&flags, &world.text("image"), command);
        let outcome = Running::start(&mut run, "").wait();
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        Held(world)
    }

    /// What a shell says in it, on both outputs.
    fn says(&self, flags: &[&str], script: &str) -> String {
        let command = [&["exec"], flags, &["box", "sh", "-c", script]].concat();
        let outcome = self.0.bulkhead(&command, "");
        outcome.stdout + &outcome.stderr
    }

    fn end(self) {
        self.0.bulkhead(&["kill", "box"], "").assert(0, "box\n", "");
        assert!(eventually(|| self.0.processes().is_empty()));
        self.0.assert_nothing_left();
    }
}

/// Looks for one of them.
type Cause = fn(&Held);

/// Each of these tells what it was, and what is to be found in a container whose image was made for it.
const CAUSES: [(&str, Cause); 6] = [
    ("CVE-2020-2023", cve_2020_2023_the_guest_s_own_disks_are_out_of_reach),
    ("CVE-2022-36109", cve_2022_36109_the_primary_group_is_a_supplementary_one),
    ("CVE-2024-21626", cve_2024_21626_no_descriptor_and_no_working_directory_leads_out),
    ("CVE-2025-31133", cve_2025_31133_what_masks_a_path_is_not_the_image_s),
    ("CVE-2025-52565", cve_2025_52565_the_console_is_the_container_s_own_terminal),
    ("CVE-2025-52881", cve_2025_52881_what_the_runtime_sets_is_not_diverted),
];

/// One container for all of them, since each costs a machine. The image has links wherever a runtime mounts something, or
/// writes to.
#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn one_container_is_held_by_what_others_were_not() {
    let Some(world) = World::new("one_container_is_held_by_what_others_were_not") else { return };
    let image = image(&world);
    let make = |path: &str| fs::create_dir_all(image.join(path)).unwrap();
    // Where runc raced with somebody who swapped them, an image can have them from the start.
    make("dev/pts");
    make("fake/self/attr");
    make("fake/sys/kernel");
    for (name, target) in [
        ("proc", "fake"),
        ("dev/null", "/fake/sys/kernel/core_pattern"),
        ("dev/console", "/fake/sys/kernel/core_pattern"),
        ("dev/pts/0", "/fake/sys/kernel/core_pattern"),
        ("dev/ptmx", "/fake/sysrq-trigger"),
    ] {
        symlink(target, image.join(name)).unwrap();
    }
    for name in ["sys/kernel/core_pattern", "self/attr/exec", "sysrq-trigger", "kcore"] {
        fs::write(image.join("fake").join(name), "the image's\n").unwrap();
    }
    let flags = ["-t", "--hostname", "own"];
    let held = Held::start(&world, &flags, &["sh", "-c", "while :; do sleep 1000; done"]);
    // All of them, so that one run says all that is wrong.
    let mut failed = Vec::new();
    for (name, cause) in CAUSES {
        if catch_unwind(AssertUnwindSafe(|| cause(&held))).is_err() {
            failed.push(name);
        }
    }
    held.end();
    assert!(failed.is_empty(), "{failed:?}: see above");
}

/// Kata let a container make nodes of the guest's own disks: it wrote to the guest's root, and was the agent then.
fn cve_2020_2023_the_guest_s_own_disks_are_out_of_reach(held: &Held) {
    let script = "
        set -- $(sed 's/:/ /' /sys/class/block/vda/dev)
        for node in /disk /dev/disk; do
            busybox mknod -m 666 $node b $1 $2
            head -c 1 $node > /tmp/read; (echo > $node)
        done";
    let expected = "head: /disk: Permission denied\n\
                    sh: can't create /disk: Permission denied\n\
                    head: /dev/disk: Operation not permitted\n\
                    sh: can't create /dev/disk: Operation not permitted\n";
    assert_eq!(held.says(&[], script), expected);
}

/// Moby left the primary group out of the supplementary ones: a set-group-ID program got rid of it, and so of what a file
/// forbids just that group.
fn cve_2022_36109_the_primary_group_is_a_supplementary_one(held: &Held) {
    let groups = |user| held.says(&["-u", user], "grep Groups: /proc/self/status");
    assert_eq!(groups("app"), "Groups:\t1001 2000 \n");
    assert_eq!(groups("app:extra"), "Groups:\t2000 \n");
    assert_eq!(groups("7:8"), "Groups:\t8 \n");
}

/// runc (GHSA-xr7r-f8xq-vfvv) had a descriptor of a folder of the host's open when it went to the working directory that the
/// image names, `/proc/self/fd/7`. Here it would be a folder of the guest's.
fn cve_2024_21626_no_descriptor_and_no_working_directory_leads_out(held: &Held) {
    // Those that a leak would get first.
    for number in 0..6 {
        let folder = format!("/proc/self/fd/{number}");
        let said = held.says(&["-w", &folder], "pwd; ls -a . ..");
        assert!(said.starts_with("bulkhead: "), "{folder}: {said}");
        assert_eq!(said.lines().count(), 1, "{folder}: {said}");
    }
    // The builtin `echo` opens nothing itself.
    assert_eq!(held.says(&[], "cd /proc/self/fd; echo *"), "0 1 2 3\n", "3 is the folder itself");
    assert_eq!(held.says(&[], "cd /proc/1/fd; echo *"), "0 1 2\n");
    assert_eq!(held.says(&[], "readlink /proc/1/cwd; readlink /proc/1/root"), "/\n/\n");
}

/// runc (GHSA-9493-h29p-rfm2) mounted the container's `/dev/null` over what it masks, which the container had made a link
/// to something else.
fn cve_2025_31133_what_masks_a_path_is_not_the_image_s(held: &Held) {
    let script = "
        stat -c %t,%T /dev/null /proc/kcore /proc/keys /proc/timer_list
        cat /proc/kcore /proc/keys; ls -A /sys/firmware
        for path in sys/kernel/core_pattern sysrq-trigger; do (echo x > /proc/$path) 2>&1; done";
    let expected = "1,3\n1,3\n1,3\n1,3\n\
                    sh: can't create /proc/sys/kernel/core_pattern: Read-only file system\n\
                    sh: can't create /proc/sysrq-trigger: Read-only file system\n";
    assert_eq!(held.says(&[], script), expected);
}

/// runc (GHSA-qw9x-cqr3-wc7r) mounted `/dev/pts/N` on `/dev/console` by names that the container could swap for links meanwhile.
fn cve_2025_52565_the_console_is_the_container_s_own_terminal(held: &Held) {
    // linux/Documentation/admin-guide/devices.txt: 136 (0x88) are pseudoterminals.
    let script =
        "stat -c '%F %t,%T' /dev/console /dev/pts/0; [ /dev/console -ef /dev/pts/0 ] && echo one";
    let terminal = "character special file 88,0\n";
    assert_eq!(held.says(&[], script), format!("{terminal}{terminal}one\n"));
}

/// runc (GHSA-cgrx-mc8f-2prm) wrote labels and settings to files of `/proc` that the container had put something else in the
/// place of, so that they went nowhere, or to where they do harm. Ours are set by system calls, and by the guest's own `/proc`
/// before there is a container.
fn cve_2025_52881_what_the_runtime_sets_is_not_diverted(held: &Held) {
    let script = "
        grep -c '^proc /fake proc ' /proc/mounts; readlink /proc
        grep -E '^(CapEff|Seccomp):' /proc/self/status
        cat /proc/self/cgroup /sys/fs/cgroup/pids.max /proc/sys/net/ipv4/ping_group_range
        hostname; cat /etc/hostname";
    let expected =
        "1\nfake\nCapEff:\t00000000a80425fb\nSeccomp:\t2\n0::/\n2048\n0\t2147483647\nown\nown\n";
    assert_eq!(held.says(&[], script), expected);
}

/// runc was executed again by a container whose program was a link to `/proc/self/exe`, and then overwritten through the
/// container's `/proc`: the host's next `runc` was the container's. Here that program is guest-init, a file of the guest's
/// memory that is executed from a read-only mount; and the host's are in no guest.
#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn cve_2019_5736_the_runtime_s_own_program_is_out_of_reach() {
    let test = "cve_2019_5736_the_runtime_s_own_program_is_out_of_reach";
    let Some(world) = World::new(test) else { return };
    let image = image(&world);
    symlink("/proc/self/exe", image.join("bin/agent")).unwrap();
    // guest-init takes itself for PID 1 of a machine, looks for modules to load, and waits here for ever.
    fs::create_dir(image.join("modules")).unwrap();
    mknodat(CWD, image.join("modules/wait"), FileType::Fifo, Mode::from_raw_mode(0o644), 0)
        .unwrap();
    let before = programs(&world);
    let held = Held::start(&world, &[], &["agent"]);
    let script = "
        readlink /proc/1/exe; stat -Lc '%a %u %s' /proc/1/exe
        (echo x > /proc/1/exe)
        (exec 9< /proc/1/exe && echo x > /proc/self/fd/9)
        chmod 644 /proc/1/exe
        busybox chown 7 /proc/1/exe
        stat -Lc '%a %u %s' /proc/1/exe
        (echo x >> /proc/1/exe) && echo written";
    let said = held.says(&[], script);
    let (found, refused): (Vec<&str>, Vec<&str>) =
        said.lines().partition(|line| !line.contains("/proc/"));
    // What guest-init is executed from.
    let ["/init", before_it, after_it] = found[..] else { panic!("{said}") };
    assert_eq!(before_it, after_it);
    let reasons: Vec<_> = refused.iter().map(|line| line.rsplit(": ").next().unwrap()).collect();
    let read_only = "Read-only file system";
    // Of the last the kernel may also say that it is being executed.
    let (first, last) = reasons.split_at(4);
    assert_eq!(first, [read_only; 4], "{said}");
    assert!(matches!(last, ["Text file busy" | "Read-only file system"]), "{said}");
    // What it is needed for goes on.
    assert_eq!(held.says(&[], "echo alive"), "alive\n");
    held.end();
    assert!(programs(&world) == before, "a program of the host's has changed");
}

/// The host's programs.
fn programs(world: &World) -> Vec<(Vec<u8>, u32)> {
    ["bulkhead", "bulkhead-vmm", "guest-init"]
        .map(|name| {
            let mut which = world.command("sh");
            let outcome =
                Running::start(which.args(["-c", &format!("command -v {name}")]), "").wait();
            let path = outcome.stdout.trim_end();
            (fs::read(path).unwrap(), fs::metadata(path).unwrap().permissions().mode())
        })
        .into()
}
