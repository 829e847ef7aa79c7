//! A host of a test's own, with networks and containers, whose guests the test plays.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::thread;

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::super::super::attachment::parse_mac;
use super::super::super::firewall::Firewall;
use super::super::super::{HostNetwork, Identity, NewNetwork, Wish};
use super::node::Node;
use super::*;
use crate::container::tests::sample::draft;
use crate::network::NetworkMode;
use crate::network::testing::until;

/// Where netavark keeps names.
const NAMES: &str = "/run/bulkhead/networks/aardvark-dns";

pub struct World {
    pub networks: Networks,
    pub containers: Containers,
    _work: tempfile::TempDir,
}

/// Runs a test in namespaces of its own, or says why not.
pub fn alone(test: &str, run: impl FnOnce(&World) + Send + 'static) {
    let skip = |why: &str| println!("SKIPPED: {test}: {why}");
    if !geteuid().is_root() {
        return skip("only root can do this");
    }
    for program in ["ip", "nsenter", "iptables-save", "ip6tables-save"] {
        if [Path::new("/usr/sbin"), Path::new("/usr/bin"), Path::new("/sbin")]
            .iter()
            .all(|folder| !folder.join(program).exists())
        {
            return skip(&format!("{program} is not installed"));
        }
    }
    let work = thread::spawn(move || {
        enter_new().unwrap();
        match Netavark::wait() {
            Ok(_) => {}
            Err(error @ NetavarkError::Missing(_)) => return Some(error.to_string()),
            Err(error) => panic!("{error}"),
        }
        for probe in [
            &["ip", "link", "add", "probe", "type", "bridge"][..],
            &["ip", "link", "add", "probe1", "type", "veth", "peer", "probe2"],
            &[
                "iptables",
                "-t",
                "nat",
                "-A",
                "POSTROUTING",
                "-m",
                "addrtype",
                "--dst-type",
                "LOCAL",
                "-j",
                "MASQUERADE",
            ],
            &[
                "ip6tables",
                "-t",
                "nat",
                "-A",
                "POSTROUTING",
                "-m",
                "comment",
                "--comment",
                "x",
                "-j",
                "MASQUERADE",
            ],
        ] {
            let tried = Command::new(probe[0]).args(&probe[1..]).output();
            if !tried.is_ok_and(|tried| tried.status.success()) {
                return Some(format!("this kernel does not do: {}", probe.join(" ")));
            }
        }
        command("ip", &["link", "del", "probe"]);
        command("ip", &["link", "del", "probe1"]);
        for program in ["iptables", "ip6tables"] {
            command(program, &["-t", "nat", "-F"]);
        }
        command("ip", &["link", "set", "lo", "up"]);
        let work = tempfile::tempdir().unwrap();
        let networks = Networks::open(work.path().join("networks")).unwrap();
        let containers = Containers::open(work.path().join("containers")).unwrap();
        run(&World { networks, containers, _work: work });
        None
    });
    match work.join() {
        Ok(None) => {}
        Ok(Some(why)) => skip(&why),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

pub fn command(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

/// Moves the calling thread into network and mount namespaces of its own, where /run is empty. Its children are there too.
fn enter_new() -> io::Result<()> {
    // SAFETY: descriptors stay shared; the working directory and the mounts become this thread's own, and no other thread
    // relies on its having the same.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET | UnshareFlags::NEWNS) }?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private)?;
    mount("none", "/run", "tmpfs", MountFlags::empty(), None)?;
    // Temporary files may have had their folder there.
    fs::create_dir_all(std::env::temp_dir())
}

/// Whether there is such a process, and it has not ended.
pub fn is_alive(process: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

pub fn named(name: &str) -> NewNetwork {
    NewNetwork { name: name.to_owned(), ..NewNetwork::default() }
}

impl World {
    pub fn network(&self, new: NewNetwork) -> Network {
        self.networks.create(new, &HostNetwork::read().unwrap()).unwrap()
    }

    /// One that is on these networks, as `NAME:alias=…,ip=…,mac=…`.
    pub fn container(&self, name: &str, networks: &[&str]) -> Node<'_> {
        let wishes = networks.iter().map(|text| {
            let (network, options) = text.split_once(':').unwrap_or((text, ""));
            let mut identity = Identity::default();
            for option in options.split(',').filter(|option| !option.is_empty()) {
                match option.split_once('=').unwrap() {
                    ("alias", alias) => drop(identity.aliases.insert(alias.to_owned())),
                    ("ip", ip) => identity.addresses.push(ip.parse().unwrap()),
                    ("mac", mac) => identity.mac = Some(parse_mac(mac).unwrap()),
                    _ => panic!("{option}"),
                }
            }
            Wish { network: network.to_owned(), identity }
        });
        let wishes: Vec<Wish> = wishes.collect();
        let (networks, _kept) = self.networks.resolve(&wishes).unwrap();
        let mut config = Config { networks, ..draft(name) };
        config.plan.container.network.mode = NetworkMode::Names;
        let container = self.containers.create(config).unwrap();
        Node::new(container, self)
    }

    pub fn ip(&self, arguments: &[&str]) -> String {
        self.run("ip", arguments)
    }

    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        command(program, arguments)
    }

    /// All rules of whichever firewall netavark takes.
    pub fn rules(&self) -> String {
        let (all, is_rule): (String, fn(&&str) -> bool) = match self.firewall() {
            Firewall::Iptables => {
                let both = self.run("iptables-save", &[]) + &self.run("ip6tables-save", &[]);
                (both, |line| line.starts_with("-A"))
            }
            Firewall::Nftables => (self.run("nft", &["list", "ruleset", "inet"]), |_| true),
        };
        all.lines().filter(is_rule).map(|line| format!("{line}\n")).collect()
    }

    /// Takes all rules away.
    pub fn flush(&self) {
        match self.firewall() {
            Firewall::Iptables => {
                for table in ["nat", "filter"] {
                    self.run("iptables", &["-t", table, "-F"]);
                    self.run("iptables", &["-t", table, "-X"]);
                }
            }
            Firewall::Nftables => drop(self.run("nft", &["flush", "ruleset"])),
        }
    }

    /// How many packets the rules that keep networks apart have dropped.
    pub fn dropped(&self) -> u64 {
        let (rules, before) = match self.firewall() {
            Firewall::Iptables => {
                let rules = self.run("iptables", &["-nvxL", "NETAVARK_ISOLATION_2"]);
                let lines = rules.lines().filter(|line| line.contains("DROP"));
                (lines.map(|line| format!("{line}\n")).collect(), "")
            }
            Firewall::Nftables => {
                let chain = ["inet", "netavark", "NETAVARK-ISOLATION-2"];
                let listed = || self.run("nft", &[&["list", "chain"], &chain[..]].concat());
                if !listed().contains("counter") {
                    self.run("nft", &[&["insert", "rule"], &chain[..], &["counter"]].concat());
                }
                (listed(), "counter packets ")
            }
        };
        let counts = rules.lines().filter_map(|line| line.split_once(before));
        counts
            .map(|(_, rest)| rest.split_whitespace().next().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    fn firewall(&self) -> Firewall {
        Firewall::of(&Netavark::wait().unwrap())
    }

    /// The process that knows names.
    pub fn name_server(&self) -> Option<i32> {
        fs::read_to_string(Path::new(NAMES).join("aardvark.pid")).ok()?.trim().parse().ok()
    }

    /// Nothing is left of any container.
    pub fn is_clean(&self) {
        until("the name server has ended", || self.name_server().is_none());
        let host = HostNetwork::read().unwrap();
        assert!(host.bridges.is_empty() && host.ports.is_empty(), "{host:?}");
        let rules = self.rules();
        for network in self.networks.list().unwrap() {
            assert!(!rules.contains(&network.interface), "{rules}");
            for range in &network.ranges {
                assert!(!rules.contains(&range.subnet.to_string()), "{rules}");
            }
            let leases = self.networks.leases(&network).unwrap();
            assert!(
                self.containers.list().unwrap().iter().all(|one| leases.of(one.id()).is_none())
            );
        }
        // netavark's name server has a rule of its own.
        assert!(!rules.contains("--dport") && !rules.contains("tcp dport"), "{rules}");
        let names = fs::read_dir(NAMES).into_iter().flatten().count();
        let joined = fs::read_dir(self.networks.folder().join("joined")).unwrap().count();
        assert_eq!((names, joined), (0, 0));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Of a test that has failed.
        let name = |process: &i32| fs::read_to_string(format!("/proc/{process}/comm"));
        if let Some(server) = self.name_server()
            && name(&server).is_ok_and(|name| name.trim() == "aardvark-dns")
        {
            let _ = kill_process(Pid::from_raw(server).unwrap(), Signal::KILL);
        }
    }
}
