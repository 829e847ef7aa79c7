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
    ] {
        let flags = filters.iter().flat_map(|filter| ["-f", filter]).collect::<Vec<_>>();
        assert_eq!(names(&[&["-a"], &flags[..]].concat()), expected, "{filters:?}");
    }
    assert_eq!(names(&["-a", "-f", &format!("id={}", &web[..20])]), "web\n");
    let columns =
        ["ps", "-a", "--format", "table {{.ID}}\\t{{upper .Names}}\\t{{.Label \"team\"}}"];
    let table = place.says(&columns);
    let (heading, line) = (table.lines().next().unwrap(), table.lines().nth(2).unwrap());
    assert_eq!(heading, "CONTAINER ID   NAMES    team");
    assert_eq!(line, format!("{}   WEB      front", &web[..12]));
    assert_eq!(place.says(&["ps", "-a", "--format", "table"]), place.says(&["ps", "-a"]));
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
