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
    let web = create(&place, &["--name", "web", "--label", "team=front"]);
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
        (&["network=none"], "my-web\nweb\n"),
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
    assert_eq!(place.says(&ports), "my-web\t||none\nweb\t||none\n");
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
        "--network: networks are not supported yet",
    );
    place.fails(&create_arguments(&["--net=host"]), 2, "--network: networks are not supported yet");
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
