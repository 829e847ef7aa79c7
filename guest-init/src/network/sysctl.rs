//! Settings of the kernel's network, as files below `/proc/sys/net`.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use protocol::Sysctl;

use crate::error::{During, StartError};
use crate::log::log;

const FOLDER: &str = "/proc/sys";

/// What docker sets for a container's network (moby, `daemon/oci_linux.go`): ports below 1024, and ICMP echo sockets,
/// are every user's.
const USUAL: [(&str, &str); 2] =
    [("net/ipv4/ip_unprivileged_port_start", "0"), ("net/ipv4/ping_group_range", "0 2147483647")];

/// Sets it, where this kernel has it.
pub(super) fn set_usual() {
    for (name, value) in USUAL {
        match write(&Path::new(FOLDER).join(name), value.as_bytes()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                log(format_args!("{FOLDER}/{name}: {error}"));
            }
            _ => {}
        }
    }
}

/// Gets IPv6 on an interface ready before it is up: off where the host gave it no address, as in docker; else without
/// what routers say (accept_ra) and without waiting whether somebody has the link-local address (accept_dad,
/// linux/Documentation/networking/ip-sysctl.rst): all of that is the host's to say.
pub(super) fn prepare_ipv6(interface: &str, wanted: bool) -> Result<(), StartError> {
    let folder = Path::new(FOLDER).join("net/ipv6/conf").join(interface);
    let settings: &[(&str, &str)] = match wanted {
        true => &[("disable_ipv6", "0"), ("accept_ra", "0"), ("accept_dad", "0")],
        false => &[("disable_ipv6", "1")],
    };
    for (name, value) in settings {
        match write(&folder.join(name), value.as_bytes()) {
            // A kernel without IPv6. Where it is wanted, the first address says so.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => result.during(format!("interface {interface}: set {name} to {value}"))?,
        }
    }
    Ok(())
}

/// Whether IPv6 is off altogether: what moby asks (`daemon/libnetwork/osl`) before it writes lines of IPv6 in
/// /etc/hosts.
pub(crate) fn ipv6_is_off() -> bool {
    let file = Path::new(FOLDER).join("net/ipv6/conf/lo/disable_ipv6");
    std::fs::read(file).map_or(true, |value| value.trim_ascii() != b"0")
}

/// Makes one setting of the host's.
pub(super) fn set(sysctl: &Sysctl) -> Result<(), StartError> {
    let made = write(&path(sysctl), sysctl.value.as_bytes()).map_err(|error| match error.kind() {
        ErrorKind::NotFound => io::Error::other("the guest's kernel has no such setting"),
        ErrorKind::InvalidInput => io::Error::other("the guest's kernel takes no such value"),
        _ => error,
    });
    made.during(format!("sysctl {}={}", sysctl.key, sysctl.value))
}

/// Its file: below `/proc/sys/net`, as [`protocol::Network::check`] has made sure.
fn path(sysctl: &Sysctl) -> PathBuf {
    let parts = sysctl.parts().map(OsStr::from_bytes);
    Path::new(FOLDER).components().map(|part| part.as_os_str()).chain(parts).collect()
}

/// In one write: each is a new value.
fn write(path: &Path, value: &[u8]) -> io::Result<()> {
    let written = OpenOptions::new().write(true).open(path)?.write(value)?;
    if written == value.len() { Ok(()) } else { Err(ErrorKind::InvalidInput.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_file_of_that_name() {
        let at = |key: &str| path(&Sysctl { key: key.into(), value: "1".into() });
        assert_eq!(at("net.ipv4.ip_forward"), Path::new("/proc/sys/net/ipv4/ip_forward"));
        assert_eq!(at("net/ipv4/conf/eth0.1/tag"), Path::new("/proc/sys/net/ipv4/conf/eth0.1/tag"));
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name_and_value() {
        let sysctl = Sysctl { key: "net.ipv4.no_such_setting".into(), value: "7".into() };
        assert_eq!(
            set(&sysctl).unwrap_err().to_string(),
            "sysctl net.ipv4.no_such_setting=7: the guest's kernel has no such setting"
        );
    }
}
