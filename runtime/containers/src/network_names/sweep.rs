//! What those have left who were killed while they were on networks, and what is done for those who still are. All of it with
//! netavark's lock held: who joins has it from before his record is written until his set-up is done.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::NetworkError;
use super::firewall::Firewall;
use super::host::{HostNetwork, remove_link};
use super::netavark::{Netavark, Request};
use super::store::{Networks, ids};
use crate::container::{Containers, Id, json};
use crate::network::netns::Netns;
use host::text::in_one_line;

/// What netavark was told about a container, and since which start of this machine.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    boot: String,
    request: Request,
    /// Where the container's interfaces are.
    namespace: PathBuf,
}

/// Writes down what netavark is told next.
pub fn remember(
    networks: &Networks,
    request: &Request,
    namespace: &Path,
) -> Result<(), NetworkError> {
    let record = Record { boot: boot(), request: request.clone(), namespace: namespace.to_owned() };
    Ok(json::write(&path(networks, &request.container_id), &record)?)
}

/// Whether it still is.
pub fn is_remembered(networks: &Networks, request: &Request) -> bool {
    path(networks, &request.container_id).exists()
}

/// Forgets it, when it has been undone. A bridge that is left without ports goes too: netavark leaves one where it has not come
/// as far as the container's interface.
pub fn leave(networks: &Networks, request: &Request, _netavark: &Netavark) {
    let _ = fs::remove_file(path(networks, &request.container_id));
    let Ok(host) = HostNetwork::read() else { return };
    for (name, info) in &request.network_info {
        if let Some(bridge) = host.link(&info.network_interface)
            && host.bridges.contains(&bridge)
            && !host.has_ports(bridge)
            && !is_used(networks, name, std::slice::from_ref(&request.container_id))
        {
            let _ = remove_link(bridge);
        }
    }
}

/// Removes what nobody has any more, and what `own` has had, if there is one: its supervisor is the caller.
pub fn sweep(
    networks: &Networks,
    containers: &Containers,
    own: Option<&Id>,
    netavark: &Netavark,
) -> Result<(), NetworkError> {
    for entry in fs::read_dir(folder(networks)).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().ends_with(b".json.new") {
            let _ = fs::remove_file(entry.path());
        }
    }
    // Each of these was a container before it had a record.
    let joined = ids(&folder(networks))?;
    let held = held(containers)?;
    let is_own = |id: &Id| Some(id) == own;
    let mut left = Vec::new();
    for id in joined.into_iter().filter(|id| is_own(id) || !held.contains(id)) {
        let path = path(networks, &id);
        match json::read::<Record>(&path) {
            // Nothing of it has outlived that.
            Ok(record) if record.boot != boot() => drop(fs::remove_file(&path)),
            Ok(Record { request, namespace, .. }) => {
                // It is still there if nobody has removed it yet.
                match netavark.tear_down(&request, &namespace) {
                    Ok(()) => leave(networks, &request, netavark),
                    Err(_) => left.push(request),
                }
            }
            Err(error) => {
                log::warn!("{}: what the container has left behind stays", in_one_line(&error));
                let _ = fs::remove_file(&path);
            }
        }
    }
    let cleaned = clean(networks, &left, netavark);
    for (request, cleaned) in left.iter().zip(cleaned) {
        match cleaned {
            Ok(()) => leave(networks, request, netavark),
            Err(error) => log::warn!(
                "container {} has left rules behind: {}",
                request.container_id.short(),
                in_one_line(&error)
            ),
        }
    }
    keep_isolation(networks, netavark);
    networks.sweep_leases(|| {
        let held = self::held(containers)?;
        Ok(move |id: &Id| is_own(id) || !held.contains(id))
    })
}

/// Those that a process has.
fn held(containers: &Containers) -> Result<Vec<Id>, NetworkError> {
    let mut held = Vec::new();
    for container in containers.list()? {
        // One that is removed at this moment is nobody's.
        if container.is_held().unwrap_or(false) {
            held.push(container.id().clone());
        }
    }
    Ok(held)
}

/// Undoes set-ups whose namespaces are no more. netavark removes rules, and the bridge, only where it finds the container's
/// interface: so it makes that once more, in a namespace that nobody is in. All of them first: with a network's last container
/// netavark 1.14 removes nftables' chain of its ports, which fails as long as the ports of another are in it.
pub fn clean(
    networks: &Networks,
    requests: &[Request],
    netavark: &Netavark,
) -> Vec<Result<(), NetworkError>> {
    let ended: Vec<Id> = requests.iter().map(|request| request.container_id.clone()).collect();
    // Before anything is made that would pass for one of them.
    let removed: Vec<Result<(), NetworkError>> =
        requests.iter().map(|request| remove_dying_ports(networks, request, &ended)).collect();
    let made: Vec<_> = requests
        .iter()
        .zip(removed)
        .map(|(request, removed)| {
            removed?;
            let namespace = Netns::new().map_err(NetworkError::Namespace)?;
            let made = netavark.set_up(request, &namespace.path());
            Ok((namespace, made))
        })
        .collect();
    let undo = |(request, made): (&Request, Result<(Netns, _), NetworkError>)| {
        let (namespace, made) = made?;
        // Whether the first was whole does not matter if the second was.
        match (made, netavark.tear_down(request, &namespace.path())) {
            (_, Ok(())) => Ok(()),
            (Err(error), Err(_)) | (Ok(_), Err(error)) => Err(error.into()),
        }
    };
    requests.iter().zip(made).map(undo).collect()
}

/// The kernel takes its time to remove the interfaces of a namespace that has ended, and netavark would take them for those of
/// others. Where none but those that have ended are on the network, they are nobody's.
fn remove_dying_ports(
    networks: &Networks,
    request: &Request,
    ended: &[Id],
) -> Result<(), NetworkError> {
    let host = HostNetwork::read().map_err(NetworkError::Host)?;
    for (name, info) in &request.network_info {
        let Some(bridge) = host.link(&info.network_interface) else { continue };
        if is_used(networks, name, ended) {
            continue;
        }
        for (port, _) in
            host.ports.iter().filter(|(port, of)| **of == bridge && host.veths.contains(port))
        {
            // It may have gone meanwhile.
            let _ = remove_link(*port);
        }
    }
    Ok(())
}

/// Whether a container other than these is on the network that netavark calls so.
fn is_used(networks: &Networks, name: &str, but: &[Id]) -> bool {
    let others = others(networks, but);
    others.iter().any(|request| request.network_info.contains_key(name))
}

/// What netavark was told about all others.
fn others(networks: &Networks, but: &[Id]) -> Vec<Request> {
    let ids = ids(&folder(networks)).unwrap_or_default();
    let records = ids
        .iter()
        .filter(|id| !but.contains(id))
        .filter_map(|id| json::read::<Record>(&path(networks, id)).ok());
    let boot = boot();
    records.filter(|record| record.boot == boot).map(|record| record.request).collect()
}

/// Puts back what keeps networks apart where containers are left that need it.
pub fn keep_isolation(networks: &Networks, netavark: &Netavark) {
    if !ids(&folder(networks)).unwrap_or_default().is_empty() {
        Firewall::of(netavark).keep_isolation(netavark);
    }
}

/// Somebody may have flushed the firewall: then the others have no rules any more. netavark can't be asked about that, but adds
/// what is missing when it sets the container up once more, wherever that is.
pub fn refresh(networks: &Networks, own: &Id, netavark: &Netavark) {
    let others = others(networks, std::slice::from_ref(own));
    if others.is_empty() {
        return;
    }
    let rules = Firewall::of(netavark).rules(netavark);
    for request in others {
        if rules.have(&request) {
            continue;
        }
        log::warn!(
            "the firewall has lost the rules of container {}: they are made again",
            request.container_id.short()
        );
        let made = set_up_once_more(&request.without_names(), netavark);
        if let Err(error) = made {
            log::warn!("cannot make them: {}", in_one_line(&error));
        }
    }
}

/// In a namespace that nobody is in. Its interfaces have the container's addresses: they are not left to the kernel, which
/// takes its time to remove them, since they would answer for the container.
fn set_up_once_more(request: &Request, netavark: &Netavark) -> Result<(), NetworkError> {
    let namespace = Netns::new().map_err(NetworkError::Namespace)?;
    let before = HostNetwork::read().map_err(NetworkError::Host)?;
    let made = netavark.set_up(request, &namespace.path());
    let after = HostNetwork::read().map_err(NetworkError::Host)?;
    // Nobody else has made any: netavark's lock is held.
    let bridges: Vec<u32> = request
        .network_info
        .values()
        .filter_map(|info| after.link(&info.network_interface))
        .collect();
    for (port, bridge) in &after.ports {
        if bridges.contains(bridge) && !before.links.contains_key(port) {
            remove_link(*port).map_err(NetworkError::Host)?;
        }
    }
    Ok(made.map(drop)?)
}

/// Whether anybody is on networks, or was when he was killed.
pub fn has_joined(networks: &Networks) -> Result<bool, NetworkError> {
    Ok(!ids(&folder(networks))?.is_empty())
}

fn folder(networks: &Networks) -> PathBuf {
    networks.folder().join("joined")
}

fn path(networks: &Networks, id: &Id) -> PathBuf {
    folder(networks).join(format!("{id}.json"))
}

/// random(4): another one after each start of the machine.
fn boot() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim_end().to_owned()
}
