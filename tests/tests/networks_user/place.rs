//! A host of a test's own with an ordinary user, and what there may be in it of that user's networks.

use std::fs::{self, DirBuilder};
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Command;

use bulkhead_tests::{Outcome, Running, USER, World, alone_with_netavark, eventually, skip, tool};
use rustix::mount::{MountFlags, mount, mount_move};

/// What such networks need, as their tests do.
const PROGRAMS: [&str; 8] =
    ["ip", "iptables", "ip6tables", "pasta", "setpriv", "nsenter", "mknod", "cp"];

/// Devices that a user may open: KVM's belongs to a group that this one is in, and `tun` to everybody, as in Debian.
const DEVICES: &str = "mknod -m 666 null c 1 3 && mknod -m 666 urandom c 1 9 && mknod -m 660 kvm c 10 232 && \
                       chgrp 7777 kvm && mkdir net && mknod -m 666 net/tun c 10 200";

/// A test's place.
pub struct Place {
    pub world: World,
}

impl Place {
    /// One with an image and a kernel, in network and mount namespaces of its own. `None` where that can't be, after a line that
    /// says so.
    pub fn new(test: &str) -> Option<Self> {
        if !alone_with_netavark(test, &PROGRAMS) {
            return None;
        }
        for line in [
            // pasta wants an interface with a way out.
            "link add up0 type veth peer up1",
            "address add 192.0.2.2/24 dev up0",
            "link set up0 up",
            "link set up1 up",
            "route add default via 192.0.2.1",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            tool("ip", &words);
        }
        // A user's files are not below /run, of which the networks have their own; temporary ones may be.
        mount("tmpfs", "/mnt", "tmpfs", MountFlags::empty(), None).unwrap();
        let world = World::new_in(test, Path::new("/mnt"))?;
        let dev = world.path("dev");
        fs::create_dir(&dev).unwrap();
        mount("tmpfs", &dev, "tmpfs", MountFlags::empty(), Some(c"mode=755")).unwrap();
        tool("sh", &["-c", &format!("cd \"$0\" && {DEVICES}"), &world.text("dev")]);
        mount_move(&dev, "/dev").unwrap();
        // Whoever starts a VM makes it.
        DirBuilder::new().mode(0o700).create(world.path("run/bulkhead")).unwrap();
        world.give_to_user();
        let place = Self { world };
        // What a kernel does not do for a user, nobody else can either.
        let probe = ["--config-net", "--", "/usr/bin/env", "true"];
        let tried = Running::start(&mut place.command("pasta", &probe), "").wait();
        if tried.status != 0 {
            skip(test, &format!("a user has no such namespaces: {}", tried.stderr.trim_end()));
            return None;
        }
        Some(place)
    }

    /// A program as the user.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.world.command("setpriv");
        let user = [format!("--reuid={USER}"), format!("--regid={USER}")];
        command.args(user).arg("--groups=7777").arg(program).args(arguments);
        command
    }

    /// A command of the user's, to its end.
    pub fn on(&self, arguments: &[&str]) -> Outcome {
        Running::start(&mut self.command("./bulkhead", arguments), "").wait()
    }

    /// What a command says that has nothing to complain about.
    #[track_caller]
    pub fn says(&self, arguments: &[&str]) -> String {
        let outcome = self.on(arguments);
        let all = (outcome.status, outcome.stderr.as_str());
        assert_eq!(all, (0, ""), "{arguments:?}: {outcome:?}");
        outcome.stdout.trim_end().to_owned()
    }

    /// `run` or `create` with the kernel, these flags, and a shell's script.
    pub fn with_script(&self, how: &str, flags: &[&str], script: &str) -> Outcome {
        let begin = [how, "--kernel", "kernel", "--memory", "64M"];
        self.on(&[&begin, flags, &["image", "--", "sh", "-c", script]].concat())
    }

    /// A container in the background, which serves its name to who asks for a page, and datagrams if its image can.
    #[track_caller]
    pub fn serve(&self, name: &str, flags: &[&str]) {
        let script = format!(
            "mkdir /www; echo {name} >/www/index.html; busybox httpd -p 80 -h /www
             [ -x /bin/udp-echo ] && udp-echo >/dev/null & echo up; exec sleep 1000"
        );
        let outcome = self.with_script("run", &[&["-d", "--name", name], flags].concat(), &script);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
        self.is_up(name, 1);
    }

    /// It has served that often.
    #[track_caller]
    pub fn is_up(&self, name: &str, times: usize) {
        let said = || self.on(&["logs", name]);
        assert!(eventually(|| said().stdout.lines().count() == times), "{:?}", said());
    }

    /// What a shell in a running container says, whatever becomes of it.
    pub fn within(&self, name: &str, script: &str) -> String {
        self.on(&["exec", name, "sh", "-c", script]).stdout
    }

    /// A container's address on a network.
    #[track_caller]
    pub fn address(&self, name: &str, network: &str) -> IpAddr {
        let template = format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}");
        let said = self.says(&["inspect", "-f", &template, name]);
        said.parse().unwrap_or_else(|_| panic!("{name} on {network}: {said:?}"))
    }

    /// The process that has a container's VM.
    pub fn supervisor(&self, name: &str) -> u32 {
        self.says(&["inspect", "-f", "{{.State.Pid}}", name]).parse().unwrap()
    }

    /// The processes of this user's that have this word in their command line.
    pub fn processes(&self, word: &str) -> Vec<u32> {
        let has = |process: &u32| {
            let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).split('\0').any(|part| part.ends_with(word))
        };
        self.world.processes().into_iter().filter(has).collect()
    }

    /// The first process in the namespaces of this user's networks.
    #[track_caller]
    pub fn home(&self) -> u32 {
        let all = self.processes("network-home");
        let is_first = |process: &u32| {
            let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
            status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"))
        };
        let first: Vec<u32> = all.into_iter().filter(is_first).collect();
        assert_eq!(first.len(), 1, "{first:?}");
        first[0]
    }

    /// Whom pasta runs it for.
    #[track_caller]
    pub fn pasta(&self) -> u32 {
        let home = self.home();
        let stat = fs::read_to_string(format!("/proc/{home}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// All processes in there.
    pub fn inhabitants(&self) -> Vec<u32> {
        let namespace = |process: u32| fs::read_link(format!("/proc/{process}/ns/pid")).ok();
        let own = namespace(self.home());
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let all = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        all.filter(|&process| own.is_some() && namespace(process) == own).collect()
    }

    /// What a program says in there.
    #[track_caller]
    pub fn at_home(&self, words: &[&str]) -> String {
        let home = self.home().to_string();
        let enter = ["-t", &home, "-U", "-n", "-m", "--preserve-credentials", "--"];
        let command = &mut self.command("nsenter", &[&enter, words].concat());
        let outcome = Running::start(command, "").wait();
        format!("{}{}", outcome.stdout, outcome.stderr)
    }

    /// No process, file or record is left of any network, and the host's network is as it was.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let joined = self.world.path(".local/share/bulkhead/networks/joined");
        let records = || fs::read_dir(&joined).into_iter().flatten().count();
        assert!(eventually(|| records() == 0), "{} containers are noted", records());
        assert!(eventually(|| self.world.processes().is_empty()));
        let file = self.world.path("run/bulkhead/network-home");
        assert!(eventually(|| !file.exists()), "{} is left", file.display());
        let links = Command::new("ip").args(["-o", "link"]).output().unwrap().stdout;
        let links = String::from_utf8(links).unwrap();
        assert_eq!(links.lines().count(), 3, "{links}");
        self.world.assert_nothing_left();
    }
}
