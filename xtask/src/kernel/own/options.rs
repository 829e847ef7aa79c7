//! The options of the kernel: fragments of a configuration, and whether Kconfig kept them.

use std::collections::HashMap;

use crate::arch::Arch;
use crate::error::Error;

/// A file of options.
#[derive(Debug)]
pub struct Fragment {
    /// Its path in the source tree.
    pub path: &'static str,
    /// Its content.
    pub text: &'static str,
}

/// An option and its value; none when it is off.
type Setting<'a> = (&'a str, Option<&'a str>);

macro_rules! fragment {
    ($name:literal) => {
        Fragment {
            path: concat!("boot/kernel/", $name),
            text: include_str!(concat!("../../../../boot/kernel/", $name)),
        }
    };
}

impl Fragment {
    /// Those for a kernel for `arch`.
    pub fn of(arch: Arch) -> [Fragment; 3] {
        let own = match arch {
            Arch::X86_64 => fragment!("x86_64.config"),
            Arch::Aarch64 => fragment!("aarch64.config"),
        };
        [fragment!("common.config"), fragment!("network.config"), own]
    }
}

/// Fails when a line of `fragments` is not true of the configuration that Kconfig made of them, and names each that is not:
/// Kconfig drops an option without a word when something that it depends on is missing, and takes one in again when another
/// one selects it.
pub fn check(fragments: &[Fragment], config: &str) -> Result<(), Error> {
    let made: HashMap<&str, Option<&str>> = config.lines().filter_map(setting).collect();
    let mut wrong = Vec::new();
    for Fragment { path, text } in fragments {
        for (number, line) in (1..).zip(text.lines()) {
            let place = format!("{path}:{number}: {line}");
            match setting(line) {
                Some((name, wanted)) => match (wanted, made.get(name).copied().flatten()) {
                    (wanted, found) if wanted == found => {}
                    (_, None) => {
                        wrong.push(format!("{place}: dropped; does what it depends on lack?"))
                    }
                    (None, Some(value)) => {
                        wrong.push(format!("{place}: came back as {value}; what selects it?"))
                    }
                    (_, Some(value)) => wrong.push(format!("{place}: became {value}")),
                },
                None if line.is_empty()
                    || (line.starts_with('#') && !line.starts_with("# CONFIG_")) => {}
                None => {
                    wrong.push(format!("{place}: neither CONFIG_X=value nor # CONFIG_X is not set"))
                }
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Content(wrong.join("\n"))) }
}

/// What a line of a configuration says, if anything.
fn setting(line: &str) -> Option<Setting<'_>> {
    if let Some(off) = line.strip_prefix("# ").and_then(|rest| rest.strip_suffix(" is not set")) {
        return off.starts_with("CONFIG_").then_some((off, None));
    }
    let (name, value) = line.split_once('=')?;
    name.starts_with("CONFIG_").then_some((name, Some(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "# Linux\nCONFIG_NET=y\n# CONFIG_PCI is not set\nCONFIG_USB=y\nCONFIG_HZ=100\nCONFIG_LSM=\"a,b\"\n";

    fn checked(text: &'static str) -> String {
        let fragment = Fragment { path: "f", text };
        check(&[fragment], CONFIG).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_line_that_is_kept_is_right() {
        let text = "# Why\n\nCONFIG_NET=y\n# CONFIG_PCI is not set\n# CONFIG_GONE is not set\nCONFIG_LSM=\"a,b\"\n";
        assert_eq!(checked(text), "");
    }

    #[test]
    fn each_line_that_did_not_survive_is_named() {
        let told = checked(
            "CONFIG_EROFS_FS=y\nCONFIG_NET=y\nCONFIG_PCI=y\n# CONFIG_USB is not set\nCONFIG_HZ=250\n",
        );
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 4, "{told}");
        assert!(lines[0].starts_with("f:1: CONFIG_EROFS_FS=y: dropped"));
        assert!(lines[1].starts_with("f:3: CONFIG_PCI=y: dropped"));
        assert!(lines[2].starts_with("f:4: # CONFIG_USB is not set: came back as y"));
        assert_eq!(lines[3], "f:5: CONFIG_HZ=250: became 100");
    }

    #[test]
    fn a_line_that_kconfig_would_pass_over_is_refused() {
        assert!(checked("CONFIG_NET").contains("f:1: CONFIG_NET: neither"));
        assert!(checked("# CONFIG_PCI not set").contains("neither"));
    }

    /// What docker's `check-config.sh` (moby, `contrib/`) asks for, without what `network.config` says no to, and why.
    const CHECK_CONFIG: &str = "\
        NAMESPACES NET_NS PID_NS IPC_NS UTS_NS CGROUPS CGROUP_CPUACCT CGROUP_DEVICE CGROUP_FREEZER CGROUP_SCHED CPUSETS \
        MEMCG KEYS VETH BRIDGE BRIDGE_NETFILTER IP_NF_FILTER IP_NF_MANGLE IP_NF_TARGET_MASQUERADE IP6_NF_FILTER \
        IP6_NF_MANGLE IP6_NF_TARGET_MASQUERADE NETFILTER_XT_MATCH_ADDRTYPE NETFILTER_XT_MATCH_CONNTRACK \
        NETFILTER_XT_MATCH_IPVS NETFILTER_XT_MARK IP_NF_RAW IP_NF_NAT NF_NAT IP6_NF_RAW IP6_NF_NAT POSIX_MQUEUE \
        CGROUP_BPF USER_NS SECCOMP SECCOMP_FILTER CGROUP_PIDS BLK_CGROUP BLK_DEV_THROTTLING CGROUP_PERF CGROUP_HUGETLB \
        NET_CLS_CGROUP CGROUP_NET_PRIO CFS_BANDWIDTH FAIR_GROUP_SCHED IP_NF_TARGET_REDIRECT IP_SCTP IP_VS IP_VS_NFCT \
        IP_VS_PROTO_TCP IP_VS_PROTO_UDP IP_VS_RR NFT_CT NFT_FIB_IPV4 NFT_FIB_IPV6 NFT_MASQ NFT_NAT NF_TABLES EXT4_FS \
        EXT4_FS_POSIX_ACL EXT4_FS_SECURITY EXT4_USE_FOR_EXT2 VXLAN BRIDGE_VLAN_FILTERING CRYPTO NETFILTER_XT_MATCH_BPF \
        CRYPTO_AEAD CRYPTO_GCM CRYPTO_SEQIV CRYPTO_GHASH XFRM XFRM_USER XFRM_ALGO INET_ESP \
        IPVLAN MACVLAN DUMMY NF_CONNTRACK_FTP NF_CONNTRACK_TFTP OVERLAY_FS";

    #[test]
    fn a_container_gets_what_docker_asks_for() {
        let fragments = Fragment::of(Arch::NATIVE);
        let lines = fragments.iter().flat_map(|fragment| fragment.text.lines());
        let named: HashMap<&str, Option<&str>> = lines.filter_map(setting).collect();
        let wanted = CHECK_CONFIG.split_whitespace().map(|name| format!("CONFIG_{name}"));
        let missing: Vec<String> =
            wanted.filter(|name| named.get(name.as_str()) != Some(&Some("y"))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn no_option_is_named_twice() {
        for arch in [Arch::X86_64, Arch::Aarch64] {
            let mut names = std::collections::HashSet::new();
            for Fragment { path, text } in Fragment::of(arch) {
                for (name, _) in text.lines().filter_map(setting) {
                    assert!(names.insert(name), "{path}: {name}");
                }
            }
        }
    }
}
