//! Podman as a judge: it reads what `bulkhead save` writes, and `bulkhead load` what podman writes.

mod common;

use std::fs;
use std::path::Path;

use common::layers::nasty_layers;
use common::podman::{self, Podman, facts};
use common::store::Place;
use common::{Mounted, assert_same_facts, facts as tree_facts, stitch, text, tool};
use serde_json::{Value, json};

/// The image under test in the store, with two names.
const NAMES: [&str; 2] = ["localhost/nasty:1", "registry.example/group/nasty:second"];

/// How it is to start.
const CONFIG: [&str; 22] = [
    "--architecture=amd64",
    "--author=a judge",
    "--config.user=5:6",
    "--config.workingdir=/tmp",
    "--config.stopsignal=SIGINT",
    "--config.entrypoint=/bin/sh",
    "--config.entrypoint=-c",
    "--clear=config.cmd",
    "--config.cmd=echo \"$A\"",
    "--config.cmd= an argument with spaces ",
    "--config.env=A=b=c",
    "--config.env=EMPTY=",
    "--config.env=LETTERS=äöü \u{1f9f1}",
    "--config.label=org.example.label=a value",
    "--config.label=quoted=\"<&>\"",
    "--config.label=empty=",
    "--config.exposedports=80/tcp",
    "--config.exposedports=53/udp",
    "--config.volume=/data",
    "--config.volume=/var/lib/more data",
    "--created=2001-02-03T04:05:06Z",
    "--history.comment=made for podman",
];

/// An image of many layers with everything in them, in an OCI layout as `nasty`, and in the store.
fn nasty_image(place: &Place) {
    let image = format!("{}:nasty", text(&place.path("layout")));
    tool("umoci", &["new", "--image", &image]);
    let folder = place.path("layers");
    fs::create_dir(&folder).unwrap();
    for layer in nasty_layers(&folder) {
        tool("umoci", &["raw", "add-layer", "--image", &image, text(&layer)]);
    }
    tool("umoci", &[&["config", "--image", &image][..], &CONFIG].concat());
    place.skopeo("oci:layout:nasty", &format!("oci:nasty:{}", NAMES[0]), &[]);
    tool("tar", &["-C", text(&place.path("nasty")), "-cf", text(&place.path("nasty.tar")), "."]);
    place.says(&["load", "-i", "nasty.tar"]);
    place.says(&["tag", NAMES[0], NAMES[1]]);
}

fn ours(place: &Place, name: &str) -> Value {
    let text = place.says(&["inspect", name]);
    serde_json::from_str::<Value>(&text).unwrap()[0].take()
}

/// Podman has the image just as we have it: its ID, its configuration, its layers, and the files in it.
fn assert_known(place: &Place, podman: &Podman, name: &str, archive: &str) {
    let (ours, theirs) = (facts(&ours(place, name)), facts(&podman.inspect(name)));
    assert_eq!(ours, theirs, "{archive}");
    let (_, disk) =
        common::unpack(&place.path("cache/judged"), &place.path(archive), Some(name)).unwrap();
    let file = place.path("disk.erofs");
    stitch(&disk, &file);
    let mounted = Mounted::new(&file, &place.path("mounted"));
    let (mut ours, mut theirs) = (tree_facts(&mounted.0), tree_facts(&podman.tree(name)));
    // Podman puts a folder into the root while it unpacks, and does not set back a folder's time when a layer adds a file
    // without a word about the folder.
    for folder in ["", "etc"].map(Path::new) {
        theirs.get_mut(folder).unwrap().mtime = ours[folder].mtime;
    }
    // Its own images say nothing about their root, and the OCI image specification ("Image Layer Filesystem Changeset",
    // "Initial Root Filesystem") only that it begins as "an empty directory": we make it 0755, and podman 0555.
    if name.contains("built") {
        assert_eq!(ours.remove(Path::new("")).unwrap().mode, 0o40755);
        assert_eq!(theirs.remove(Path::new("")).unwrap().mode, 0o40555);
    }
    assert_same_facts(&ours, &theirs);
}

#[test]
fn podman_reads_what_goes_out() {
    let test = "podman_reads_what_goes_out";
    let Some(place) = Some(test).filter(|test| podman::is_here(test)).and_then(Place::new) else {
        return;
    };
    nasty_image(&place);
    for format in ["docker-archive", "oci-archive"] {
        let podman = Podman::new(place.path(format));
        let archive = format!("{format}/out");
        // Podman 4 loads no OCI archive with several names: "more than one image in oci, choose an image".
        let names = if format == "oci-archive" { &NAMES[..1] } else { &NAMES };
        place.says(&[&["save", "-o", &archive, "--format", format][..], names].concat());
        podman.says(&["load", "-q", "-i", "out"]);
        let facts = podman.inspect(NAMES[0]);
        // The newest is first.
        let mut tags: Vec<&str> =
            facts["RepoTags"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        tags.sort_unstable();
        assert_eq!(tags, names, "{format}");
        // Both sides could agree on nothing.
        assert_eq!(facts["Architecture"], "amd64");
        assert_eq!(facts["Author"], "a judge");
        assert_eq!(facts["RootFS"]["Layers"].as_array().unwrap().len(), 4);
        let config = &facts["Config"];
        assert_eq!(config["User"], "5:6");
        assert_eq!(config["Cmd"], json!(["echo \"$A\"", " an argument with spaces "]));
        assert_eq!(config["Env"], json!(["A=b=c", "EMPTY=", "LETTERS=äöü \u{1f9f1}"]));
        assert_eq!(config["Labels"]["quoted"], "\"<&>\"");
        assert_known(&place, &podman, NAMES[0], &archive);
    }
    // Not so if something was still mounted there.
    place.work.close().unwrap();
}

/// Makes an image without running anything in it.
const CONTAINERFILE: &str = r#"
FROM scratch
COPY root /
COPY --chown=3:4 more /more/
ENV A="b c" PATH=/bin
LABEL org.example.label="a value"
USER 5:6
WORKDIR /more
EXPOSE 80/tcp
VOLUME /data
STOPSIGNAL SIGINT
ENTRYPOINT ["/bin/sh"]
CMD ["-c", "echo $A"]
"#;

#[test]
fn what_podman_saves_comes_in() {
    let test = "what_podman_saves_comes_in";
    let Some(place) = Some(test).filter(|test| podman::is_here(test)).and_then(Place::new) else {
        return;
    };
    let podman = Podman::new(place.path("podman"));
    nasty_image(&place);
    let context = podman.path("context");
    fs::create_dir_all(context.join("more/folder")).unwrap();
    fs::write(context.join("more/folder/file"), "more").unwrap();
    fs::rename(place.path("root"), context.join("root")).unwrap();
    fs::write(context.join("Containerfile"), CONTAINERFILE).unwrap();
    for format in ["oci", "docker"] {
        let name = format!("localhost/built:{format}");
        let fixed = ["build", "-q", "--isolation", "chroot", "--layers"];
        // The files are the same for both machines' architectures.
        let more = ["--platform", "linux/amd64", "--format", format, "-t", &name, "context"];
        podman.says(&[&fixed[..], &more].concat());
    }
    fs::copy(place.path("nasty.tar"), podman.path("in")).unwrap();
    podman.says(&["load", "-q", "-i", "in"]);
    // An archive of one form with an image of the other has another configuration in it, so another image.
    let cases = [
        (NAMES[0], "docker-archive"),
        (NAMES[0], "oci-archive"),
        ("localhost/built:oci", "docker-archive"),
        ("localhost/built:oci", "oci-archive"),
        ("localhost/built:docker", "docker-archive"),
    ];
    for (name, format) in cases {
        fs::remove_dir_all(place.path("data")).unwrap();
        let archive = format!("{} as {format}", name.replace(['/', ':'], " "));
        podman.says(&["save", "-q", "-o", &archive, "--format", format, name]);
        let archive = format!("podman/{archive}");
        let loaded = place.says(&["load", "-i", &archive]);
        assert_eq!(loaded, format!("Loaded image: {name}\n"), "{archive}");
        assert_known(&place, &podman, name, &archive);
    }
    // Two images in one archive share a layer.
    let names = ["localhost/built:oci", "localhost/built:docker"];
    podman.says(&[&["save", "-q", "-m", "-o", "both"][..], &names].concat());
    fs::remove_dir_all(place.path("data")).unwrap();
    place.says(&["load", "-i", "podman/both"]);
    for name in names {
        assert_known(&place, &podman, name, "podman/both");
    }
    // Not so if something was still mounted there.
    place.work.close().unwrap();
}
