//! What is kept of containers, and shown.

use super::*;

#[test]
fn containers_are_made_listed_renamed_and_removed() {
    let test = "containers_are_made_listed_renamed_and_removed";
    let Some(place) = place(test) else { return };
    let heading = "CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES\n";
    assert_eq!(place.says(&["ps", "-a"]), heading);
    let web = create(&place, &["--name", "web", "--label", "team=front"]);
    let db = create(&place, &["--name", "db", "--label", "team=back", "--label", "kept"]);
    let other = create(&place, &[]);
    let invented = place.says(&["inspect", "--format", "{{.Name}}", &other]);
    assert!(invented.starts_with('/') && invented.contains('_'), "{invented}");
    place.says(&["rm", invented.trim_end()]);

    // The newest first; none of them runs.
    assert_eq!(place.says(&["ps", "-q"]), "");
    assert_eq!(place.says(&["ps", "-aq", "--no-trunc"]), format!("{db}\n{web}\n"));
    assert_eq!(place.says(&["ps", "-aq"]), format!("{}\n{}\n", &db[..12], &web[..12]));
    let table = place.says(&["ps", "-a"]);
    let line = table.lines().nth(2).unwrap();
    let cells: Vec<&str> =
        line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(cells[..3], [&web[..12], "localhost/second:3", "\"sh -c 'echo a long …\""]);
    assert!(cells[3].ends_with(" ago") && cells[4..] == ["Created", "web"], "{line}");
    let listed = |filter: &str| {
        let format = "{{.Names}} {{.State}}";
        place.says(&["ps", "-a", "--no-trunc", "--filter", filter, "--format", format])
    };
    for (filter, names) in [
        ("name=we", "web created\n"),
        ("status=created", "db created\nweb created\n"),
        ("status=exited", ""),
        ("label=team", "db created\nweb created\n"),
        ("label=team=back", "db created\n"),
        ("label=kept", "db created\n"),
        ("label=team=other", ""),
    ] {
        assert_eq!(listed(filter), names, "{filter}");
    }
    place.fails(
        &["ps", "--filter", "size=1"],
        2,
        "'size=1': there are name=, id=, status=, exited=",
    );
    place.fails(&["ps", "--filter", "status=gone"], 2, "a status is one of created, running");
    assert_eq!(listed("status=dead"), "");
    let json = place.says(&["ps", "-a", "--filter", "name=web", "--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (json["ID"].as_str(), json["Labels"].as_str()),
        (Some(&web[..12]), Some("team=front"))
    );

    // Names are unique, and IDs may be cut short.
    place.fails(&create_arguments(&["--name", "web"]), 1, "the name web is taken by container");
    place.fails(&create_arguments(&["--name=-web"]), 2, "'-web' is no name for a container");
    place.fails(&["rename", "web", "db"], 1, "the name db is taken by container");
    place.fails(&["rename", "web", "a b"], 2, "'a b' is no name for a container");
    place.fails(&["rename", "gone", "there"], 1, "'gone' is no container: bulkhead ps -a");
    // A name as `inspect` shows it is understood.
    place.says(&["rename", &web[..20], "/front"]);
    assert_eq!(place.says(&["inspect", "-f", "{{.Name}}", "/front"]), "/front\n");
    assert_eq!(place.says(&["rm", "front"]), "front\n");
    place.fails(&["rm", "front"], 1, "front: 'front' is no container");
    // What can be done is done.
    let output = place.bulkhead(&["rm", "gone", "db"]);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b"db\n"[..]));
    assert_eq!(place.says(&["ps", "-a"]), heading);
    let output = place.bulkhead(&["rm", "-f", "gone"]);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b""[..]));
    // Nothing is left but the lock.
    assert_eq!(fs::read_dir(place.path("data/bulkhead/containers")).unwrap().count(), 1);
}

#[test]
fn a_container_goes_before_an_image() {
    let Some(place) = place("a_container_goes_before_an_image") else { return };
    place.says(&["tag", "localhost/second:3", "web"]);
    let image = place.says(&["inspect", "--format", "{{.Id}}", "web"]);
    let flags =
        ["--name", "web", "--stop-signal", "USR1", "--restart", "on-failure:3", "-e", "B=c"];
    let id = create(&place, &flags);
    let text = place.says(&["inspect", "web", "localhost/second:3"]);
    let both: Value = serde_json::from_str(&text).unwrap();
    let container = &both[0];
    assert_eq!(
        (container["Id"].as_str(), both[1]["Id"].as_str()),
        (Some(&id[..]), Some(image.trim_end()))
    );
    let config = &container["Config"];
    assert_eq!(config["Image"], "localhost/second:3");
    assert_eq!((&config["StopSignal"], &config["StopTimeout"]), (&"SIGUSR1".into(), &10.into()));
    assert_eq!(container["Image"], both[1]["Id"]);
    assert_eq!(config["Cmd"], serde_json::json!(["sh", "-c", "echo a long command"]));
    let environment = config["Env"].as_array().unwrap();
    assert!(["A=second", "B=c"].iter().all(|wanted| environment.contains(&(*wanted).into())));
    let policy = &container["HostConfig"]["RestartPolicy"];
    assert_eq!((&policy["Name"], &policy["MaximumRetryCount"]), (&"on-failure".into(), &3.into()));
    assert_eq!(container["State"]["Status"], "created");
    let status = ["inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "web"];
    assert_eq!(place.says(&status), "created 0\n");
    // What is there is shown beside a complaint about what is not.
    let output = place.bulkhead(&["inspect", "-f", "{{.Name}}", "no-such", "web"]);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b"/web\n"[..]));
    let output = place.bulkhead(&["inspect", "no-such"]);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b"[]\n"[..]));
    let output = place.bulkhead(&["wait", "no-such", "web"]);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b"0\n"[..]));
    place.fails(&["inspect", "no-such"], 1, "no image is called 'no-such'");
}

#[test]
fn a_log_is_shown_as_it_was_said() {
    let Some(place) = place("a_log_is_shown_as_it_was_said") else { return };
    let id = create(&place, &["--name", "web"]);
    assert_eq!(place.says(&["logs", "web"]), "");
    // As docker's own json-file driver writes it.
    let line = |text: &str, stream: &str, second: u32| {
        let time = format!("2026-11-24T12:00:{second:02}.5Z");
        format!("{}\n", serde_json::json!({"log": text, "stream": stream, "time": time}))
    };
    let older = line("one\n", "stdout", 1) + &line("bad\n", "stderr", 2);
    let newer = line("two\n", "stdout", 3) + &line("three", "stdout", 4);
    fs::write(folder(&place, &id).join("log.json.1"), older).unwrap();
    fs::write(folder(&place, &id).join("log.json"), newer).unwrap();
    let said = |flags: &[&str]| {
        let output = place.bulkhead(&[&["logs"], flags, &["web"]].concat());
        assert!(output.status.success());
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
    };
    assert_eq!(said(&[]), ["one\ntwo\nthree", "bad\n"]);
    // It does not run.
    assert_eq!(said(&["--follow"]), ["one\ntwo\nthree", "bad\n"]);
    assert_eq!(said(&["-n", "3"]), ["two\nthree", "bad\n"]);
    assert_eq!(said(&["--tail", "0"]), ["", ""]);
    assert_eq!(said(&["--since", "2026-11-24T12:00:03.5Z"]), ["two\nthree", ""]);
    assert_eq!(said(&["--since", "2026-11-24T13:00:03.6+01:00"]), ["three", ""]);
    // The nanoseconds are padded, so that lines stay below each other.
    let stamped = said(&["-t", "-n", "2"]);
    assert_eq!(stamped[0].lines().next(), Some("2026-11-24T12:00:03.500000000Z two"));
    assert_eq!(said(&["--since", "2026-11-24T12:00:03"]), ["two\nthree", ""]);
    assert_eq!(said(&["--until", "2026-11-24T12:00"]), ["", ""]);
    place.fails(&["logs", "--since", "yesterday", "web"], 2, "'yesterday' is no time");
    // What is no number of lines is all of them, as docker's reference has it.
    for all in ["-1", "all", "many"] {
        assert_eq!(said(&["--tail", all])[0], "one\ntwo\nthree", "{all}");
    }
    place.fails(&["logs", "gone"], 1, "'gone' is no container");
    // A line that is no entry hides no other.
    let torn = line("one\n", "stdout", 1) + "{\"log\":\"to\n" + &line("two\n", "stdout", 2);
    fs::write(folder(&place, &id).join("log.json"), torn).unwrap();
    let output = place.bulkhead(&["logs", "-n", "3", "web"]);
    assert_eq!(with_complaint(&output, "log.json: a line that is no entry"), "one\ntwo\n");
}

#[test]
fn an_image_stays_as_long_as_its_containers() {
    let Some(place) = place("an_image_stays_as_long_as_its_containers") else { return };
    let id = create(&place, &["--name", "web"]);
    let blobs = |image: &str| place.says(&["rmi", "-f", image]).lines().count();
    assert!(blobs("localhost/second:3") > 0 && blobs("localhost/bb:2") > 0);
    place.says(&["rmi", "busybox:1.35"]);
    assert_eq!(place.ids().len(), 0);
    let manifest = place.says(&["inspect", "--format", "{{.Image}}", &id]);
    let manifest = manifest.trim_end().strip_prefix("sha256:").unwrap();
    let manifest = place.path("data/bulkhead/images/blobs/sha256").join(manifest);
    // Its manifest, configuration and layers.
    let kept = place.blobs();
    assert!(kept >= 3 && manifest.is_file(), "{kept}");
    assert_eq!(place.says(&["prune"]), "Total reclaimed space: 0B\n");
    // One that fails to load takes nothing with it.
    fs::write(place.path("broken.tar"), "no archive").unwrap();
    assert!(!place.bulkhead(&["load", "-i", "broken.tar"]).status.success());
    assert_eq!(place.blobs(), kept);
    let pruned = place.says(&["prune", "--containers"]);
    assert!(
        pruned.starts_with(&format!("Deleted container: {id}\nTotal reclaimed space: ")),
        "{pruned}"
    );
    assert!(!pruned.ends_with(" 0B\n"), "{pruned}");
    assert_eq!((place.blobs(), place.says(&["ps", "-aq"]).as_str()), (0, ""));
}
