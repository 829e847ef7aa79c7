//! Containers whose files or supervisors are damaged, and commands at once.

use super::*;

#[test]
fn a_container_whose_supervisor_is_gone_has_exited() {
    let test = "a_container_whose_supervisor_is_gone_has_exited";
    let Some(place) = place(test) else { return };
    let id = create(&place, &["--name", "web"]);
    let path = folder(&place, &id).join("state.json");
    let text = fs::read_to_string(&path).unwrap();
    let running = text.replace("\"created\"", "\"running\"");
    assert_ne!(running, text);
    fs::write(&path, &running).unwrap();
    // While somebody holds the lock, he is its supervisor.
    let lock = fs::File::create(folder(&place, &id).join("lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(place.says(&["ps", "--format", "{{.State}}"]), "running\n");
    place.fails(&["rm", "web"], 1, "web is running: bulkhead stop ends it");
    assert_eq!(place.says(&["prune", "--containers"]), "Total reclaimed space: 0B\n");
    drop(lock);
    // A process that another test starts at this moment has the lock too, until it is a program.
    let start = Instant::now();
    while !place.says(&["ps", "-q"]).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(30), "it still runs");
    }
    let status = place.says(&["ps", "-a", "--format", "{{.Status}}"]);
    assert!(status.starts_with("Exited (137) "), "{status}");
    assert!(fs::read_to_string(&path).unwrap().contains("\"exited\""));
    assert_eq!(place.says(&["wait", "web"]), "137\n");
    assert_eq!(place.says(&["rm", "web"]), "web\n");
}

#[test]
fn one_whose_supervisor_begins_or_ends_at_this_moment_is_removed_by_force() {
    let test = "one_whose_supervisor_begins_or_ends_at_this_moment_is_removed_by_force";
    let Some(place) = place(test) else { return };
    let id = create(&place, &["--name", "web"]);
    // As a supervisor that has the container, and is not there to be asked.
    let lock = fs::File::create(folder(&place, &id).join("lock")).unwrap();
    lock.lock().unwrap();
    let mut removing = place.command(&["rm", "-f", "web"]);
    let removing = removing.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Long enough for it to find the lock held; if not, it has nothing to wait for.
    std::thread::sleep(Duration::from_millis(500));
    drop(lock);
    let output = removing.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), stderr.as_ref()), (Some(0), ""));
    assert_eq!((&output.stdout[..], place.says(&["ps", "-aq"]).as_str()), (&b"web\n"[..], ""));
}

#[test]
fn a_damaged_container_is_no_obstacle() {
    let Some(place) = place("a_damaged_container_is_no_obstacle") else { return };
    let bad = create(&place, &["--name", "bad"]);
    create(&place, &["--name", "good"]);
    let path = folder(&place, &bad).join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    let names = |complaint: &str| {
        let output = place.bulkhead(&["ps", "-a", "--format", "{{.Names}}"]);
        with_complaint(&output, complaint)
    };
    fs::write(&path, text.replace("\"stop_signal\": 15", "\"stop_signal\": \"TERM\"")).unwrap();
    assert_eq!(
        names("config.json: stop_signal: invalid type: string \"TERM\", expected u8"),
        "good\n"
    );
    fs::write(&path, text.replace("\"name\": \"bad\"", "\"name\": \"\\u001b[2J\"")).unwrap();
    assert_eq!(names("config.json: name: '\\u{1b}[2J' is no name for a container"), "good\n");
    // The way out that the complaint names.
    assert_eq!(names(&format!(": bulkhead rm {} removes the container", &bad[..12])), "good\n");
    let nobody = place.bulkhead(&["rm", "nobody"]);
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("'nobody' is no container"));
    assert_eq!(place.bulkhead(&["rm", &bad[..12]]).status.code(), Some(0));
    assert!(!path.exists());
    let bad = create(&place, &["--name", "bad"]);
    fs::write(folder(&place, &bad).join("state.json"), "{}").unwrap();
    assert_eq!(names("state.json: missing field `status`"), "good\n");
    place.fails(&["inspect", "bad"], 1, "state.json: missing field `status`");
    assert_eq!(place.says(&["rm", "bad", "good"]), "bad\ngood\n");
}

#[test]
fn commands_at_once_leave_whole_containers() {
    let Some(place) = place("commands_at_once_leave_whole_containers") else { return };
    let start = |arguments: &[&str]| -> Child {
        let mut command = place.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let ends = |children: Vec<Child>| -> Vec<Output> {
        children.into_iter().map(|child| child.wait_with_output().unwrap()).collect()
    };
    let made = ends((0..6).map(|_| start(&create_arguments(&["--name", "web"]))).collect());
    assert_eq!(made.iter().filter(|output| output.status.success()).count(), 1);
    let taken = made.iter().filter(|output| !output.status.success());
    for output in taken {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("the name web is taken"), "{stderr}");
    }
    let id = place.says(&["ps", "-aq", "--no-trunc"]).trim_end().to_owned();
    let commands: [&[&str]; 6] = [
        &["rename", &id, "one"],
        &["rename", &id, "two"],
        &["ps", "-a"],
        &["inspect", &id],
        &["logs", &id],
        &["rename", &id, "three"],
    ];
    for output in ends(commands.iter().map(|arguments| start(arguments)).collect()) {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let removed = ends((0..6).map(|_| start(&["rm", &id])).collect());
    assert_eq!(removed.iter().filter(|output| output.status.success()).count(), 1);
    for output in removed {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success()
                || stderr.contains("is no container")
                || stderr.contains("is running"),
            "{stderr}"
        );
    }
    assert_eq!(place.says(&["ps", "-aq"]), "");
}
