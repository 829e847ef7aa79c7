//! Docker's flags and templates, as far as that needs no VM.

use super::*;

#[test]
fn switches_take_values() {
    let Some(place) = place("switches_take_values") else { return };
    let flags = ["--rm=false", "--tty=true", "--interactive=false", "--read-only=true"];
    let id = create(&place, &[&flags[..], &["--restart", "unless-stopped"]].concat());
    let format = "{{.Config.Tty}} {{.Config.OpenStdin}} {{.HostConfig.AutoRemove}} \
        {{.HostConfig.ReadonlyRootfs}} {{json .HostConfig.RestartPolicy}}";
    let expected = "true false false true {\"MaximumRetryCount\":0,\"Name\":\"unless-stopped\"}\n";
    assert_eq!(place.says(&["inspect", "-f", format, &id]), expected);
    assert_eq!(place.says(&["ps", "--all=false", "-q"]), "");
    assert_eq!(place.says(&["ps", "-aq=true", "--no-trunc=1", "--no-trunc=f"]).trim(), &id[..12]);
    place.fails(&["ps", "--all=yes"], 2, "'yes' for '--all[=<BOOL>]': give true or false");
}

#[test]
fn an_id_file_is_a_new_one() {
    let Some(place) = place("an_id_file_is_a_new_one") else { return };
    let file = place.path("id");
    let flags = ["--cidfile", file.to_str().unwrap(), "--name", "web"];
    let id = create(&place, &flags);
    assert_eq!(fs::read_to_string(&file).unwrap(), id);
    place.fails(&create_arguments(&flags), 2, "it is there, and perhaps another container's");
    fs::remove_file(&file).unwrap();
    // Where nothing is made, nothing is noted.
    place.fails(&create_arguments(&flags), 1, "the name web is taken");
    assert!(!file.exists());
}

#[test]
fn lists_are_filtered_and_put_in_columns() {
    let Some(place) = place("lists_are_filtered_and_put_in_columns") else { return };
    let web = create(&place, &["--name", "web", "--label", "team=front", "--network", "none"]);
    create(&place, &["--name", "my-web", "--label", "team=back"]);
    let names = |flags: &[&str]| place.says(&[&["ps", "--format", "{{.Names}}"], flags].concat());
    assert_eq!(names(&["-l"]), "my-web\n");
    assert_eq!(names(&["-n", "1"]), "my-web\n");
    assert_eq!(names(&["-n", "5"]), "my-web\nweb\n");
    assert_eq!(names(&["-n", "-1"]), "");
    for (filters, expected) in [
        (&["name=^/web$"][..], "web\n"),
        (&["name=^web$", "name=my"], "my-web\nweb\n"),
        (&["name=web", "label=team=back"], "my-web\n"),
        (&["label=team=front", "label=team=back"], ""),
        (&["ancestor=localhost/second:3"], "my-web\nweb\n"),
        (&["exited=0"], ""),
        (&["name=^(web|db)$"], "web\n"),
        (&["name=^/my-.*b"], "my-web\n"),
        (&["before=my-web"], "web\n"),
        (&["since=web"], "my-web\n"),
        (&["since=web", "before=web"], ""),
        (&["network=none"], "web\n"),
        (&["network=user"], "my-web\n"),
        (&["network=bridge"], ""),
        (&["volume=/data"], ""),
    ] {
        let flags = filters.iter().flat_map(|filter| ["-f", filter]).collect::<Vec<_>>();
        assert_eq!(names(&[&["-a"], &flags[..]].concat()), expected, "{filters:?}");
    }
    assert_eq!(names(&["-a", "-f", &format!("id={}", &web[..20])]), "web\n");
    let id = place.says(&["inspect", "-f", "{{.Image}}", "web"]);
    assert_eq!(names(&["-a", "-f", &format!("ancestor={}", &id[7..19])]), "my-web\nweb\n");
    place.fails(&["ps", "-f", "before=gone"], 1, "'gone' is no container");
    let columns =
        ["ps", "-a", "--format", "table {{.ID}}\\t{{upper .Names}}\\t{{.Label \"team\"}}"];
    let table = place.says(&columns);
    let (heading, line) = (table.lines().next().unwrap(), table.lines().nth(2).unwrap());
    assert_eq!(heading, "CONTAINER ID   NAMES    team");
    assert_eq!(line, format!("{}   WEB      front", &web[..12]));
    let usual = without_ages(&place.says(&["ps", "-a"]));
    assert_eq!(usual[2][4], "web");
    for format in ["table", ""] {
        assert_eq!(without_ages(&place.says(&["ps", "-a", "--format", format])), usual);
    }
    let ports = ["ps", "-a", "--format", "{{.Names}}\\t{{.Ports}}|{{.Mounts}}|{{.Networks}}"];
    assert_eq!(place.says(&ports), "my-web\t||user\nweb\t||none\n");
    // As docker, `ps -q` looks at no format.
    assert_eq!(place.says(&["ps", "-lq", "--format", "x"]).trim().len(), 12);

    let images = |filters: &[&str]| {
        let flags = filters.iter().flat_map(|filter| ["-f", filter]).collect::<Vec<_>>();
        place.says(&[&["images", "--format", "{{.Repository}}"], &flags[..]].concat())
    };
    assert!(images(&["reference=local*/sec*"]).contains("localhost/second"));
    assert_eq!(images(&["reference=second"]), "");
    assert_eq!(images(&["label=no-such"]), "");
    assert!(!images(&["dangling=true"]).contains("second"));
    assert!(images(&["dangling=0"]).contains("localhost/second"));
    let both = images(&["since=localhost/second:3"]) + &images(&["before=localhost/second:3"]);
    assert!(!both.contains("second"), "{both}");
    place.fails(&["images", "-f", "since=gone"], 1, "no image is called 'gone'");
    let matching = |pattern: &str| place.says(&["images", "--format", "{{.Repository}}", pattern]);
    assert_eq!(matching("localhost/sec*"), "localhost/second\n");
    assert_eq!(matching("sec*"), "");
}

#[test]
fn what_is_looked_at_can_be_chosen() {
    let Some(place) = place("what_is_looked_at_can_be_chosen") else { return };
    place.says(&["tag", "localhost/second:3", "web"]);
    let image = place.says(&["inspect", "-f", "{{.Id}}", "--type", "image", "web"]);
    let id = create(&place, &["--name", "web"]);
    let of = |kind: &str| place.says(&["inspect", "-f", "{{.Id}}", "--type", kind, "web"]);
    assert_eq!((of("image"), of("container").trim()), (image, &id[..]));
    let name = "localhost/second:3";
    place.fails(
        &["inspect", "--type", "container", name],
        1,
        "'localhost/second:3' is no container",
    );
    let counts = "{{.Containers}} {{.ContainersStopped}} {{.ContainersRunning}} {{.OSType}}";
    assert_eq!(place.says(&["info", "-f", counts]), "1 1 0 linux\n");
    assert!(
        place.says(&["info"]).starts_with("Containers: 1\n Running: 0\n Paused: 0\n Stopped: 1\n")
    );
    let version = ["version", "-f", "{{.Client.Version}} {{eq .Server.Os \"linux\"}}"];
    assert_eq!(place.says(&version), concat!(env!("CARGO_PKG_VERSION"), " true\n"));
    // Nothing to end, nothing to look at.
    place.fails(&["top", "web"], 1, "the container is not running");
    place.fails(&["restart", "-t", "-2", "web"], 2, "neither a number of seconds nor -1");
}

#[test]
fn what_is_inspected_has_dockers_names() {
    let Some(place) = place("what_is_inspected_has_dockers_names") else { return };
    let flags = [
        "--name=/web",
        "--entrypoint",
        "/bin/sh",
        "-l",
        "com.x=y",
        "--cap-add",
        "net_admin",
        "--cap-drop",
        "KILL",
        "-m",
        "100m",
        "--tmpfs",
        "/t:size=1m",
        "--ulimit",
        "nofile=1:2",
        "--security-opt",
        "no-new-privileges",
        "--shm-size",
        "32m",
        "--network",
        "none",
        "--log-driver",
        "json-file",
        "--log-opt",
        "max-file=3",
        "--stop-signal",
        "rtmin+3",
    ];
    create(&place, &flags);
    for (template, expected) in [
        ("{{.Name}} {{.Path}} {{.Args}}", "/web /bin/sh [sh -c echo a long command]"),
        (
            "{{.Config.Entrypoint}} {{json .Config.Cmd}}",
            "[/bin/sh] [\"sh\",\"-c\",\"echo a long command\"]",
        ),
        ("{{.Config.Image}} {{.Config.StopSignal}}", "localhost/second:3 SIGRTMIN+3"),
        ("{{index .Config.Labels \"com.x\"}} {{.Config.Labels.gone}}", "y <no value>"),
        (
            "{{.State.Status}} {{.State.Running}} {{.State.StartedAt}}",
            "created false 0001-01-01T00:00:00Z",
        ),
        ("{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none"),
        ("{{.HostConfig.CapAdd}} {{.HostConfig.CapDrop}}", "[CAP_NET_ADMIN] [CAP_KILL]"),
        ("{{.HostConfig.Memory}} {{.HostConfig.ShmSize}}", "104857600 33554432"),
        ("{{index .HostConfig.Tmpfs \"/t\"}}", "size=1048576,mode=1777,noexec"),
        ("{{range .HostConfig.Ulimits}}{{.Name}}={{.Soft}}:{{.Hard}}{{end}}", "nofile=1:2"),
        (
            "{{join .HostConfig.SecurityOpt \",\"}} {{.HostConfig.NetworkMode}}",
            "no-new-privileges none",
        ),
        (
            "{{.HostConfig.LogConfig.Type}} {{index .HostConfig.LogConfig.Config \"max-file\"}}",
            "json-file 3",
        ),
        ("{{range .NetworkSettings.Networks}}<{{.IPAddress}}{{.MacAddress}}>{{end}}", "<>"),
        ("{{range $p, $conf := .NetworkSettings.Ports}}{{$p}}{{end}}{{len .Mounts}}", "0"),
    ] {
        assert_eq!(
            place.says(&["inspect", "-f", template, "web"]),
            format!("{expected}\n"),
            "{template}"
        );
    }
    place.fails(&["inspect", "-f", "{{.State.Health.Status}}", "web"], 1, "web: --format: ");
    let image = [
        "inspect",
        "-f",
        "{{json .Config.Entrypoint}} {{.Config.Cmd}} {{len .Config.Labels}}",
        "localhost/second:3",
    ];
    assert_eq!(place.says(&image), "[] [/bin/sh] 0\n");
    place.fails(
        &create_arguments(&["--network", "bridge"]),
        2,
        "'bridge' for '--network <NETWORK>': give none, user, user with options",
    );
    place.fails(
        &create_arguments(&["--net=host"]),
        2,
        "'host' for '--network <NETWORK>': give none",
    );
}

#[test]
fn what_is_asked_of_a_network_is_shown() {
    let Some(place) = place("what_is_asked_of_a_network_is_shown") else { return };
    let network =
        ["--network", "user:mtu=1500", "--ip", "10.0.2.7", "--mac-address", "02:00:00:00:00:07"];
    let names = [
        "--dns",
        "9.9.9.9",
        "--dns-search",
        "lan",
        "--add-host",
        "db:10.0.0.7",
        "--add-host",
        "host:host-gateway",
    ];
    let ports = ["-p", "127.0.0.1:8080:80", "-p", "53/udp", "--expose", "81-82", "--expose", "80"];
    let kernel = ["--sysctl", "net.ipv4.ip_forward=1"];
    create(&place, &[&["--name", "web"], &network[..], &names, &ports, &kernel].concat());
    for (template, expected) in [
        (
            "{{.HostConfig.NetworkMode}} {{json .Config.ExposedPorts}}",
            r#"user {"53/udp":{},"80/tcp":{},"81/tcp":{},"82/tcp":{}}"#,
        ),
        (
            "{{json .HostConfig.PortBindings}}",
            r#"{"53/udp":[{"HostIp":"","HostPort":""}],"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}"#,
        ),
        (
            "{{.HostConfig.Dns}} {{.HostConfig.DnsSearch}} {{.HostConfig.ExtraHosts}}",
            "[9.9.9.9] [lan] [db:10.0.0.7 host:host-gateway]",
        ),
        ("{{json .HostConfig.Sysctls}}", r#"{"net.ipv4.ip_forward":"1"}"#),
        // What it has, it has while it runs.
        (
            "{{json .NetworkSettings.Ports}}{{range .NetworkSettings.Networks}}<{{.IPAddress}}>{{end}}",
            "{}<>",
        ),
    ] {
        assert_eq!(
            place.says(&["inspect", "-f", template, "web"]),
            format!("{expected}\n"),
            "{template}"
        );
    }
    assert_eq!(place.says(&["ps", "-a", "--format", "{{.Networks}}<{{.Ports}}>"]), "user<>\n");
    let listed =
        |filter: &str| place.says(&["ps", "-a", "--format", "{{.Names}}", "--filter", filter]);
    assert_eq!(listed("expose=81"), "web\n");
    assert_eq!((listed("expose=53"), listed("publish=8080")), (String::new(), String::new()));
    assert_eq!(place.says(&["port", "web"]), "");
    place.fails(&["port", "web", "80"], 1, "no port 80/tcp of web is published");
    place.fails(&["port", "web", "80/sctp"], 2, "'sctp' is not tcp or udp");
    place.fails(&["port", "nobody"], 1, "'nobody' is no container");
    for (flags, message) in [
        (
            &["-p", "80:80", "-p", "80:81"][..],
            "--publish 80:81/tcp: port 80 of this host is published already",
        ),
        (
            &["-p", "80:80", "--network", "none"],
            "--publish needs a network, and --network none is without",
        ),
        (&["--ip", "10.0.2.7", "--network", "none"], "--ip needs a network"),
        (&["--ip", "192.168.0.1"], "--ip 192.168.0.1: give one of 10.0.2.4"),
        (&["--mac-address", "01:00:5e:00:00:01"], "that is a group's address"),
        (&["-p", "1-2000"], "--publish: 2000 ports: give at most 1024"),
        (&["-p", "65536:80"], "'65536' is no port from 0 to 65535"),
        (&["--network", "user:mtu=9"], "mtu=9: give 1280 to 65520 bytes"),
        (&["--sysctl", "kernel.msgmax=1"], "only settings of the network can be made"),
    ] {
        place.fails(&create_arguments(flags), 2, message);
    }
}

/// The cells of each line of `ps`, without those below CREATED: a second may pass between two commands.
fn without_ages(table: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        cells.map(String::from).collect::<Vec<_>>()
    };
    let mut lines = table.lines().map(cells).collect::<Vec<_>>();
    lines.iter_mut().for_each(|line| drop(line.remove(3)));
    lines
}
