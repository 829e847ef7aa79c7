//! Which device is which, and what it is to be called.

use protocol::MacAddress;
use rustix::io::Errno;

/// A network device, as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Its number.
    pub(super) index: u32,
    /// What it is called now.
    pub(super) name: String,
    /// The address of a card; tunnels and the like have none.
    pub(super) mac: Option<MacAddress>,
}

/// The device with this address. Two of them: nobody could say which is meant.
pub(super) fn find(links: &[Link], mac: MacAddress) -> Result<&Link, Errno> {
    let mut found = links.iter().filter(|link| link.mac == Some(mac));
    match (found.next(), found.next()) {
        (Some(link), None) => Ok(link),
        (Some(_), Some(_)) => Err(Errno::NOTUNIQ),
        (None, _) => Err(Errno::NODEV),
    }
}

/// Who gets which name, in an order in which no name is taken when it is given: first those that have another's name
/// get one that nobody has or wants, then each of `wanted`, if it isn't called so yet, its own.
pub(super) fn renames(links: &[Link], wanted: &[(u32, &str)]) -> Vec<(u32, String)> {
    let taken: Vec<&str> =
        links.iter().map(|link| &*link.name).chain(wanted.iter().map(|(_, name)| *name)).collect();
    let mut spare =
        (0..).map(|n: u32| format!("spare{n}")).filter(|name| !taken.contains(&name.as_str()));
    let is_own = |link: &Link| wanted.iter().any(|&own| own == (link.index, &*link.name));
    let in_the_way =
        |link: &&Link| wanted.iter().any(|(_, name)| *name == link.name) && !is_own(link);
    let aside = links.iter().filter(in_the_way);
    let mut order: Vec<(u32, String)> = aside.map(|link| link.index).zip(&mut spare).collect();
    let other = |&&(index, name): &&(u32, &str)| {
        links.iter().all(|link| (link.index, &*link.name) != (index, name))
    };
    order.extend(wanted.iter().filter(other).map(|&(index, name)| (index, name.to_owned())));
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link(index: u32, name: &str) -> Link {
        Link { index, name: name.to_owned(), mac: Some(MacAddress([2, 0, 0, 0, 0, index as u8])) }
    }

    #[test]
    fn a_device_is_found_by_its_address_or_not_at_all() {
        let mut links =
            vec![link(2, "eth0"), link(3, "eth1"), Link { mac: None, ..link(4, "tun0") }];
        assert_eq!(find(&links, MacAddress([2, 0, 0, 0, 0, 3])).unwrap().name, "eth1");
        assert_eq!(find(&links, MacAddress([2, 0, 0, 0, 0, 4])), Err(Errno::NODEV));
        links.push(Link { index: 5, ..link(3, "eth2") });
        assert_eq!(find(&links, MacAddress([2, 0, 0, 0, 0, 3])), Err(Errno::NOTUNIQ));
    }

    #[test]
    fn who_has_its_name_keeps_it() {
        let links = [link(1, "lo"), link(2, "eth0"), link(3, "eth1")];
        assert_eq!(renames(&links, &[(2, "eth0"), (3, "eth1")]), []);
        assert_eq!(renames(&links, &[(3, "net")]), [(3, "net".to_owned())]);
        let swapped = [(2, "spare0"), (3, "spare1"), (2, "eth1"), (3, "eth0")];
        let swapped = swapped.map(|(index, name)| (index, name.to_owned()));
        assert_eq!(renames(&links, &[(2, "eth1"), (3, "eth0")]), swapped);
    }

    proptest! {
        /// Played through on the kernel's rule, that a name is one device's: each step is allowed, in the end everybody
        /// has what was wanted, and who is not in the way keeps its name.
        #[test]
        fn no_name_is_ever_taken(
            names in Just(["lo", "eth0", "eth1", "eth2", "spare0", "spare1", "a", "b"]).prop_shuffle(),
            count in 1usize..=6,
            wanted in Just([1u32, 2, 3, 4, 5, 6]).prop_shuffle(),
            wishes in Just(["eth0", "eth1", "eth2", "spare0", "a", "c"]).prop_shuffle(),
            number in 0usize..=6,
        ) {
            let links: Vec<Link> =
                (1..).zip(names).take(count).map(|(index, name)| link(index, name)).collect();
            let there = wanted.into_iter().filter(|&index| index as usize <= count);
            let wanted: Vec<(u32, &str)> = there.zip(wishes).take(number).collect();
            let mut now: Vec<(u32, String)> =
                links.iter().map(|link| (link.index, link.name.clone())).collect();
            for (index, name) in renames(&links, &wanted) {
                prop_assert!(now.iter().all(|(_, other)| *other != name), "{} is taken", name);
                now.iter_mut().find(|(other, _)| *other == index).unwrap().1 = name;
            }
            for (index, name) in now {
                let before = &links[index as usize - 1].name;
                match wanted.iter().find(|(other, _)| *other == index) {
                    Some((_, wish)) => prop_assert_eq!(&name, wish),
                    None if wanted.iter().any(|(_, wish)| wish == before) => {}
                    None => prop_assert_eq!(&name, before),
                }
            }
        }
    }
}
