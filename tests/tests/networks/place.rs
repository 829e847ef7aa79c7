//! A host of a test's own, and what there may be in it of networks.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use bulkhead_tests::{
    Outcome, Running, World, alone_with_netavark, busybox_folder, eventually, skip, tool,
};
use rustix::mount::{MountFlags, mount};

/// What networks need, as their tests do.
const PROGRAMS: [&str; 6] =
    ["ip", "iptables", "ip6tables", "iptables-save", "ip6tables-save", "passt"];

/// Where what lives as long as a network is.
const STATE: &str = "/run/bulkhead";

/// A test's place.
pub struct Place {
    pub world: World,
}

impl Place {
    /// One with an image, in network and mount namespaces of its own. `None` where that can't be, after a line that says so.
    pub fn new(test: &str) -> Option<Self> {
        if !alone_with_netavark(test, &PROGRAMS) {
            return None;
        }
        fs::create_dir_all(STATE).unwrap();
        mount("none", STATE, "tmpfs", MountFlags::empty(), Some(c"mode=700")).unwrap();
        // What a kernel does not do, netavark can't either.
        for words in [
            "iptables -t nat -A POSTROUTING -m comment --comment probe -m addrtype --dst-type LOCAL -j MASQUERADE",
            "ip6tables -t nat -A POSTROUTING -m comment --comment probe -j MASQUERADE",
        ] {
            let mut words = words.split(' ');
            let tried = Command::new(words.next().unwrap()).args(words).output().unwrap();
            if !tried.status.success() {
                let why = String::from_utf8_lossy(&tried.stderr);
                skip(test, &format!("this kernel has no such firewall: {}", why.trim_end()));
                return None;
            }
        }
        for program in ["iptables", "ip6tables"] {
            tool(program, &["-t", "nat", "-F"]);
        }
        let world = World::new(test)?;
        busybox_folder(&world.path("image"));
        Some(Self { world })
    }

    /// A command, to its end.
    pub fn on(&self, arguments: &[&str]) -> Outcome {
        self.world.bulkhead(arguments, "")
    }

    /// What a command says that has nothing to complain about.
    #[track_caller]
    pub fn says(&self, arguments: &[&str]) -> String {
        let outcome = self.on(arguments);
        assert_eq!(
            (outcome.status, outcome.stderr.as_str()),
            (0, ""),
            "{arguments:?}: {outcome:?}"
        );
        outcome.stdout.trim_end().to_owned()
    }

    /// A container in the background, which runs a script.
    #[track_caller]
    pub fn start(&self, name: &str, flags: &[&str], script: &str) {
        let flags = [&["-d", "--name", name, "--memory", "64M"], flags].concat();
        let command = &mut self.world.run_as_docker(&flags, "image", &["sh", "-c", script]);
        let outcome = Running::start(command, "").wait();
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    }

    /// Likewise, which serves its name to who asks for a page.
    #[track_caller]
    pub fn serve(&self, name: &str, flags: &[&str]) {
        let script = format!(
            "mkdir /www; echo {name} >/www/index.html; busybox httpd -p 80 -h /www; echo up; exec sleep 1000"
        );
        self.start(name, flags, &script);
        self.is_up(name, 1);
    }

    /// It has said that it is up that often.
    #[track_caller]
    pub fn is_up(&self, name: &str, times: usize) {
        let said = || self.on(&["logs", name]);
        let is_up = || said().stdout.lines().filter(|line| *line == "up").count() == times;
        assert!(eventually(is_up), "{:?}", said());
    }

    /// What a shell in a running container says, whatever becomes of it.
    pub fn within(&self, name: &str, script: &str) -> String {
        self.on(&["exec", name, "sh", "-c", script]).stdout
    }

    /// A container's address on a network.
    #[track_caller]
    pub fn address(&self, name: &str, network: &str, is_v4: bool) -> IpAddr {
        let field = if is_v4 { "IPAddress" } else { "GlobalIPv6Address" };
        let template = format!("{{{{(index .NetworkSettings.Networks \"{network}\").{field}}}}}");
        let said = self.says(&["inspect", "-f", &template, name]);
        said.parse().unwrap_or_else(|_| panic!("{name} on {network}: {said:?}"))
    }

    /// The process that has a container's VM.
    pub fn supervisor(&self, name: &str) -> u32 {
        self.says(&["inspect", "-f", "{{.State.Pid}}", name]).parse().unwrap()
    }

    /// No interface, rule, namespace, program or file is left of any network.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let links = || said("ip", &["-o", "link"]);
        // The kernel takes its time to remove those of a namespace that has ended.
        assert!(eventually(|| links().lines().count() == 1), "{}", links());
        for program in ["iptables-save", "ip6tables-save"] {
            let rules = said(program, &[]);
            let left = |line: &&str| {
                ["10.89.", "fd", "--dport", "bh-"].iter().any(|part| line.contains(part))
            };
            let left: Vec<&str> = rules.lines().filter(left).collect();
            assert!(left.is_empty(), "{program}: {left:?}");
        }
        let server = Path::new(STATE).join("networks/aardvark-dns/aardvark.pid");
        assert!(eventually(|| !server.exists()), "the name server is still there");
        for folder in ["namespaces", "attached", "networks/aardvark-dns"] {
            let files = fs::read_dir(Path::new(STATE).join(folder)).into_iter().flatten().flatten();
            let files: Vec<_> = files.map(|entry| entry.file_name()).collect();
            assert!(files.is_empty(), "{folder}: {files:?}");
        }
        let mounts = fs::read_to_string("/proc/thread-self/mounts").unwrap();
        assert!(!mounts.contains("/run/bulkhead/namespaces"), "{mounts}");
        let joined = self.world.path(".local/share/bulkhead/networks/joined");
        assert_eq!(fs::read_dir(joined).unwrap().count(), 0);
        self.world.assert_nothing_left();
    }
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
