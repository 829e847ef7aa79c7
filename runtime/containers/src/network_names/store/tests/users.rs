//! Containers that are on networks.

use super::*;
use crate::container::Config;
use crate::network::{NetworkMode, UserNetwork};

/// One whose network nobody has asked for.
fn usual(name: &str) -> Config {
    let mut config = draft(name);
    config.plan.container.network.mode = NetworkMode::User(UserNetwork::default());
    config
}

#[test]
fn who_wants_another_kind_of_network_is_on_none() {
    let (_work, networks, containers) = networks();
    networks.create(new("web"), &HostNetwork::default()).unwrap();
    let mut fixed = usual("fixed");
    fixed.plan.container.network.ip = Some([10, 0, 2, 7].into());
    let mut asked = usual("asked");
    let required = UserNetwork { required: true, ..UserNetwork::default() };
    asked.plan.container.network.mode = NetworkMode::User(required);
    for (config, mode) in [(draft("none"), "none"), (fixed, "user"), (asked, "user")] {
        let container = containers.create(config).unwrap();
        let tenure = container.tenure().unwrap();
        let refused = line(networks.connect(&containers, &container, &tenure, &wish("web")));
        let name = &container.config().name;
        let expected =
            format!("container {name} has --network {mode}: create another one with --network web");
        assert_eq!(refused, expected);
    }
    // Taken off all networks again, it is on none.
    let container = containers.create(usual("one")).unwrap();
    let tenure = container.tenure().unwrap();
    networks.connect(&containers, &container, &tenure, &wish("web")).unwrap();
    networks.disconnect(&containers, &container, &tenure, "web").unwrap();
    let config = container.read_again().unwrap().config().clone();
    assert_eq!(config.plan.container.network.mode, NetworkMode::Names);
    assert!(config.networks.is_empty());
}

#[test]
fn a_network_in_use_stays() {
    let (_work, networks, containers) = networks();
    let web = networks.create(new("web"), &HostNetwork::default()).unwrap();
    let all = ["one", "two"].map(|name| containers.create(usual(name)).unwrap());
    for container in &all {
        let tenure = container.tenure().unwrap();
        networks.connect(&containers, container, &tenure, &wish("web")).unwrap();
        let twice = networks.connect(&containers, container, &tenure, &wish(web.id.short()));
        assert!(line(twice).contains("network web is named twice"));
    }
    let refused = line(networks.remove(&web, &containers));
    let names = ["one, two", "two, one"]
        .map(|names| format!("network web is in use by {names}: disconnect"));
    assert!(names.iter().any(|start| refused.starts_with(start)), "{refused}");
    assert_eq!(networks.prune(&containers, |_| true).unwrap(), []);
    // A new name does not lose the networks, though it was given by who had read the old state.
    containers.rename(&all[0], "uno").unwrap();
    assert_eq!(containers.find("uno").unwrap().config().networks[0].network, web.id);
    for container in &all {
        let tenure = container.tenure().unwrap();
        networks.disconnect(&containers, container, &tenure, "web").unwrap();
        let again = networks.disconnect(&containers, container, &tenure, "web");
        assert!(line(again).contains("is not on network web"));
    }
    let other = networks.create(new("other"), &HostNetwork::default()).unwrap();
    assert_eq!(
        networks.prune(&containers, |network| network.name == "web").unwrap(),
        std::slice::from_ref(&web)
    );
    networks.remove(&other, &containers).unwrap();
    assert!(line(networks.remove(&web, &containers)).contains("is no network"));
}

#[test]
fn many_users_are_named_in_one_line() {
    let (_work, networks, containers) = networks();
    let web = networks.create(new("web"), &HostNetwork::default()).unwrap();
    let (attachments, _kept) = networks.resolve(&[wish("web")]).unwrap();
    for _ in 0..11 {
        let mut config = Config { networks: attachments.clone(), ..draft("") };
        config.plan.container.network.mode = NetworkMode::Names;
        containers.create(config).unwrap();
    }
    drop(_kept);
    assert!(
        line(networks.remove(&web, &containers))
            .contains(", 3 more: disconnect or remove them first")
    );
}
