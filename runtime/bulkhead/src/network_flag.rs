//! `--network NAME[:OPTION=VALUE,…]`, as podman reads it: which network, and what the container is called on it.

use containers::network_names::{Identity, Wish, parse_mac};

/// What a person who got it wrong may look at.
const FORM: &str =
    "give NETWORK[:alias=NAME,ip=ADDRESS,mac=ADDRESS], like web:alias=db,ip=10.89.0.5";

/// Reads one.
pub fn parse_wish(text: &str) -> Result<Wish, String> {
    let wrong = |why: &str| format!("'{}': {why}", shown(text));
    let (network, options) = match text.split_once(':') {
        Some((network, options)) => (network, Some(options)),
        None => (text, None),
    };
    if network.is_empty() {
        return Err(wrong(&format!("it names no network: {FORM}")));
    }
    let mut identity = Identity::default();
    for option in options.into_iter().flat_map(|options| options.split(',')) {
        match option.split_once('=') {
            Some(("alias", alias)) => drop(identity.aliases.insert(alias.to_owned())),
            // Of IPv6 too: an address has no comma.
            Some(("ip" | "ip6", address)) => match address.parse() {
                Ok(address) => identity.addresses.push(address),
                Err(_) => {
                    return Err(wrong(&format!("'{}' is no address: {FORM}", shown(address))));
                }
            },
            Some(("mac", mac)) if identity.mac.is_none() => {
                identity.mac = Some(parse_mac(mac).map_err(|why| wrong(&why))?);
            }
            Some(("mac", _)) => return Err(wrong("a card has one mac=: give one")),
            _ => return Err(wrong(&format!("there is no option '{}': {FORM}", shown(option)))),
        }
    }
    identity.check().map_err(|why| wrong(&why))?;
    Ok(Wish { network: network.to_owned(), identity })
}

/// What fits in a message.
fn shown(text: &str) -> String {
    const MOST: usize = 120;
    text.chars().take(MOST).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn networks_are_podmans() {
        let plain = parse_wish("web").unwrap();
        assert_eq!((plain.network.as_str(), plain.identity), ("web", Identity::default()));
        let full =
            parse_wish("Web.1:alias=db,alias=Base,ip=10.0.0.5,ip=fd00::5,mac=02:00:00:00:00:01");
        let Wish { network, identity } = full.unwrap();
        let addresses = ["10.0.0.5", "fd00::5"].map(|one| one.parse().unwrap());
        assert_eq!((network.as_str(), &identity.addresses[..]), ("Web.1", &addresses[..]));
        assert_eq!(identity.mac.unwrap().to_string(), "02:00:00:00:00:01");
        assert_eq!(identity.aliases.into_iter().collect::<Vec<_>>(), ["Base", "db"]);
        assert_eq!(parse_wish("x:ip6=fd00::5").unwrap().identity.addresses, addresses[1..]);
    }

    #[test]
    fn mistakes_are_one_line() {
        for (text, message) in [
            ("", "it names no network: give NETWORK"),
            (":ip=10.0.0.5", "it names no network"),
            ("web:", "there is no option ''"),
            ("web:alias", "there is no option 'alias'"),
            ("web:mtu=1", "there is no option 'mtu=1'"),
            ("web:alias=a,", "there is no option ''"),
            ("web:alias=", "alias=: give a letter or digit"),
            ("web:alias=a b", "alias=a b: give a letter"),
            ("web:ip=10.0.0", "'10.0.0' is no address"),
            ("web:ip=10.0.0.5/24", "is no address"),
            ("web:ip=10.0.0.5,ip=10.0.0.6", "ip=10.0.0.6: it has 10.0.0.5 already"),
            ("web:mac=1", "mac=1: give six pairs of digits"),
            ("web:mac=01:00:5e:00:00:01", "no single card's"),
            ("web:mac=02:00:00:00:00:01,mac=02:00:00:00:00:02", "a card has one mac="),
            ("web:\n=1", "there is no option '\\n=1'"),
        ] {
            let error = parse_wish(text).unwrap_err();
            assert!(error.contains(message) && !error.contains('\n'), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_read_that_was_not_said(text in "[a-z:=,.0-9é\n]{0,40}") {
            match parse_wish(&text) {
                Ok(wish) => prop_assert!(text.starts_with(&wish.network) && !wish.network.is_empty()),
                Err(error) => prop_assert!(!error.contains('\n') && !error.is_empty()),
            }
        }
    }
}
