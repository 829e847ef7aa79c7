//! Networks' files: found, used, damaged, and left by processes that died at any step.

mod users;

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;

use super::super::attachment::{Identity, Wish};
use super::super::subnet::Subnet;
use super::*;
use crate::container::tests::sample::draft;
use host::file::crash;

fn networks() -> (tempfile::TempDir, Networks, Containers) {
    let work = tempfile::tempdir().unwrap();
    let networks = Networks::open(work.path().join("networks")).unwrap();
    let containers = Containers::open(work.path().join("containers")).unwrap();
    (work, networks, containers)
}

fn new(name: &str) -> NewNetwork {
    NewNetwork { name: name.to_owned(), ..NewNetwork::default() }
}

fn wish(network: &str) -> Wish {
    Wish { network: network.to_owned(), ..Wish::default() }
}

fn line<T: std::fmt::Debug>(result: Result<T, NetworkError>) -> String {
    let line = in_one_line(&result.unwrap_err());
    assert!(!line.contains('\n'), "{line}");
    line
}

#[test]
fn networks_are_found_as_dockers_are() {
    let (_work, networks, _) = networks();
    let host = HostNetwork::default();
    let web = networks.create(new("web"), &host).unwrap();
    let db = networks.create(new("db"), &host).unwrap();
    assert_ne!(web.ranges, db.ranges);
    for text in ["web", web.id.as_str(), web.id.short()] {
        assert_eq!(networks.find(text).unwrap(), web);
    }
    let names: Vec<String> = networks.list().unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["db", "web"]);
    assert!(line(networks.create(new("web"), &host)).contains(web.id.short()));
    for text in ["", "we", "no\nbody", &"x".repeat(65_536)] {
        assert!(line(networks.find(text)).contains("is no network: bulkhead network ls"));
    }
    // A name goes before the start of an ID.
    let prefix = networks.create(new(&web.id.as_str()[..5]), &host).unwrap();
    assert_eq!(networks.find(&prefix.name).unwrap(), prefix);
}

#[test]
fn a_wish_that_no_network_grants_is_refused_at_once() {
    let (_work, networks, _) = networks();
    let subnets = vec![Subnet::parse("10.1.0.0/30").unwrap()];
    networks.create(NewNetwork { subnets, ..new("web") }, &HostNetwork::default()).unwrap();
    let resolve = |addresses: &[&str]| {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let identity = Identity { addresses, ..Identity::default() };
        networks
            .resolve(&[Wish { network: "web".into(), identity }])
            .map(|(attachments, _)| attachments)
    };
    resolve(&["10.1.0.2"]).unwrap();
    for (addresses, message) in [
        (&["10.1.0.1"][..], "network web: ip=10.1.0.1: 10.1.0.0/30 has it as its gateway"),
        (
            &["10.1.0.3"],
            "ip=10.1.0.3: 10.1.0.0/30 keeps it for itself: give another of 10.1.0.1 to 10.1.0.2",
        ),
        (&["10.2.0.2"], "ip=10.2.0.2: the network has 10.1.0.0/30 only"),
        (&["fd00::2"], "ip=fd00::2: the network has 10.1.0.0/30 only"),
        (&["10.1.0.2", "10.1.0.3"], "ip=10.1.0.3: it has 10.1.0.2 already"),
    ] {
        assert!(line(resolve(addresses)).contains(message), "{addresses:?}");
    }
    assert!(
        line(networks.resolve(&[wish("web"), wish("web")]).map(|(all, _)| all))
            .contains("named twice")
    );
}

#[test]
fn a_damaged_file_is_named_and_left_out() {
    let (_work, networks, _) = networks();
    let web = networks.create(new("web"), &HostNetwork::default()).unwrap();
    let path = networks.path(&web.id);
    let text = fs::read_to_string(&path).unwrap();
    for (from, to, message) in [
        ("\"web\"", "\"none\"", "name: 'none' is no name"),
        ("10.89.0.1\"", "10.88.0.1\"", "ranges: the gateway 10.88.0.1 of 10.89.0.0/24 is outside"),
        ("/24", "/31", "ranges: 10.89.0.0/31 a gateway and a container need room"),
        ("\"bh-", "\"../bh-", "interface: "),
        ("\"mtu\": null", "\"mtu\": 1", "mtu: 1: a network has 68"),
        (
            "\"taken\": {}",
            "\"taken\": {\"x\": {\"addresses\": [], \"mac\": null}}",
            "leases.taken: 'x' is not an ID",
        ),
        ("\"last\": []", "\"last\": [\"10.1.1.1\"]", "leases.last: its addresses"),
        (&web.id.as_str()[..8], "00000000", "another network's"),
        ("\"internal\"", "\"eternal\"", "unknown field"),
    ] {
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let error = networks.read(&web.id).unwrap_err().to_string();
        assert!(
            error.contains(message) && error.starts_with(&path.display().to_string()),
            "{error}"
        );
        assert!(networks.list().unwrap().is_empty());
    }
    // It stands in nobody's way.
    networks.create(new("web"), &HostNetwork::default()).unwrap();
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Create(usize),
    Remove(usize),
    Lease { network: usize, container: u8 },
    Release { network: usize, container: u8 },
}

const NAMES: [&str; 3] = ["one", "two", "three"];

fn op() -> impl Strategy<Value = Op> {
    let (network, container) = (0..NAMES.len(), 0..3u8);
    prop_oneof![
        2 => network.clone().prop_map(Op::Create),
        1 => network.clone().prop_map(Op::Remove),
        3 => (network.clone(), container.clone()).prop_map(|(network, container)| Op::Lease { network, container }),
        1 => (network, container).prop_map(|(network, container)| Op::Release { network, container }),
    ]
}

fn id(number: u8) -> Id {
    Id::try_from(format!("{number:02x}").repeat(32)).unwrap()
}

/// Which networks there are, and who has how many addresses of them.
type Model = BTreeMap<String, BTreeMap<u8, usize>>;

fn after(model: &Model, op: Op) -> Option<Model> {
    let mut after = model.clone();
    match op {
        Op::Create(name) => match after.contains_key(NAMES[name]) {
            true => return None,
            false => drop(after.insert(NAMES[name].to_owned(), BTreeMap::new())),
        },
        Op::Remove(name) => drop(after.remove(NAMES[name])?),
        Op::Lease { network, container } => {
            let _ = after.get_mut(NAMES[network])?.insert(container, 1);
        }
        Op::Release { network, container } => {
            let _ = after.get_mut(NAMES[network])?.remove(&container);
        }
    }
    Some(after)
}

fn run(networks: &Networks, containers: &Containers, op: Op) -> Result<(), NetworkError> {
    let find = |name: usize| networks.find(NAMES[name]);
    match op {
        Op::Create(name) => networks.create(new(NAMES[name]), &HostNetwork::default()).map(drop),
        Op::Remove(name) => networks.remove(&find(name)?, containers),
        Op::Lease { network, container } => networks.change(&find(network)?.id, |record| {
            let lease = record.leases.lease(&record.network.ranges, &id(container), &[], &[], None);
            lease.map(drop).map_err(|source| NetworkError::Lease { network: String::new(), source })
        }),
        Op::Release { network, container } => networks.change(&find(network)?.id, |record| {
            record.leases.release(&id(container));
            Ok(())
        }),
    }
}

fn found(networks: &Networks) -> Model {
    let records = networks.records().unwrap().into_iter().map(|record| {
        let leases = (0..3).filter_map(|number| {
            record.leases.of(&id(number)).map(|lease| (number, lease.addresses.len()))
        });
        (record.network.name.clone(), leases.collect())
    });
    records.collect()
}

proptest! {
    // Each case makes some files durable.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn each_change_happens_whole_or_not_at_all(
        ops in proptest::collection::vec((op(), proptest::option::weighted(0.3, 0..5u32)), 1..40),
    ) {
        crash::plan(None);
        let (_work, networks, containers) = networks();
        let mut model = Model::new();
        for (op, death) in ops {
            let after = after(&model, op);
            crash::plan(death);
            let result = run(&networks, &containers, op);
            let died = crash::died() && result.is_err();
            crash::plan(None);
            let found = found(&networks);
            match (&result, &after) {
                (Ok(()), after) => prop_assert_eq!(Some(&found), after.as_ref()),
                (Err(_), after) if died => {
                    prop_assert!(found == model || Some(&found) == after.as_ref(), "{:?}: {:?}", op, found);
                }
                (Err(error), after) => {
                    prop_assert!(after.is_none(), "{:?}: {}", op, error);
                    prop_assert_eq!(&found, &model);
                }
            }
            model = found;
        }
        // Whoever changes something next has swept up.
        let _ = networks.lock().unwrap();
        for entry in fs::read_dir(networks.folder()).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            prop_assert!(!name.ends_with(".new"), "{}", name);
        }
    }
}
