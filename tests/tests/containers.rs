//! What a container finds: its machine, its identity, its file system.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bulkhead_tests::{Images, Running, World};

/// A world and the images, where a test can be run.
fn setting(test: &str) -> Option<(World, Images)> {
    Some((World::new(test)?, Images::of(test, env!("CARGO_TARGET_TMPDIR"))?))
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn an_image_says_what_runs_and_as_whom() {
    let Some((world, images)) = setting("an_image_says_what_runs_and_as_whom") else { return };
    let outcome =
        Running::start(&mut world.run(&[], &images.get("layout#configured"), &[]), "").wait();
    outcome.assert(0, "hello from /srv/app as app:app in app extra, home /home/app\n", "");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn flags_say_it_instead() {
    let Some((world, images)) = setting("flags_say_it_instead") else { return };
    let script = "
        echo $(nproc) processors
        cat /sys/fs/cgroup/memory.max
        echo $GREETING, $OTHER
        echo $(id -u):$(id -g) on $(hostname) in $(pwd)
        touch /file 2>&1
        touch /dev/shm/file && echo written";
    let machine = ["--cpus", "2", "--memory", "512M", "--read-only", "--hostname", "box"];
    let process =
        ["--env", "GREETING=hi", "--env", "OTHER=a b", "--workdir", "/work", "--user", "1000:2000"];
    let outcome =
        world.shell(&[&machine[..], &process].concat(), &images.get("layout#plain"), script);
    let expected = "2 processors\n536870912\nhi, a b\n1000:2000 on box in /work\n\
                    touch: /file: Read-only file system\nwritten\n";
    outcome.assert(0, expected, "");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn root_is_root_of_a_container_only() {
    let Some((world, images)) = setting("root_is_root_of_a_container_only") else { return };
    let script = "
        date +%s
        grep ^Cap /proc/self/status
        (sleep 0 &); (sleep 0.1 &); sleep 1
        grep -l '^State:.Z' /proc/[0-9]*/status | wc -l
        hostname | wc -c; [ $HOSTNAME = $(hostname) ] && [ $HOSTNAME = $(cat /etc/hostname) ] && echo by its ID
        mkdir -p /new/folder && echo new > /new/folder/file && chmod 600 /etc/passwd && rm /etc/group
        cat /new/folder/file; stat -c %a /etc/passwd; ls /etc
        touch /proc/sys/kernel/hostname 2>&1; wc -c < /proc/kcore";
    let before = prepared(&world, &images.get("root.tar"));
    let start = now();
    let outcome = world.shell(&[], &images.get("root.tar"), script);
    let (date, rest) = outcome.stdout.split_once('\n').unwrap_or_default();
    let date: u64 = date.parse().unwrap_or_else(|_| panic!("{outcome:?}"));
    assert!((start..=now()).contains(&date), "date {date}, not {start} to {}", now());
    // The 14 capabilities that docker gives, and no way to any other.
    let expected = "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n\
                    CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\n\
                    0\n13\nby its ID\nnew\n600\nhostname\nhosts\npasswd\nresolv.conf\n\
                    touch: /proc/sys/kernel/hostname: Read-only file system\n0\n";
    assert_eq!((outcome.status, rest, outcome.stderr.as_str()), (0, expected, ""));
    assert_eq!(prepared(&world, &images.get("root.tar")), before, "the image has changed");
    world.assert_nothing_left();
}

/// Prepares the image; the cache then.
fn prepared(world: &World, image: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    world.prepare(image);
    let folder =
        |name: &str| fs::read_dir(world.path("cache/bulkhead").join(name)).unwrap().flatten();
    let files = ["blobs", "indexes", "images"].into_iter().flat_map(folder);
    files.map(|file| (file.path(), fs::read(file.path()).unwrap())).collect()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn layers_are_one_file_system() {
    let Some((world, images)) = setting("layers_are_one_file_system") else { return };
    let script = "
        cd /data
        stat -c '%A %u:%g %h %Y %n' kept changed one link null setuid
        stat -c '%A %u:%g' . /opaque
        cat kept changed two nnn*
        readlink link; stat -c %t,%T null
        [ one -ef two ] && echo one file
        cat /replaced; ls -A /opaque; ls -A . | wc -l
        wc -c < /etc/hostname; head -n 1 /etc/hosts; rm /etc/hosts 2>&1; echo 127.0.0.2 two >> /etc/hosts; tail -n 1 /etc/hosts
        busybox su app -c 'busybox-capable grep CapEff /proc/self/status'
        echo changed again > two; cat one";
    let outcome = world.shell(&[], &images.get("layout#layered"), script);
    // What a layer says of a second name goes for the file, as in docker.
    let expected = "\
-rw-r----- 1000:1001 1 1000000000 kept
-rw------- 7:8 1 1000000000 changed
-rwxrwxrwx 0:0 2 1000000000 one
lrwxrwxrwx 0:0 1 1000000000 link
crw-rw-rw- 0:0 1 1000000000 null
-rwsr-xr-x 1000:1001 1 1000000000 setuid
drwxr-s--- 1000:1001
drwx------ 0:0
kept
new
two names
long
../data/kept
1,3
one file
a file now
new
8
13
127.0.0.1\tlocalhost
rm: can't remove '/etc/hosts': Device or resource busy
127.0.0.2 two
CapEff:\t0000000000000400
";
    let outcome_start = outcome.stdout.get(..expected.len()).unwrap_or(&outcome.stdout);
    assert_eq!((outcome.status, outcome_start, outcome.stderr.as_str()), (0, expected, ""));
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_scratch_disk_takes_more_than_memory_holds() {
    let test = "a_scratch_disk_takes_more_than_memory_holds";
    if !bulkhead_tests::have(test, &["mke2fs"]) && !Path::new("/usr/sbin/mke2fs").is_file() {
        return;
    }
    let Some((world, images)) = setting(test) else { return };
    let script = "
        for n in 1 2 3 4; do head -c 40000000 /dev/zero > /file$n || exit 1; done
        cat /file* | wc -c
        [ $(cat /sys/fs/cgroup/memory.max) -lt 160000000 ] && echo less memory";
    let outcome =
        world.shell(&["--memory", "144M", "--scratch", "256M"], &images.get("root"), script);
    outcome.assert(0, "160000000\nless memory\n", "");
    world.assert_nothing_left();
}
