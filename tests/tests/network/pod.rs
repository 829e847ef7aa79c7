//! A network namespace as CNI's plugin `bridge` makes one for a pod: a veth pair, whose other end is a bridge's port.

use std::process::Command;

use bulkhead_tests::{alone, have, skip, tool};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// The namespace's addresses, and those of the bridge, which is its gateway (RFC 5737 and RFC 3849: nobody else's).
pub const POD: &str = "192.0.2.2";
pub const POD_V6: &str = "2001:db8::2";
pub const GATEWAY: &str = "192.0.2.1";
pub const GATEWAY_V6: &str = "2001:db8::1";
pub const MAC: &str = "02:00:00:00:00:2a";
pub const MTU: u32 = 1400;

/// Somebody on the bridge whose hardware address is set by hand.
pub const NEIGHBOUR: &str = "192.0.2.9 dev eth0 lladdr 02:00:00:00:00:09";

/// Where `ip netns` has namespaces (ip-netns(8)).
const NAMES: &str = "/run/netns";

/// What attaching a VM takes of a kernel, and one without has no such network.
const TRIAL: [&str; 5] = [
    "ip link add try0 type veth peer name try1",
    "tc qdisc add dev try0 ingress",
    "tc filter add dev try0 parent ffff: u32 match u8 0 0 action mirred egress redirect dev try1",
    "ip link delete try0",
    "ip link add cni0 type bridge",
];

/// A namespace with a name, which the test's thread and its programs see, and nobody else. It ends with them.
pub struct Pod {
    name: String,
}

impl Pod {
    /// In a network namespace of the test's own, where the bridge is; programs that the test starts are there. `None` where
    /// that can't be, after a line that says so.
    pub fn new(test: &str) -> Option<Self> {
        if !have(test, &["ip", "tc", "busybox"]) || !alone(test) {
            return None;
        }
        // SAFETY: the thread has mounts and a working folder of its own from then on; it shares all else.
        if let Err(error) = unsafe { unshare_unsafe(UnshareFlags::NEWNS) } {
            skip(test, &format!("no mount namespace: {error}"));
            return None;
        }
        tool("mount", &["--make-rprivate", "/"]);
        // Where `ip netns` has names.
        tool("mkdir", &["-p", NAMES]);
        tool("mount", &["-t", "tmpfs", "names", NAMES]);
        if let Some((line, why)) = TRIAL.iter().find_map(|line| Some((line, run(line).err()?))) {
            skip(test, &format!("{line}: {why}"));
            return None;
        }
        let pod = Self::empty("pod");
        pod.connect();
        Some(pod)
    }

    /// One with nothing but its loopback interface.
    pub fn empty(name: &str) -> Self {
        let pod = Self { name: name.to_owned() };
        tool("ip", &["netns", "add", &pod.name]);
        pod.ip("link set lo up");
        pod
    }

    fn connect(&self) {
        let name = &self.name;
        for line in [
            &format!("ip address add {GATEWAY}/24 dev cni0"),
            &format!("ip address add {GATEWAY_V6}/64 dev cni0 nodad"),
            "ip link set cni0 up",
            &format!("ip link add veth0 type veth peer name eth0 netns {name}"),
            "ip link set veth0 master cni0 up",
        ] {
            run(line).unwrap_or_else(|why| panic!("{line}: {why}"));
        }
        for line in [
            &format!("link set eth0 address {MAC} mtu {MTU} up"),
            &format!("address add {POD}/24 dev eth0"),
            &format!("address add {POD_V6}/64 dev eth0 nodad"),
            &format!("route add default via {GATEWAY}"),
            &format!("route add default via {GATEWAY_V6}"),
            &format!("neighbour add {NEIGHBOUR} nud permanent"),
        ] {
            self.ip(line);
        }
    }

    /// `ip` in it; what it says.
    pub fn ip(&self, line: &str) -> String {
        let line = format!("ip -n {} {line}", self.name);
        run(&line).unwrap_or_else(|why| panic!("{line}: {why}"))
    }

    /// Where it is.
    pub fn path(&self) -> String {
        format!("{NAMES}/{}", self.name)
    }

    /// As a flag.
    pub fn flag(&self) -> String {
        format!("--network=ns:{}", self.path())
    }

    /// What a VM changes in it: its devices, and what becomes of what comes in.
    pub fn dump(&self) -> String {
        let filters = format!("tc -n {} filter show dev eth0 ingress", self.name);
        let qdiscs = format!("tc -n {} qdisc show", self.name);
        let of_tc = [qdiscs, filters].map(|line| run(&line).unwrap());
        self.ip("-brief link") + &of_tc.concat()
    }
}

/// A command line without quotes; what it says, or what it says of its failure.
fn run(line: &str) -> Result<String, String> {
    let mut words = line.split(' ');
    let output = Command::new(words.next().unwrap()).args(words).output();
    let output = output.map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr).trim().replace('\n', "; ")),
    }
}
