//! The image store through the command: what skopeo writes comes in, what goes out skopeo reads.

mod common;

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use common::store::Place;
use common::{text, tool};
use host::digest::Digest;

/// The digest of an image's configuration, as skopeo sees it.
fn id(image: &str) -> String {
    let config = tool("skopeo", &["inspect", "--config", "--raw", image]);
    Digest::of(config.as_bytes()).to_string()
}

#[test]
fn archives_come_in_with_all_their_names() {
    let Some(place) = Place::new("archives_come_in_with_all_their_names") else { return };
    let loaded = place.says(&["load", "-i", "docker.tar"]);
    assert_eq!(loaded, "Loaded image: busybox:1.35\nLoaded image: localhost/bb:2\n");
    let expected = id(&format!("docker-archive:{}:busybox:1.35", text(&place.path("docker.tar"))));
    assert_eq!(place.ids(), [expected]);
    let mut from_pipe = place.command(&["load", "-q"]);
    let pipe = Command::new("cat").arg(place.path("oci.tar")).stdout(Stdio::piped()).spawn();
    let mut pipe = pipe.unwrap();
    let output = from_pipe.stdin(pipe.stdout.take().unwrap()).output().unwrap();
    assert!(output.status.success() && pipe.wait().unwrap().success());
    let mut loaded: Vec<&str> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
    loaded.sort_unstable();
    let said = ["busybox:1.35", "localhost/bb:2", "localhost/second:3"];
    assert_eq!(loaded, said.map(|name| format!("Loaded image: {name}")));
    let mut rows: Vec<String> = place
        .says(&["images", "--format", "{{.Repository}}:{{.Tag}}"])
        .lines()
        .map(str::to_owned)
        .collect();
    rows.sort();
    let names = ["busybox:1.35", "localhost/bb:2", "localhost/second:3"];
    // The first image has no name any more unless its configuration is the same in both forms.
    rows.retain(|row| row != "<none>:<none>");
    assert_eq!(rows, names);
    let table = place.says(&["images"]);
    let heading: Vec<&str> = table.lines().next().unwrap().split("   ").collect();
    let heading: Vec<&str> =
        heading.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(heading, ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]);
    let env = place.says(&["inspect", "-f", "{{.Config.Env}}", "localhost/second:3"]);
    assert!(env.contains("A=second"), "{env}");
    let facts: serde_json::Value =
        serde_json::from_str(&place.says(&["inspect", "localhost/bb:2"])).unwrap();
    assert_eq!(facts[0]["Config"]["Cmd"][0], "/bin/sh");
    // The store itself is a layout that other tools read.
    let images = format!("oci:{}:3", text(&place.path("data/bulkhead/images")));
    assert_eq!(id(&images), place.says(&["inspect", "-f", "{{.Id}}", "localhost/second:3"]).trim());
}

#[test]
fn skopeo_reads_what_goes_out() {
    let Some(place) = Place::new("skopeo_reads_what_goes_out") else { return };
    place.says(&["load", "-i", "oci.tar"]);
    let expected = place.says(&["inspect", "-f", "{{.Id}}", "busybox:1.35"]).trim().to_owned();
    place.says(&["save", "-o", "out.docker", "busybox:1.35", "localhost/second:3"]);
    place.says(&["save", "-o", "out.oci", "--format", "oci-archive", "busybox:1.35"]);
    let docker = format!("docker-archive:{}:busybox:1.35", text(&place.path("out.docker")));
    let oci = format!("oci-archive:{}", text(&place.path("out.oci")));
    assert_eq!((id(&docker), id(&oci)), (expected.clone(), expected.clone()));
    let facts = tool("skopeo", &["inspect", &docker]);
    assert!(
        facts.contains("\"Architecture\": \"amd64\"")
            || facts.contains("\"Architecture\": \"arm64\""),
        "{facts}"
    );
    // Through skopeo and back it is the same image.
    place.skopeo(
        "docker-archive:out.docker:busybox:1.35",
        "docker-archive:again.docker:busybox:1.35",
        &[],
    );
    place.skopeo("oci-archive:out.oci", "oci-archive:again.oci:busybox:1.35", &[]);
    for archive in ["out.docker", "out.oci", "again.docker", "again.oci"] {
        fs::remove_dir_all(place.path("data")).unwrap();
        place.says(&["load", "-i", archive]);
        assert_eq!(
            place.says(&["inspect", "-f", "{{.Id}}", "busybox:1.35"]).trim(),
            expected,
            "{archive}"
        );
    }
    // On stdout it is the same archive.
    let to_file = place.says(&["save", "-o", "a", "busybox:1.35"]);
    let to_pipe = place.bulkhead(&["save", "busybox:1.35"]).stdout;
    assert_eq!((to_file, fs::read(place.path("a")).unwrap()), (String::new(), to_pipe.clone()));
    let mut file = fs::File::create(place.path("behind")).unwrap();
    file.write_all(b"before").unwrap();
    assert!(place.command(&["save", "busybox:1.35"]).stdout(file).status().unwrap().success());
    assert_eq!(fs::read(place.path("behind")).unwrap(), [&b"before"[..], &to_pipe].concat());
    // A pipe stays one, and has it too.
    let pipe = place.path("pipe");
    tool("mkfifo", &[text(&pipe)]);
    let reader = std::thread::spawn(move || fs::read(pipe).unwrap());
    place.says(&["save", "-o", "pipe", "busybox:1.35"]);
    assert_eq!(reader.join().unwrap(), fs::read(place.path("a")).unwrap());
    place.fails(&["save", "-o", "root", "busybox:1.35"], 1, "root: cannot write it");
    place.fails(&["save", "-o", "b", "nothing"], 1, "no image is called 'nothing'");
    assert!(!place.path("b").exists());
}

#[test]
fn names_come_and_go() {
    let Some(place) = Place::new("names_come_and_go") else { return };
    place.says(&["load", "-i", "docker.tar"]);
    let blobs = place.blobs();
    let id = place.ids().remove(0);
    place.says(&["tag", "busybox:1.35", "mine"]);
    place.says(&["tag", &id[7..19], "localhost:5000/mine:v2"]);
    place.fails(&["tag", "gone", "mine"], 1, "no image is called 'gone'");
    place.fails(&["tag", "mine", "Mine"], 1, "'Mine' is no name of an image");
    // Of several, one that is not there keeps no other; by force that is no failure.
    let missing = |flags: &[&str]| place.bulkhead(&[flags, &["gone", "mine"]].concat());
    let output = missing(&["rmi"]);
    assert_eq!(
        (output.status.code(), &output.stdout[..]),
        (Some(1), &b"Untagged: mine:latest\n"[..])
    );
    place.says(&["tag", "busybox:1.35", "mine"]);
    let output = missing(&["rmi", "-f"]);
    assert_eq!(
        (output.status.code(), &output.stdout[..]),
        (Some(0), &b"Untagged: mine:latest\n"[..])
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("gone: no image is called 'gone'"));
    place.says(&["tag", "busybox:1.35", "mine"]);
    place.fails(&["rmi", &id], 1, "has several names: remove one of busybox:1.35, localhost/bb:2");
    assert_eq!(
        place.says(&["rmi", "mine", "busybox:1.35"]),
        "Untagged: mine:latest\nUntagged: busybox:1.35\n"
    );
    assert_eq!(place.blobs(), blobs);
    let removed = place.says(&["rmi", "-f", &id[..20]]);
    assert_eq!(
        removed,
        format!("Untagged: localhost/bb:2\nUntagged: localhost:5000/mine:v2\nDeleted: {id}\n")
    );
    assert_eq!((place.blobs(), place.ids().len()), (0, 0));
    place.says(&["load", "-i", "docker.tar"]);
    place.says(&["load", "-i", "oci.tar"]);
    place.says(&["tag", "localhost/second:3", "localhost/bb:2"]);
    place.says(&["tag", "localhost/second:3", "busybox:1.35"]);
    assert!(place.says(&["prune"]).starts_with("Deleted: sha256:"));
    assert_eq!(place.says(&["images", "-q", "localhost/second"]).lines().count(), 1);
    assert_eq!(place.ids().len(), 1);
    assert_eq!(place.says(&["prune"]), "Total reclaimed space: 0B\n");
}

#[test]
fn a_container_runs_by_its_images_name() {
    let Some(place) = Place::new("a_container_runs_by_its_images_name") else { return };
    place.says(&["load", "-i", "oci.tar"]);
    place.guest();
    let prepare = |image: &str, out: &str| {
        let flags =
            ["prepare", "--kernel", "kernel", "--initramfs", "initramfs", "--out", out, image];
        place.says(&flags);
        fs::read(place.path(out)).unwrap()
    };
    let by_path = prepare("oci.tar#localhost/second:3", "path.json");
    assert_eq!(prepare("localhost/second:3", "name.json"), by_path);
    // A file of that name goes before the image.
    fs::create_dir_all(place.path("localhost")).unwrap();
    fs::write(place.path("localhost/second:3"), "no image").unwrap();
    place.fails(
        &["run", "--kernel", "kernel", "localhost/second:3"],
        1,
        "localhost/second:3 is not an image",
    );
    place.fails(&["run", "--kernel", "kernel", "./gone"], 1, "image ./gone: cannot open it");
    place.fails(
        &["run", "--pull", "never", "--kernel", "kernel", "gone"],
        1,
        "'gone' is neither a file nor an image in the store: bulkhead images",
    );
}
