//! `network-interfaces`.

use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

use devices::virtio::net::Link;
use devices::virtio::rate::{Limit, RateLimits};
use egress_rules::Policy;

use super::egress;
use super::json::{FieldError, Object};

/// What an MTU may be: from the least that IPv4 works with (RFC 791, §3.1) to the most that the field of the
/// configuration space holds (virtio 1.2 §5.1.4); Firecracker's limits.
const MTU: std::ops::RangeInclusive<u64> = 68..=65535;
/// Descriptors below are stdin, stdout and stderr.
const FIRST_DESCRIPTOR: u64 = 3;
/// The longest name of a network interface, in bytes (linux/if.h: IFNAMSIZ, with its end).
const NAME_MAX: usize = 15;

/// One network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name in messages.
    pub id: String,
    /// What its frames go through.
    pub source: InterfaceSource,
    /// Address, MTU and limits.
    pub link: Link,
    /// What its guest may reach (ours). `None`: everything.
    pub egress: Option<Policy>,
    /// The memory in which it tells of itself (ours), by the number of the descriptor.
    pub report: Option<RawFd>,
}

impl Interface {
    /// The descriptors that it names.
    pub fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        let end = match self.source {
            InterfaceSource::Descriptor(number) => Some(number),
            _ => None,
        };
        end.into_iter().chain(self.report)
    }
}

/// What a network interface's frames go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterfaceSource {
    /// The TAP of this name.
    Tap(String),
    /// A TAP, or a Unix stream socket, that whoever starts the VM has opened (ours).
    Descriptor(RawFd),
    /// The Unix stream socket of a program like passt, which listens at this path (ours).
    Socket(PathBuf),
}

pub(super) fn interface(mut object: Object, others: &[Interface]) -> Result<Interface, FieldError> {
    let id: String = object.required("iface_id")?;
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(object.error("iface_id", format!("{id:?}: expected letters, digits and `_`")));
    }
    if others.iter().any(|other| other.id == id) {
        let problem = format!("{id:?}: expected a name that no other interface has");
        return Err(object.error("iface_id", problem));
    }
    let source = source(&mut object, others)?;
    let mac = mac(&mut object, others)?;
    let mtu: Option<u64> = object.optional("mtu")?;
    if let Some(mtu) = mtu.filter(|mtu| !MTU.contains(mtu)) {
        let problem = format!("{mtu}: expected {} to {}", MTU.start(), MTU.end());
        return Err(object.error("mtu", problem));
    }
    let rx = object.object("rx_rate_limiter")?.map_or_else(|| Ok(RateLimits::default()), limits)?;
    let tx = object.object("tx_rate_limiter")?.map_or_else(|| Ok(RateLimits::default()), limits)?;
    let egress = egress::policy(&mut object, mac)?;
    let report = report(&mut object, &source, others)?;
    object.finish()?;
    let link = Link { mac, mtu: mtu.map(|mtu| mtu as u16), rx, tx };
    Ok(Interface { id, source, link, egress, report })
}

fn report(
    object: &mut Object,
    source: &InterfaceSource,
    others: &[Interface],
) -> Result<Option<RawFd>, FieldError> {
    let Some(number) = object.optional("report_fd")? else { return Ok(None) };
    let fd = descriptor(object, "report_fd", number)?;
    let taken = *source == InterfaceSource::Descriptor(fd);
    if taken || others.iter().flat_map(Interface::descriptors).any(|other| other == fd) {
        let problem = format!("{fd}: expected a descriptor that is named only once");
        return Err(object.error("report_fd", problem));
    }
    Ok(Some(fd))
}

fn descriptor(object: &Object, field: &str, number: u64) -> Result<RawFd, FieldError> {
    let fits = RawFd::try_from(number).ok().filter(|_| number >= FIRST_DESCRIPTOR);
    fits.ok_or_else(|| {
        let problem = format!("{number}: expected {FIRST_DESCRIPTOR} to {}", RawFd::MAX);
        object.error(field, problem)
    })
}

fn source(object: &mut Object, others: &[Interface]) -> Result<InterfaceSource, FieldError> {
    let name: Option<String> = object.optional("host_dev_name")?;
    let number: Option<u64> = object.optional("fd")?;
    let socket: Option<String> = object.optional("socket")?;
    match (name, number, socket) {
        (Some(name), None, None) => {
            let valid = (1..=NAME_MAX).contains(&name.len()) && !name.starts_with('.');
            let strange = |byte: u8| b"/:%".contains(&byte) || !byte.is_ascii_graphic();
            if !valid || name.bytes().any(strange) {
                let problem =
                    format!("{name:?}: expected the name of a TAP, 1 to {NAME_MAX} bytes");
                return Err(object.error("host_dev_name", problem));
            }
            let source = InterfaceSource::Tap(name);
            if others.iter().any(|other| other.source == source) {
                let problem = "expected a TAP that no other interface has";
                return Err(object.error("host_dev_name", problem));
            }
            Ok(source)
        }
        (None, Some(number), None) => {
            let fd = descriptor(object, "fd", number)?;
            if others.iter().flat_map(Interface::descriptors).any(|other| other == fd) {
                let problem = format!("{fd}: expected a descriptor that no other interface has");
                return Err(object.error("fd", problem));
            }
            Ok(InterfaceSource::Descriptor(fd))
        }
        (None, None, Some(path)) if path.is_empty() => {
            Err(object.error("socket", "\"\": expected the path of a Unix stream socket"))
        }
        (None, None, Some(path)) => Ok(InterfaceSource::Socket(path.into())),
        (None, None, None) => {
            let problem = "missing field, expected this, `fd` or `socket`";
            Err(object.error("host_dev_name", problem))
        }
        (Some(_), _, _) => {
            let problem = "expected one of this, `fd` and `socket`, not several";
            Err(object.error("host_dev_name", problem))
        }
        (None, Some(_), Some(_)) => {
            Err(object.error("fd", "expected either this or `socket`, not both"))
        }
    }
}

fn mac(object: &mut Object, others: &[Interface]) -> Result<Option<[u8; 6]>, FieldError> {
    let Some(text) = object.optional::<String>("guest_mac")? else { return Ok(None) };
    // IEEE 802.3 §3.2.3: the lowest bit of the first byte stands for a group.
    let Some(mac) = parse_mac(&text).filter(|mac| mac[0] & 1 == 0 && *mac != [0; 6]) else {
        let problem = format!("{text:?}: expected the address of one card, like 06:00:ac:10:00:02");
        return Err(object.error("guest_mac", problem));
    };
    if others.iter().any(|other| other.link.mac == Some(mac)) {
        let problem = format!("{text:?}: expected an address that no other interface has");
        return Err(object.error("guest_mac", problem));
    }
    Ok(Some(mac))
}

fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        let part = parts.next()?;
        let hexadecimal = part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
        *byte = u8::from_str_radix(part, 16).ok().filter(|_| hexadecimal)?;
    }
    parts.next().is_none().then_some(mac)
}

/// Firecracker's `rate_limiter`: a bucket without a size or a time limits nothing.
fn limits(mut object: Object) -> Result<RateLimits, FieldError> {
    let bandwidth = object.object("bandwidth")?.map(limit).transpose()?;
    let ops = object.object("ops")?.map(limit).transpose()?;
    object.finish()?;
    Ok(RateLimits { bandwidth, ops })
}

fn limit(mut object: Object) -> Result<Limit, FieldError> {
    let size = object.required("size")?;
    let one_time_burst = object.optional("one_time_burst")?.unwrap_or(0);
    let refill_time = Duration::from_millis(object.required("refill_time")?);
    object.finish()?;
    Ok(Limit { size, one_time_burst, refill_time })
}
