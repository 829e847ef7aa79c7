use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;

use protocol::Host;
use rustix::mount::mount_remount;

use super::*;
use crate::namespaces::in_own;

#[test]
fn hosts_are_docker_s() {
    let text = |hostname: &[u8], network: &Network, ipv6| {
        String::from_utf8(hosts(hostname, network, ipv6)).unwrap()
    };
    let none = "127.0.0.1\tlocalhost\n\
        ::1\tlocalhost ip6-localhost ip6-loopback\n\
        fe00::\tip6-localnet\n\
        ff00::\tip6-mcastprefix\n\
        ff02::1\tip6-allnodes\n\
        ff02::2\tip6-allrouters\n";
    assert_eq!(text(b"box", &Network::default(), true), none);
    assert_eq!(text(b"box", &Network::default(), false), "127.0.0.1\tlocalhost\n");
    let host = |name: &str, ip: &str| Host { name: name.into(), ip: ip.parse().unwrap() };
    let network = Network {
        hosts: vec![host("db", "10.0.0.7"), host("db", "2001:db8::7")],
        own_addresses: vec!["172.17.0.2".parse().unwrap(), "2001:db8::2".parse().unwrap()],
        ..Network::default()
    };
    let more = "10.0.0.7\tdb\n2001:db8::7\tdb\n172.17.0.2\tbox\n2001:db8::2\tbox\n";
    assert_eq!(text(b"box", &network, true), [none, more].concat());
    let short = "127.0.0.1\tlocalhost\n10.0.0.7\tdb\n172.17.0.2\tbox.example box\n";
    assert_eq!(text(b"box.example", &network, false), short);
}

#[test]
fn the_resolver_s_file_is_docker_s() {
    let text = |wanted: &Resolver| String::from_utf8(resolver(wanted)).unwrap();
    assert_eq!(text(&Resolver::default()), "");
    let wanted = Resolver {
        nameservers: vec!["127.0.0.11".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        search: vec!["example.org".into(), "local".into()],
        options: vec!["ndots:0".into(), "edns0".into()],
    };
    let lines = "nameserver 127.0.0.11\nnameserver 2001:db8::1\n\
        search example.org local\noptions ndots:0 edns0\n";
    assert_eq!(text(&wanted), lines);
}

#[test]
fn whatever_the_image_holds_gives_way_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let made = |name: &str| {
        make_place(&path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        fs::symlink_metadata(path(name)).unwrap().is_file()
    };
    fs::create_dir_all(path("etc/hosts/sub")).unwrap();
    fs::write(path("etc/hosts/sub/file"), "").unwrap();
    fs::write(path("etc/kept"), "kept").unwrap();
    for (name, target) in [("link", "kept"), ("dangling", "/no/such/file"), ("folder", ".")] {
        symlink(target, path("etc").join(name)).unwrap();
    }
    for name in ["hosts", "kept", "link", "dangling", "folder", "missing"] {
        assert!(made(&format!("etc/{name}")), "{name}");
    }
    assert_eq!(fs::read(path("etc/kept")).unwrap(), b"kept");

    // The folder itself.
    fs::write(path("file"), "").unwrap();
    symlink("usr/etc", path("moved")).unwrap();
    symlink("file", path("wrong")).unwrap();
    symlink("round", path("round")).unwrap();
    for name in ["none", "moved", "wrong", "file", "round"] {
        assert!(made(&format!("{name}/hosts")), "{name}");
    }
    assert!(path("usr/etc/hosts").is_file());
}

/// A root as an image has it, made by `script` in a folder of memory.
fn image(at: &Path, script: &str) {
    mount("image", at, "tmpfs", MountFlags::empty(), None).unwrap();
    let made = Command::new("sh").args(["-ec", script]).current_dir(at).status().unwrap();
    assert!(made.success(), "{script}");
}

#[test]
fn they_are_mounted_whatever_the_image_holds() {
    in_own("names::tests::they_are_mounted_whatever_the_image_holds", || {
        let folder = tempfile::tempdir().unwrap();
        // What stands in for the guest's root, and the images in it.
        let guest = folder.path();
        mount("guest", guest, "tmpfs", MountFlags::empty(), None).unwrap();
        let scripts = [
            "true",
            "mkdir -p etc run/resolve; ln -s ../run/resolve/stub.conf etc/resolv.conf",
            "mkdir -p etc/resolv.conf/sub etc/hosts; ln -s /proc/self/fd/0 etc/hostname",
            "mkdir other; ln -s other etc; ln -s /names/hosts other/resolv.conf; touch kept",
            "echo file >etc",
            "ln -s ../../../../names etc",
        ];
        for (number, script) in scripts.into_iter().enumerate() {
            let root = guest.join(number.to_string());
            fs::create_dir(&root).unwrap();
            image(&root, script);
        }
        rustix::process::chroot(guest).unwrap();
        std::env::set_current_dir("/").unwrap();
        let own_addresses = vec!["10.0.0.2".parse().unwrap()];
        let nameservers = vec!["10.0.0.1".parse().unwrap()];
        let resolver = Resolver { nameservers, ..Resolver::default() };
        let network = Network { own_addresses, resolver, ..Network::default() };
        write(&"box".into(), &network).unwrap();
        for (number, script) in scripts.into_iter().enumerate() {
            let names = open().unwrap();
            let guest = fs::File::open("/").unwrap();
            rustix::process::chroot(number.to_string()).unwrap();
            std::env::set_current_dir("/").unwrap();
            mount_all(&names).unwrap_or_else(|error| panic!("{script}: {error}"));
            // As under a read-only root.
            mount_remount("/", MountFlags::BIND | MountFlags::RDONLY, c"").unwrap();
            assert_eq!(fs::read_to_string(HOSTNAME).unwrap(), "box\n", "{script}");
            assert_eq!(fs::read_to_string(RESOLVER).unwrap(), "nameserver 10.0.0.1\n", "{script}");
            let hosts = fs::read_to_string(HOSTS).unwrap();
            assert!(hosts.ends_with("\n10.0.0.2\tbox\n"), "{script}: {hosts}");
            for name in [HOSTNAME, HOSTS, RESOLVER] {
                let metadata = fs::symlink_metadata(name).unwrap();
                assert_eq!(metadata.mode() & 0o7777, 0o644, "{script}");
                fs::OpenOptions::new().append(true).open(name).unwrap();
            }
            rustix::process::fchdir(&guest).unwrap();
            rustix::process::chroot(".").unwrap();
        }
    });
}
