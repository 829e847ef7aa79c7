//! Leases against a slow model: a set of used addresses, and a walk over all there are.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::subnet::Subnet;
use super::*;

fn id(number: u8) -> Id {
    Id::try_from(format!("{number:02x}").repeat(32)).unwrap()
}

/// With the gateway at this place among all its addresses.
fn range(subnet: &str, gateway: usize) -> Range {
    let subnet = Subnet::parse(subnet).unwrap();
    Range { subnet, gateway: hosts(&subnet)[gateway] }
}

/// All that a host may have, one by one.
fn hosts(subnet: &Subnet) -> Vec<IpAddr> {
    let mut all = vec![subnet.first()];
    while *all.last().unwrap() != subnet.last() {
        all.push(match all.last().unwrap() {
            IpAddr::V4(last) => std::net::Ipv4Addr::from_bits(last.to_bits() + 1).into(),
            IpAddr::V6(last) => std::net::Ipv6Addr::from_bits(last.to_bits() + 1).into(),
        });
    }
    all
}

#[derive(Clone, Debug)]
enum Op {
    Lease { container: u8, fixed: Vec<(bool, u8)>, mac: Option<u8> },
    Release(u8),
    Sweep(Vec<u8>),
}

fn op() -> impl Strategy<Value = Op> {
    let fixed = proptest::collection::vec((any::<bool>(), 0..20u8), 0..3);
    prop_oneof![
        4 => (0..8u8, fixed, proptest::option::weighted(0.2, 0..3u8))
            .prop_map(|(container, fixed, mac)| Op::Lease { container, fixed, mac }),
        1 => (0..8u8).prop_map(Op::Release),
        1 => proptest::collection::vec(0..8u8, 0..4).prop_map(Op::Sweep),
    ]
}

fn mac(number: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, number])
}

proptest! {
    #[test]
    fn whoever_can_have_an_address_gets_one_that_nobody_has(
        v4 in prop_oneof![Just("10.1.0.0/30"), Just("10.1.0.8/29"), Just("10.1.0.240/28")],
        v6 in prop_oneof![Just("fd00::/126"), Just("fd00::8/125")],
        families in 0..3,
        gateway in 0..2usize,
        ops in proptest::collection::vec(op(), 1..60),
    ) {
        let both = [range(v4, gateway), range(v6, gateway)];
        let ranges = match families { 0 => &both[..1], 1 => &both[1..], _ => &both[..] };
        let mut leases = Leases::default();
        let mut model: BTreeMap<u8, (Vec<IpAddr>, Option<u8>)> = BTreeMap::new();
        for op in ops {
            match op {
                Op::Release(container) => {
                    prop_assert_eq!(leases.release(&id(container)), model.remove(&container).is_some());
                }
                Op::Sweep(gone) => {
                    let before = model.len();
                    model.retain(|container, _| !gone.contains(container));
                    let swept = leases.sweep(|one| gone.iter().any(|&number| id(number) == *one));
                    prop_assert_eq!(swept, model.len() < before);
                }
                Op::Lease { container, fixed, mac: own } => {
                    let base = |six| number_of(both[usize::from(six)].subnet.address());
                    let fixed: Vec<IpAddr> = fixed.iter().map(|&(six, low)| base(six)(low)).collect();
                    let mut others = model.clone();
                    others.remove(&container);
                    let used: Vec<IpAddr> = others.values().flat_map(|(all, _)| all.clone()).collect();
                    let is_free = |range: &Range, one: IpAddr| {
                        hosts(&range.subnet).contains(&one) && one != range.gateway && !used.contains(&one)
                    };
                    let chosen = |range: &Range| fixed.iter().copied().find(|&one| range.subnet.contains(one));
                    let possible = ranges.iter().all(|range| match chosen(range) {
                        Some(one) => is_free(range, one),
                        None => hosts(&range.subnet).iter().any(|&one| is_free(range, one)),
                    }) && fixed.iter().all(|&one| ranges.iter().any(|range| range.subnet.contains(one)))
                        && (own.is_none() || others.values().all(|(_, other)| *other != own));
                    let before = leases.clone();
                    match leases.lease(ranges, &id(container), &fixed, &[], own.map(mac)) {
                        Ok(lease) => {
                            prop_assert!(possible, "{:?}", lease);
                            for (range, &one) in ranges.iter().zip(&lease.addresses) {
                                prop_assert!(is_free(range, one));
                                prop_assert!(chosen(range).is_none_or(|wanted| wanted == one));
                            }
                            prop_assert_eq!(lease.addresses.len(), ranges.len());
                            model.insert(container, (lease.addresses, own));
                        }
                        Err(error) => {
                            prop_assert!(!possible, "{}", error);
                            prop_assert!(!error.to_string().contains('\n'));
                            prop_assert_eq!(&leases, &before);
                        }
                    }
                }
            }
            leases.check(ranges).unwrap();
            for number in 0..8 {
                let ours = leases.of(&id(number)).map(|lease| lease.addresses.clone());
                prop_assert_eq!(ours, model.get(&number).map(|(all, _)| all.clone()));
            }
        }
        // What is written is what is read.
        let text = serde_json::to_string(&leases).unwrap();
        prop_assert_eq!(serde_json::from_str::<Leases>(&text).unwrap(), leases);
    }
}

/// Addresses that begin at this one, also such as are not for hosts, or behind the end.
fn number_of(base: IpAddr) -> impl Fn(u8) -> IpAddr {
    move |low| match base {
        IpAddr::V4(base) => std::net::Ipv4Addr::from_bits(base.to_bits() + u32::from(low)).into(),
        IpAddr::V6(base) => std::net::Ipv6Addr::from_bits(base.to_bits() + u128::from(low)).into(),
    }
}

#[test]
fn an_address_that_was_given_back_comes_last() {
    let ranges = [range("10.1.0.0/29", 0)];
    let mut leases = Leases::default();
    let mut next =
        |number| leases.lease(&ranges, &id(number), &[], &[], None).map(|lease| lease.addresses[0]);
    let given: Vec<String> = (0..5).map(|number| next(number).unwrap().to_string()).collect();
    assert_eq!(given, ["10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5", "10.1.0.6"]);
    assert_eq!(next(5), Err(LeaseError::Full { range: "10.1.0.0/29".into() }));
    leases.release(&id(1));
    leases.release(&id(0));
    // Behind the last comes the first again.
    let mut next =
        |number| leases.lease(&ranges, &id(number), &[], &[], None).unwrap().addresses[0];
    assert_eq!([next(5), next(6)].map(|one| one.to_string()), ["10.1.0.2", "10.1.0.3"]);
}

#[test]
fn a_bridge_takes_so_many() {
    let ranges = [range("10.1.0.0/16", 0)];
    let mut leases = Leases::default();
    let id = |number: usize| Id::try_from(format!("{number:064x}")).unwrap();
    for number in 0..MAX_LEASES {
        leases.lease(&ranges, &id(number), &[], &[], None).unwrap();
    }
    assert_eq!(leases.lease(&ranges, &id(MAX_LEASES), &[], &[], None), Err(LeaseError::Crowded));
    // One that is on it already may have another address.
    leases.lease(&ranges, &id(0), &["10.1.9.9".parse().unwrap()], &[], None).unwrap();
}

#[test]
fn who_comes_again_has_what_he_had_before() {
    let ranges = ["10.1.0.0/24", "fd00:1::/120"].map(|text| range(text, 0));
    let mut leases = Leases::default();
    let mut lease =
        |number, before: &[IpAddr]| leases.lease(&ranges, &id(number), &[], before, None).unwrap();
    let first = lease(0, &[]);
    lease(1, &[]);
    // Of a network that it was on as well.
    let before = [&first.addresses[..], &["10.2.0.7".parse().unwrap()]].concat();
    let again = lease(0, &before);
    assert_eq!((&again, again.card()), (&first, first.card()));
    assert_eq!(first.card().unwrap().to_string(), "02:42:0a:01:00:02");
    // Not what somebody else has, nor what nobody can have.
    let other = lease(2, &first.addresses);
    assert!(other.addresses.iter().all(|address| !first.addresses.contains(address)));
    let gateway = lease(3, &["10.1.0.1".parse().unwrap()]);
    assert_ne!(gateway.addresses[0].to_string(), "10.1.0.1");
}
