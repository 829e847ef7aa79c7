//! The messages of traffic control, tc(8), that make, list and remove what [`super`] needs.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{
    TcAction, TcActionAttribute, TcActionMirror, TcActionMirrorOption, TcActionOption,
    TcActionType, TcAttribute, TcFilterU32, TcFilterU32Option, TcHandle, TcHeader, TcMessage,
    TcMirror, TcMirrorActionType, TcOption, TcU32Selector, TcU32SelectorFlags,
};

use super::{Cookie, Entry, Ingress, OURS};
use crate::network::netlink::Change;

/// Of our qdiscs.
pub(super) const KIND: &str = "ingress";

/// Of an ingress qdisc, and so the parent of its filters.
const HANDLE: TcHandle = TcHandle { major: 0xffff, minor: 0 };

/// ETH_P_ALL, linux/if_ether.h, with the first priority there is, as tcm_info has them (linux/net/sched/cls_api.c).
const EVERYTHING: u32 = 1 << 16 | 0x0003_u16.to_be() as u32;

fn message(index: u32, handle: TcHandle, parent: TcHandle, kind: &str) -> TcMessage {
    let mut message = TcMessage::default();
    message.header = TcHeader { index: index as i32, handle, parent, ..TcHeader::default() };
    message.attributes.push(TcAttribute::Kind(kind.to_owned()));
    message
}

/// A qdisc for what comes in at a device that has none.
pub(super) fn make_qdisc(index: u32) -> Change {
    let message = message(index, HANDLE, TcHandle::INGRESS, KIND);
    let message = RouteNetlinkMessage::NewQueueDiscipline(message);
    Change { message, flags: NLM_F_CREATE | NLM_F_EXCL }
}

pub(super) fn remove_qdisc(index: u32) -> Change {
    let message = message(index, HANDLE, TcHandle::INGRESS, KIND);
    Change { message: RouteNetlinkMessage::DelQueueDiscipline(message), flags: 0 }
}

pub(super) fn list_qdiscs() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default())
}

/// A filter that sends everything out at the device `to`, and marks that as ours.
///
/// Its selector has no keys: with one, the shortest frames would pass by it, since they don't have the four bytes to
/// compare (linux/net/sched/cls_u32.c, `u32_classify`).
pub(super) fn make_filter(from: u32, to: u32, cookie: &Cookie) -> Change {
    let mut mirror = TcMirror::default();
    mirror.generic.action = TcActionType::Stolen;
    mirror.eaction = TcMirrorActionType::EgressRedir;
    mirror.ifindex = to;
    let mut action = TcAction::default();
    action.attributes = vec![
        TcActionAttribute::Kind(TcActionMirror::KIND.to_owned()),
        TcActionAttribute::Cookie(cookie.to_vec()),
        TcActionAttribute::Options(vec![TcActionOption::Mirror(TcActionMirrorOption::Parms(
            mirror,
        ))]),
    ];
    let mut selector = TcU32Selector::default();
    selector.flags = TcU32SelectorFlags::Terminal;
    let mut message = message(from, TcHandle::UNSPEC, HANDLE, TcFilterU32::KIND);
    message.header.info = EVERYTHING;
    message.attributes.push(TcAttribute::Options(vec![
        TcOption::U32(TcFilterU32Option::Selector(selector)),
        TcOption::U32(TcFilterU32Option::Action(vec![action])),
    ]));
    let message = RouteNetlinkMessage::NewTrafficFilter(message);
    Change { message, flags: NLM_F_CREATE | NLM_F_EXCL }
}

pub(super) fn remove_filter(index: u32, handle: u32, info: u32) -> Change {
    let mut message = message(index, handle.into(), HANDLE, TcFilterU32::KIND);
    message.header.info = info;
    Change { message: RouteNetlinkMessage::DelTrafficFilter(message), flags: 0 }
}

pub(super) fn list_filters(index: u32) -> RouteNetlinkMessage {
    let mut message = TcMessage::with_index(index as i32);
    message.header.parent = HANDLE;
    RouteNetlinkMessage::GetTrafficFilter(message)
}

/// A qdisc, if it is for what comes in: `ingress` or `clsact`.
pub(super) fn ingress(message: RouteNetlinkMessage) -> Option<Ingress> {
    let RouteNetlinkMessage::NewQueueDiscipline(message) = message else { return None };
    if message.header.parent != TcHandle::INGRESS {
        return None;
    }
    let kind = kind(&message.attributes)?.to_owned();
    Some(Ingress { index: message.header.index as u32, kind })
}

fn kind(attributes: &[TcAttribute]) -> Option<&str> {
    attributes.iter().find_map(|attribute| match attribute {
        TcAttribute::Kind(kind) => Some(&**kind),
        _ => None,
    })
}

/// A filter. What u32 lists besides is its own: a filter has a selector.
pub(super) fn entry(message: RouteNetlinkMessage) -> Option<Entry> {
    let RouteNetlinkMessage::NewTrafficFilter(message) = message else { return None };
    if kind(&message.attributes) != Some(TcFilterU32::KIND) {
        return Some(Entry::Other);
    }
    let options = message.attributes.iter().find_map(|attribute| match attribute {
        TcAttribute::Options(options) => Some(&**options),
        _ => None,
    });
    let (mut is_filter, mut actions) = (false, &[][..]);
    for option in options.unwrap_or_default() {
        match option {
            TcOption::U32(TcFilterU32Option::Selector(_)) => is_filter = true,
            TcOption::U32(TcFilterU32Option::Action(all)) => actions = all,
            _ => {}
        }
    }
    match actions {
        _ if !is_filter => None,
        [action] => Some(redirect(action, &message.header).unwrap_or(Entry::Other)),
        _ => Some(Entry::Other),
    }
}

/// Ours, by its cookie.
fn redirect(action: &TcAction, header: &TcHeader) -> Option<Entry> {
    let (mut ours, mut target) = (None, None);
    for attribute in &action.attributes {
        match attribute {
            TcActionAttribute::Cookie(bytes) if bytes.starts_with(&OURS) => {
                ours = Cookie::try_from(&**bytes).ok();
            }
            TcActionAttribute::Options(options) => {
                target = options.iter().find_map(|option| match option {
                    TcActionOption::Mirror(TcActionMirrorOption::Parms(mirror)) => {
                        Some(mirror.ifindex)
                    }
                    _ => None,
                });
            }
            _ => {}
        }
    }
    Some(Entry::Redirect {
        cookie: ours?,
        // linux/net/sched/act_mirred.c, `tcf_mirred_dump`: 0 when the device is gone.
        target: target.filter(|&index| index != 0),
        handle: header.handle.into(),
        info: header.info,
    })
}
