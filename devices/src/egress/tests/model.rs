//! What may pass, said in the most obvious way: conditions on bytes at fixed places, and lists that are searched from
//! one end to the other and never shortened.

use egress_rules::{Protocol, Rule};

use super::frames::{MAC, OWN4, OWN6, RESOLVER};
use super::*;

fn word(frame: &[u8], place: usize) -> usize {
    usize::from(frame[place]) * 256 + usize::from(frame[place + 1])
}

/// Whether a frame of IPv4 or IPv6 may pass if only these rules count, all of networks, and nobody ever came in.
pub fn may_pass(rules: &[Rule], frame: &[u8]) -> bool {
    // The shortest: Ethernet, IPv4, UDP.
    if frame.len() < 42 || frame[6..12] != MAC {
        return false;
    }
    let (header, protocol, length, from, to) = match frame[12..15] {
        [0x08, 0x00, 0x45] if word(frame, 20).is_multiple_of(0x4000) => {
            let at = |place: usize| {
                IpAddr::from([frame[place], frame[place + 1], frame[place + 2], frame[place + 3]])
            };
            (34, frame[23], 14 + word(frame, 16), at(26), at(30))
        }
        [0x86, 0xdd, first] if first / 16 == 6 && frame.len() >= 62 => {
            let at = |place: usize| {
                let mut address = [0; 16];
                address.copy_from_slice(&frame[place..place + 16]);
                IpAddr::from(address)
            };
            (54, frame[20], 54 + word(frame, 18), at(22), at(38))
        }
        _ => return false,
    };
    let padding = frame.len().checked_sub(length);
    let whole = padding == Some(0)
        || padding.is_some() && frame.len() <= 60 && frame[length..].iter().all(|byte| *byte == 0);
    let ours = from == address(if from.is_ipv4() { OWN4 } else { OWN6 });
    if !whole || length < header + 8 || !ours || is_never(to) {
        return false;
    }
    let port = word(frame, header + 2) as u16;
    let service = match (protocol, from.is_ipv4()) {
        (6, _) => {
            let offset = usize::from(frame[(header + 12).min(frame.len() - 1)] / 16) * 4;
            if length < header + 20 || offset < 20 || header + offset > length || port == 53 {
                return false;
            }
            Some((Protocol::Tcp, port))
        }
        (17, _) => {
            if word(frame, header + 4) != length - header || port == 53 {
                return false;
            }
            Some((Protocol::Udp, port))
        }
        (1, true) => match (frame[header], frame[header + 1]) {
            (8, _) => None,
            (3, code) if code != 4 => None,
            _ => return false,
        },
        (58, false) if [1, 128].contains(&frame[header]) => None,
        _ => return false,
    };
    rules.iter().any(|rule| match (rule, service) {
        (Rule::Network(network, ports), Some((protocol, port))) => {
            network.contains(to) && ports.covers(protocol, port)
        }
        (Rule::Network(network, ports), None) => {
            network.contains(to) && ports.ports.is_none() && ports.protocol.is_none()
        }
        _ => false,
    })
}

/// Addresses for no rule, among those that tests use.
fn is_never(address: IpAddr) -> bool {
    let text = address.to_string();
    let v4 = |text: &str| ["169.254.", "127.", "0."].iter().any(|start| text.starts_with(start));
    match text.strip_prefix("::ffff:") {
        Some(mapped) => v4(mapped),
        None => v4(&text) || text.starts_with("fe80:") || text == "::" || text == "::1",
    }
}

/// Something that happens, to or from port 40000 of the guest.
#[derive(Clone, Debug)]
pub enum Event {
    /// The guest asks for a name under a number.
    Ask { name: &'static str, id: u16 },
    /// The resolver answers, with an address and for how many seconds that is good.
    Answer { name: &'static str, id: u16, address: &'static str, good: u32 },
    /// A peer sends: TCP with these flags, or UDP.
    In { peer: (&'static str, u16), flags: Option<u8> },
    /// The guest sends.
    Out { peer: (&'static str, u16), flags: Option<u8> },
    /// Seconds go by.
    Wait(u64),
}

type Peer = (&'static str, u16);

/// All that happened so far.
#[derive(Default)]
pub struct Model {
    pub now: u64,
    asked: Vec<(&'static str, u16, u64)>,
    /// Address, name, and until when.
    good: Vec<(&'static str, &'static str, u64)>,
    /// Peer, whether TCP, and until when; began outside or inside.
    flows: Vec<(Peer, bool, u64)>,
}

impl Model {
    /// Whether what happens passes, with the rules `a.example:443` and `*.b.example`.
    pub fn takes(&mut self, event: &Event) -> bool {
        let now = self.now;
        match *event {
            Event::Wait(seconds) => self.now += seconds,
            Event::Ask { name, id } => {
                let allowed = name == "a.example" || name.ends_with(".b.example");
                if allowed {
                    self.asked.retain(|asked| asked.1 != id);
                    self.asked.push((name, id, now + 30));
                }
                return allowed;
            }
            Event::Answer { name, id, address, good } => {
                let place = self
                    .asked
                    .iter()
                    .position(|asked| (asked.0, asked.1) == (name, id) && now <= asked.2);
                if let Some(place) = place {
                    self.asked.remove(place);
                    if address != "169.254.169.254" {
                        self.good.push((address, name, now + u64::from(good.clamp(60, 3600))));
                    }
                }
            }
            Event::In { peer: (RESOLVER, 53), .. } => {}
            Event::In { peer, flags } => {
                let known = self.has(peer, flags.is_some());
                match flags {
                    None => self.flows.push((peer, false, now + 300)),
                    Some(_) if known => self.flows.push((peer, true, now + 7_440)),
                    Some(flags) if flags & 18 == 2 => self.flows.push((peer, true, now + 240)),
                    Some(_) => {}
                }
            }
            Event::Out { peer, .. } if peer.0 == "169.254.169.254" => return false,
            Event::Out { peer, flags } => {
                let tcp = flags.is_some();
                let begins = flags.is_some_and(|flags| flags & 18 == 2);
                if self.has(peer, tcp) && !begins {
                    return true;
                }
                let good = self.good.iter().any(|(address, name, until)| {
                    let port = *name != "a.example" || peer.1 == 443;
                    *address == peer.0 && now <= *until && port
                });
                if good {
                    self.flows.push((peer, tcp, now + if tcp { 240 } else { 300 }));
                }
                return good;
            }
        }
        true
    }

    fn has(&self, peer: Peer, tcp: bool) -> bool {
        self.flows.iter().any(|flow| (flow.0, flow.1) == (peer, tcp) && self.now <= flow.2)
    }
}
