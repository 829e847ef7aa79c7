use proptest::prelude::*;

use super::*;

/// As the kernel would send it.
fn described(index: u32, kind: u16, with: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let body = LinkBody { index, kind, ..LinkBody::default() };
    let request = Request::new(libc::RTM_NEWLINK, 0, &body);
    with.iter().fold(request, |request, (kind, value)| request.with(*kind, value)).finish(7)
}

#[test]
fn the_structures_are_the_kernel_s() {
    let sizes = [
        size_of::<Header>(),
        size_of::<LinkBody>(),
        size_of::<AddressBody>(),
        size_of::<RouteBody>(),
        size_of::<NeighbourBody>(),
    ];
    assert_eq!(sizes, [16, 16, 8, 12, 12]);
    assert_eq!(size_of::<Attribute>(), 4);
}

#[test]
fn an_address_is_written_to_the_byte() {
    let cidr = Cidr { ip: "10.1.2.3".parse().unwrap(), prefix: 20 };
    let bytes = address(5, cidr).finish(9);
    let number = |value: u32| value.to_ne_bytes().to_vec();
    let short = |value: u16| value.to_ne_bytes().to_vec();
    let header = [number(48), short(20), short(0x605), number(9), number(0)].concat();
    assert_eq!(bytes[..16], header);
    assert_eq!(bytes[16..24], [&[2, 20, 0, 0][..], &number(5)].concat());
    let attribute = |kind: u16, ip: [u8; 4]| [short(8), short(kind), ip.to_vec()].concat();
    let attributes =
        [attribute(2, [10, 1, 2, 3]), attribute(1, [10, 1, 2, 3]), attribute(4, [10, 1, 15, 255])];
    assert_eq!(bytes[24..], attributes.concat());
}

#[test]
fn what_is_no_card_has_no_address() {
    let mac = vec![2, 0, 0, 0, 0, 1];
    let of = |kind, mac: &[u8]| {
        let bytes = described(1, kind, &[(libc::IFLA_ADDRESS, mac.to_vec())]);
        let (_, body) = messages(&bytes).next().unwrap();
        link(body).unwrap().mac
    };
    assert_eq!(of(libc::ARPHRD_ETHER, &mac), Some(MacAddress([2, 0, 0, 0, 0, 1])));
    assert_eq!(of(libc::ARPHRD_ETHER, &mac[..4]), None);
    assert_eq!(of(libc::ARPHRD_LOOPBACK, &mac), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// What was written is read, one message after the other, whatever else they hold.
    #[test]
    fn links_come_back(
        links in prop::collection::vec((any::<u32>(), "[a-z]{1,15}", any::<[u8; 6]>()), 0..5),
        more in prop::collection::vec((100u16..200, prop::collection::vec(any::<u8>(), 0..20)), 0..4),
    ) {
        let mut bytes = Vec::new();
        for (index, name, mac) in &links {
            let mut with = more.clone();
            with.push((libc::IFLA_IFNAME, [name.as_bytes(), &[0]].concat()));
            with.push((libc::IFLA_ADDRESS, mac.to_vec()));
            bytes.extend(described(*index, libc::ARPHRD_ETHER, &with));
        }
        let read: Vec<Link> = messages(&bytes)
            .map(|(header, body)| {
                assert_eq!((header.kind, header.sequence), (libc::RTM_NEWLINK, 7));
                link(body).unwrap()
            })
            .collect();
        let expected: Vec<Link> = links
            .into_iter()
            .map(|(index, name, mac)| Link { index, name, mac: Some(MacAddress(mac)) })
            .collect();
        prop_assert_eq!(read, expected);
    }

    /// Whatever comes, there is an end, and nothing is read from behind it.
    #[test]
    fn any_bytes_have_an_end(
        bytes in prop::collection::vec(prop_oneof![Just(0u8), 0u8..40, any::<u8>()], 0..200),
    ) {
        let mut total = 0;
        for (_, body) in messages(&bytes) {
            total += size_of::<Header>() + body.len();
            let _ = (link(body), errno(body), is_local(body));
        }
        prop_assert!(total <= bytes.len());
    }
}
