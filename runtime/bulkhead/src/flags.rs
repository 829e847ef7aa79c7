//! The image and the flags of a container.

use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use clap::{ArgAction, Args};
use containers::network::ExtraHost;
use egress_rules::Rule;
use protocol::{Limit, MacAddress, Sysctl, Tmpfs};

use crate::capabilities::parse_capability;
use crate::commands::pull::PullPolicy;
use crate::egress::parse_egress;
use crate::network::{
    NetworkFlag, parse_add_host, parse_dns, parse_dns_option, parse_dns_search, parse_ip,
    parse_ip6, parse_mac, parse_network, parse_sysctl,
};
use crate::publish::{Exposed, Published, parse_expose, parse_publish};
use crate::security::{SecurityOption, parse_security_option};
use crate::size::{parse_cpus, parse_memory, parse_scratch, parse_shared_memory};
use crate::tmpfs::parse_tmpfs;
use crate::uid_base::parse_uid_base;
use crate::ulimit::parse_ulimit;

/// What to run, in what machine.
// With no struct flattened into it: clap leaves the group of one that has others empty, and --bundle excludes this group.
#[derive(Clone, Debug, Args)]
pub struct Flags {
    /// The image, and perhaps a command and its arguments instead of the image's own
    ///
    /// Flags go before it: all that follows is the command's.
    #[arg(value_names = ["IMAGE", "COMMAND"], num_args = 0.., trailing_var_arg = true)]
    words: Vec<OsString>,
    /// When to pull an image by name from its registry
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = PullPolicy::Missing)]
    pub pull: PullPolicy,
    /// Show no progress of a pull
    #[arg(long, short)]
    pub quiet: bool,
    /// Whether to check the registry's certificate; false also allows HTTP, and only for a registry on this machine
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = ArgAction::Set
    )]
    pub tls_verify: bool,
    /// Number of virtual CPUs, 1 to 32
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_cpus)]
    pub cpus: u32,
    /// Memory of the container, 64M or more; its kernel takes what it needs besides
    #[arg(long, short, value_name = "SIZE", default_value = "256M", value_parser = parse_memory)]
    pub memory: u64,
    /// Size of a disk for what the container writes; without it, that is memory
    #[arg(long, value_name = "SIZE", value_parser = parse_scratch)]
    pub scratch: Option<u64>,
    /// Set an environment variable; NAME alone takes this process's value
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    pub env: Vec<OsString>,
    /// Likewise, each line of a file; --env goes before it
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// Run PROGRAM instead of the image's entrypoint and command; '' for neither
    #[arg(long, value_name = "PROGRAM")]
    pub entrypoint: Option<OsString>,
    /// Working directory inside the container
    #[arg(long, short, value_name = "PATH")]
    pub workdir: Option<OsString>,
    /// User and group inside the container, names or numbers
    #[arg(long, short, value_name = "USER[:GROUP]")]
    pub user: Option<OsString>,
    /// Host name inside the container [default: the first 12 digits of its ID]
    #[arg(long, short = 'h', value_name = "NAME")]
    pub hostname: Option<OsString>,
    /// Refuse writes to the root file system
    #[arg(long)]
    pub read_only: bool,
    /// Mount a memory file system; size=, mode=, exec
    #[arg(long, value_name = "PATH[:OPTIONS]", value_parser = parse_tmpfs)]
    pub tmpfs: Vec<Tmpfs>,
    /// Size of /dev/shm [default: 64M]
    #[arg(long, value_name = "SIZE", value_parser = parse_shared_memory)]
    pub shm_size: Option<u64>,
    /// Allow a capability that is not in the default set; ALL for all
    #[arg(long, value_name = "CAP", value_parser = parse_capability)]
    pub cap_add: Vec<u64>,
    /// Take a capability of the default set away; ALL for all
    #[arg(long, value_name = "CAP", value_parser = parse_capability)]
    pub cap_drop: Vec<u64>,
    /// Set a resource limit, like nofile=1024:4096; -1 for none
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = parse_ulimit)]
    pub ulimit: Vec<Limit>,
    /// no-new-privileges, or seccomp=unconfined
    #[arg(long, value_name = "OPTION", value_parser = parse_security_option)]
    pub security_opt: Vec<SecurityOption>,
    /// What it is connected with: none, user (as any program of this user's, by passt; user:mtu=BYTES,host-loopback), ns:PATH (a network namespace's interfaces), or a network by its name, with alias=NAME, ip=ADDRESS, mac=ADDRESS [default: user]
    ///
    /// With host-loopback, the gateway's address leads to what listens on this machine's loopback interface. With ns:PATH, as
    /// ns:/run/netns/NAME, the container has the addresses, routes and hardware addresses that are there; it takes root. So do
    /// networks that have names: `bulkhead network create` makes them, and a container can be on several.
    #[arg(long, visible_alias = "net", value_name = "NETWORK", value_parser = parse_network)]
    pub network: Vec<NetworkFlag>,
    /// Let its ports be reached on this host; without HOST, on a free one that `port` and `ps` tell
    #[arg(long, short, value_name = "[[IP:]HOST:]PORT[/PROTOCOL]", value_parser = parse_publish)]
    pub publish: Vec<Published>,
    /// Publish, each on a free port, what the image and --expose say that its programs listen on
    #[arg(long, short = 'P')]
    pub publish_all: bool,
    /// A port that its programs listen on; -P publishes it
    #[arg(long, value_name = "PORT[/PROTOCOL]", value_parser = parse_expose)]
    pub expose: Vec<Exposed>,
    /// Whom to ask for names [default: who this host asks]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_dns)]
    pub dns: Vec<IpAddr>,
    /// A domain that short names are tried in; . for none [default: this host's]
    #[arg(long, value_name = "DOMAIN", value_parser = parse_dns_search)]
    pub dns_search: Vec<String>,
    /// An option of resolv.conf, like ndots:2 [default: this host's]
    #[arg(long, visible_alias = "dns-opt", value_name = "OPTION", value_parser = parse_dns_option)]
    pub dns_option: Vec<String>,
    /// A name that it knows; host-gateway for this host
    #[arg(long, value_name = "NAME:ADDRESS", value_parser = parse_add_host)]
    pub add_host: Vec<ExtraHost>,
    /// Its address: in 10.0.2.0/24, or in the subnet of the only network [default: 10.0.2.100]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_ip)]
    pub ip: Option<Ipv4Addr>,
    /// Likewise: in fd00:0:0:2::/64, where this host has IPv6, or in the only network's [default: fd00:0:0:2::100]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_ip6)]
    pub ip6: Option<Ipv6Addr>,
    /// Its hardware address [default: made of its address]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_mac)]
    pub mac_address: Option<MacAddress>,
    /// Set the network of its kernel up, as net.ipv4.ip_forward=1
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_sysctl)]
    pub sysctl: Vec<Sysctl>,
    /// Let it reach this and nothing else: 10.0.0.0/8:443, [fd00::7]:80/tcp, example.org, *.example.org:443; dns for any question
    ///
    /// A name stands for the addresses that it resolves to, whoever else is there. Whoever is let in by --publish is answered.
    #[arg(long, value_name = "RULE", value_parser = parse_egress)]
    pub egress: Vec<Rule>,
    /// Let rules of --egress with addresses open link-local ones too, at which clouds hand out credentials
    #[arg(long)]
    pub egress_link_local: bool,
    /// As root: the first of the 65536 numbers of users, of which each VM gets one for itself [default: 2113929216]
    #[arg(long, value_name = "UID", value_parser = parse_uid_base)]
    pub uid_base: Option<u32>,
    /// Show the guest kernel's console on stderr
    #[arg(long)]
    pub console: bool,
    /// Guest kernel: vmlinux or bzImage for x86_64, Image (also packed as gzip or EFI zboot) for aarch64
    #[arg(long, value_name = "PATH")]
    pub kernel: Option<PathBuf>,
    /// Folder of the kernel's modules, NN-name.ko in load order
    #[arg(long, value_name = "DIR")]
    pub modules: Option<PathBuf>,
    /// A whole initramfs instead of guest-init and modules
    #[arg(long, value_name = "PATH", conflicts_with = "modules")]
    pub initramfs: Option<PathBuf>,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

impl Flags {
    /// The image, if one was named.
    pub fn image(&self) -> Option<&OsStr> {
        self.words.first().map(OsString::as_os_str)
    }

    /// Names the image where the person has named none.
    pub fn set_image(&mut self, image: OsString) {
        self.words = vec![image];
    }

    /// The command to run instead of the image's own; empty for that. A `--` between image and command may be.
    pub fn command(&self) -> &[OsString] {
        match self.words.get(1..).unwrap_or_default() {
            [first, command @ ..] if first == "--" => command,
            command => command,
        }
    }
}
