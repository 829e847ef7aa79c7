//! What a container may and what it sees, from the inside; and guests that mean harm, which get no further than themselves.

use std::fs;
use std::io::Read;
use std::thread;
use std::time::Duration;

use bulkhead_tests::{Images, Layer, Meta, Running, World, busybox_folder};
use rustix::process::Signal;

/// A world and an image, where a test can be run.
fn setting(test: &str) -> Option<(World, String)> {
    Some((World::new(test)?, Images::of(test, env!("CARGO_TARGET_TMPDIR"))?.get("root")))
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_container_sees_itself_only() {
    let Some((world, image)) = setting("a_container_sees_itself_only") else { return };
    // The machine's own namespaces have these numbers: linux/include/linux/proc_ns.h, and for mounts the first that are
    // given out.
    let script = "
        echo pid $$: /proc/[0-9]*
        own() {
            case $(readlink /proc/self/ns/$1) in
                *:\\[$2\\]) echo $1: not its own;;
                *) echo $1: its own;;
            esac
        }
        own cgroup 4026531835; own ipc 4026531839; own mnt '402653184[01]'; own pid 4026531836; own uts 4026531838
        cat /proc/self/cgroup
        awk '{ print $2, $3; exit }' /proc/mounts; grep -cE ' (rootfs|erofs|ext4) ' /proc/mounts
        cat /proc/kcore /proc/keys /proc/timer_list | wc -c; ls -A /sys/firmware | wc -l
        for path in /proc/sys/vm/overcommit_memory /proc/sysrq-trigger /proc/irq/default_smp_affinity; do
            (echo 1 > $path) 2>&1
        done
        mkdir /sys/fs/cgroup/own 2>&1
        cat /sys/fs/cgroup/pids.max";
    let outcome = world.shell(&[], &image, script);
    let expected = "pid 1: /proc/1\n\
                    cgroup: its own\nipc: its own\nmnt: its own\npid: its own\nuts: its own\n\
                    0::/\n\
                    / overlay\n0\n\
                    0\n0\n\
                    sh: can't create /proc/sys/vm/overcommit_memory: Read-only file system\n\
                    sh: can't create /proc/sysrq-trigger: Read-only file system\n\
                    sh: can't create /proc/irq/default_smp_affinity: Read-only file system\n\
                    mkdir: can't create directory '/sys/fs/cgroup/own': Read-only file system\n\
                    2048\n";
    assert_eq!(outcome.stdout, expected, "{}", outcome.stderr);
    world.assert_nothing_left();
}

/// What a process may, in words.
const RIGHTS: &str = "
    grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status
    echo files $(ulimit -Sn) $(ulimit -Hn)
    busybox unshare -U true 2>&1 && echo unshared
    busybox mount -t tmpfs none /tmp 2>&1 && echo mounted
    busybox chroot / true 2>&1 && echo chroot";

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn rights_are_docker_s_unless_flags_say_otherwise() {
    let test = "rights_are_docker_s_unless_flags_say_otherwise";
    let Some((world, image)) = setting(test) else { return };
    let expected = "CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t0\nSeccomp:\t2\n\
                    files 1024 524288\n\
                    unshare: unshare(0x10000000): Operation not permitted\n\
                    mount: permission denied (are you root?)\n\
                    chroot\n";
    world.shell(&[], &image, RIGHTS).assert(0, expected, "");

    let capabilities = ["--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--cap-add", "sys_admin"];
    let others = ["--security-opt", "no-new-privileges", "--security-opt", "seccomp=unconfined"];
    let limit = ["--ulimit", "nofile=64:128"];
    let expected = "CapEff:\t0000000000201000\nCapBnd:\t0000000000201000\nNoNewPrivs:\t1\nSeccomp:\t0\n\
                    files 64 128\n\
                    unshared\n\
                    mounted\n\
                    chroot: can't change root directory to '/': Operation not permitted\n";
    let outcome = world.shell(&[&capabilities[..], &others, &limit].concat(), &image, RIGHTS);
    assert_eq!(outcome.stdout, expected, "{}", outcome.stderr);
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn flags_say_where_and_as_whom() {
    let Some((world, image)) = setting("flags_say_where_and_as_whom") else { return };
    fs::write(world.path("variables"), "# of the file\nONE=of the file\nTWO=of the file\n")
        .unwrap();
    let script = "
        echo $(id -un):$(id -gn) $(id -u):$(id -g) on $(hostname), $ONE, $TWO
        grep -E '^(Groups|CapEff):' /proc/self/status
        (touch /file) 2>&1
        tail -q -n 1 /etc/hosts /etc/hostname
        busybox httpd -p 127.0.0.1:80 -h /etc && busybox wget -q -O - http://127.0.0.1/hostname
        cat /proc/sys/net/ipv4/ping_group_range
        awk '$2 == \"/work\" { sub(/,inode64/, \"\"); print $3, $4 }' /proc/mounts
        stat -c %a /work
        head -c 2097152 /dev/zero 2>/dev/null > /work/file || wc -c < /work/file
        rm /work/file; cp /bin/busybox /tmp/own 2>&1; echo 'echo started' > /work/program; chmod +x /work/program; /work/program";
    let user =
        ["--user", "app:extra", "-h", "box", "--env-file", "variables", "-e", "TWO=a flag's"];
    let disks = ["--read-only", "--tmpfs", "/work:size=1m,mode=1777,exec"];
    // With one, its address would be the last of its hosts.
    let network = ["--network", "none"];
    let outcome = world.shell(&[&user[..], &disks, &network].concat(), &image, script);
    let expected = "app:extra 1000:2000 on box, of the file, a flag's\n\
                    Groups:\t2000 \n\
                    CapEff:\t0000000000000000\n\
                    touch: /file: Read-only file system\n\
                    ff02::2\tip6-allrouters\nbox\n\
                    box\n\
                    0\t2147483647\n\
                    tmpfs rw,nosuid,nodev,relatime,size=1024k\n\
                    1777\n\
                    1048576\n\
                    cp: can't create '/tmp/own': Read-only file system\n\
                    started\n";
    assert_eq!(outcome.stdout, expected, "{}", outcome.stderr);
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_fork_bomb_ends_with_its_container() {
    let Some((world, image)) = setting("a_fork_bomb_ends_with_its_container") else { return };
    let script = "
        trap 'exit 3' TERM
        bomb() { bomb | bomb & }
        bomb 2>/dev/null
        echo bombing
        while :; do :; done";
    // A user's processes are limited, if he asks for that: the first one is not harmed.
    let limited = ["--user", "app", "--ulimit", "nproc=50"];
    // With little memory it soon runs out, so that the kernel has to end processes.
    for (flags, statuses) in [(&limited[..], &[3][..]), (&["-m", "128M"], &[3, 137])] {
        let mut running = Running::start(&mut world.run(flags, &image, &["sh", "-c", script]), "");
        running.expect("bombing\n");
        thread::sleep(Duration::from_secs(5));
        running.signal(Signal::TERM);
        let outcome = running.wait();
        // Without a limit, the kernel may choose the first process when memory runs out.
        assert!(statuses.contains(&outcome.status), "{outcome:?}");
        world.assert_nothing_left();
    }
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_process_that_eats_all_memory_is_killed() {
    let Some((world, image)) = setting("a_process_that_eats_all_memory_is_killed") else { return };
    let eat = "exec busybox tail /dev/zero";
    let said = "bulkhead: the container ran out of memory, and a process of it was killed: -m gives it more\n";
    world.shell(&[], &image, eat).assert(137, "", said);
    // Others of the container go on.
    let script = "(exec busybox tail /dev/zero); echo $?; head -c 3 /etc/passwd; exit 4";
    let outcome = world.shell(&[], &image, script);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (4, "137\nroo"), "{}", outcome.stderr);
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn garbage_on_vsock_is_not_heard() {
    let test = "garbage_on_vsock_is_not_heard";
    let Some((world, _)) = setting(test) else { return };
    let Some(program) = world.own_program(test, "garbage") else { return };
    let image = world.text("image");
    busybox_folder(&world.path("image"));
    fs::copy(program, world.path("image/bin/garbage")).unwrap();
    // The way to the host is guest-init's: a container does not get it.
    let script = "garbage; exit 6";
    world.shell(&[], &image, script).assert(6, "refused\n", "");
    // With all rights it does, but not guest-init's key: it harms neither itself nor a neighbour.
    let stay = "trap 'exit 5' TERM; echo here; sleep 1000 & wait";
    let mut neighbour = Running::start(&mut world.run(&[], &image, &["sh", "-c", stay]), "");
    neighbour.expect("here\n");
    let all = ["--security-opt", "seccomp=unconfined"];
    world.shell(&all, &image, "garbage; echo alive; exit 7").assert(7, "alive\n", "");
    neighbour.signal(Signal::TERM);
    neighbour.wait().assert(5, "", "");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_full_disk_is_the_container_s_own() {
    let Some((world, image)) = setting("a_full_disk_is_the_container_s_own") else { return };
    let script = "
        busybox dd if=/dev/zero of=/file bs=1M count=1000 2>&1 | grep -c 'No space left on device'
        rm /file; echo room > /file; cat /file; exit 5";
    for flags in [&[][..], &["--scratch", "32M"]] {
        let outcome = world.shell(flags, &image, script);
        outcome.assert(5, "1\nroom\n", "");
    }
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_flood_waits_for_its_reader_and_signals_do_not() {
    let test = "a_flood_waits_for_its_reader_and_signals_do_not";
    let Some((world, image)) = setting(test) else { return };
    let script = "trap 'exit 4' TERM; busybox yes & wait";
    let mut running = Running::start(&mut world.run(&[], &image, &["sh", "-c", script]), "");
    let mut stdout = running.stdout();
    let mut start = [0; 4096];
    stdout.read_exact(&mut start).unwrap();
    assert!(start.chunks(2).all(|line| line == b"y\n"));
    thread::sleep(Duration::from_secs(2));
    running.signal(Signal::TERM);
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    // What was under way: pipes and the connection's buffers.
    assert!(rest.len() < 8 << 20, "{} bytes", rest.len());
    running.wait().assert(4, "", "");

    // A reader that leaves: the flood gets SIGPIPE, as from any other pipe.
    let mut running = Running::start(&mut world.run(&[], &image, &["busybox", "yes"]), "");
    running.expect("y\ny\n");
    drop(running.stdout());
    let outcome = running.wait();
    assert_ne!(outcome.status, 0, "{outcome:?}");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_container_opens_no_devices_but_docker_s() {
    let test = "a_container_opens_no_devices_but_docker_s";
    let Some((world, _)) = setting(test) else { return };
    busybox_folder(&world.path("root"));
    let busybox = fs::read(world.path("root/bin/busybox")).unwrap();
    let layer = Layer::new()
        .folder("bin", Meta::root(0o755))
        .file("bin/busybox", Meta::root(0o755), &busybox)
        .symlink("bin/sh", "busybox")
        // Virtual disks have the first number that is free from the top: 254, as the script below finds.
        .block_device("layer-disk", Meta::root(0o666), 254, 0)
        .device("layer-log", Meta::root(0o666), 1, 11);
    let image = world.text("image.tar");
    fs::write(&image, layer.into_bytes()).unwrap();

    let look = "
        look() {
            for node in \"$@\"; do
                echo $node: $(busybox head -c 1 $node 2>&1 >/dev/null | busybox sed 's/.*: //')
            done
        }";
    let nodes = "
        node() { busybox mknod -m 666 \"$@\"; }
        set -- $(busybox sed 's/:/ /' /sys/class/block/vda/dev)
        node /disk b $1 $2; node /dev/disk b $1 $2; node /dev/log c 1 11; node /dev/own c 1 5
        look /disk /dev/disk /dev/log
        (echo > /dev/disk) 2>&1
        look /dev/own /dev/null /dev/zero /dev/random /dev/urandom
        echo told > /dev/null
        trap 'exit 5' TERM; busybox sleep 1000 & wait";
    let denied = "/layer-disk: Permission denied\n/layer-log: Permission denied\n";
    let script = format!("{look}\nlook /layer-disk /layer-log");
    let nobody = ["--user", "1000", "--cap-drop", "ALL"];
    world.shell(&nobody, &image, &script).assert(0, denied, "");
    world.shell(&["--read-only", "--cap-add", "ALL"], &image, &script).assert(0, denied, "");

    let command = ["sh", "-c", &format!("{look}\n{nodes}")];
    let mut running = Running::start(&mut world.run(&["--name", "box"], &image, &command), "");
    running.expect(
        "/disk: Permission denied\n\
         /dev/disk: Operation not permitted\n/dev/log: Operation not permitted\n\
         sh: can't create /dev/disk: Operation not permitted\n\
         /dev/own:\n/dev/null:\n/dev/zero:\n/dev/random:\n/dev/urandom:\n",
    );
    for user in ["0", "1000"] {
        let exec = ["exec", "-u", user, "box", "busybox", "head", "-c", "1", "/dev/disk"];
        let refused = "head: /dev/disk: Operation not permitted\n";
        world.bulkhead(&exec, "").assert(1, "", refused);
    }
    let open = ["exec", "-u", "1000", "box", "sh", "-c", ": <> /dev/ptmx && echo open"];
    world.bulkhead(&open, "").assert(0, "open\n", "");
    running.signal(Signal::TERM);
    running.wait().assert(5, "", "");
    world.assert_nothing_left();
}
