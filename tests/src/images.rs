//! The images of the tests: Debian's static busybox in every form, made once, by Debian's container tools.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::layers::{Layer, Meta};
use crate::machine::{ELSEWHERE, HERE, Machine};
use crate::tools::{find, have, tool};

/// Changes when the images do.
const VERSION: u32 = 4;

/// The commands that tests use.
const APPLETS: [&str; 30] = [
    "awk",
    "cat",
    "chmod",
    "date",
    "echo",
    "env",
    "free",
    "grep",
    "head",
    "hostname",
    "id",
    "kill",
    "ls",
    "mkdir",
    "nproc",
    "pwd",
    "readlink",
    "rm",
    "sed",
    "seq",
    "sh",
    "sha256sum",
    "sleep",
    "stat",
    "stty",
    "tail",
    "touch",
    "tty",
    "vi",
    "wc",
];

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\n";
const GROUP: &str = "root:x:0:\napp:x:1001:\nextra:x:2000:app\n";

/// One folder with all images:
///
/// | name | what it is |
/// |---|---|
/// | `root` | a root file system |
/// | `root.tar` | the same in a tar |
/// | `layout` | an OCI layout: `#plain`, `#configured`, `#layered`; `#foreign`, which is `#plain` for the other kind of machine; `#both`, an index of these two |
/// | `oci.tar` | `#plain` in an OCI archive |
/// | `docker.tar` | `#plain` in a docker archive, as `busybox:plain` |
pub struct Images(PathBuf);

impl Images {
    /// The images in `folder` (cargo's `CARGO_TARGET_TMPDIR`), made if they are not there. `None` where a tool is
    /// missing, after a line that says so.
    pub fn of(test: &str, folder: &str) -> Option<Images> {
        let busybox = have(test, &["busybox"]).then(|| find("busybox")).flatten()?;
        let file = fs::metadata(&busybox).unwrap();
        let name = format!("images-{VERSION}-{}-{}", file.len(), file.mtime());
        let images = Images(Path::new(folder).join(name));
        if !images.0.is_dir() {
            if !have(test, &["umoci", "skopeo"]) {
                return None;
            }
            let new = tempfile::tempdir_in(folder).unwrap();
            make(new.path(), &fs::read(busybox).unwrap());
            // Another test may have been faster. What fails for another reason is found missing below.
            let _ = fs::rename(new.path(), &images.0);
        }
        assert!(images.0.is_dir(), "{}", images.0.display());
        Some(images)
    }

    /// One of the images, for a command line.
    pub fn get(&self, name: &str) -> String {
        format!("{}/{name}", self.0.display())
    }
}

fn make(folder: &Path, busybox: &[u8]) {
    let path = |name: &str| folder.join(name).into_os_string().into_string().unwrap();
    busybox_folder(&folder.join("root"));
    let plain = plain(busybox);
    fs::write(path("root.tar"), &plain).unwrap();

    let layout = path("layout");
    let image = |tag: &str| format!("{layout}:{tag}");
    tool("umoci", &["init", "--layout", &layout]);
    tool("umoci", &["new", "--image", &image("plain")]);
    let add = |tag: &str, layer: &[u8]| {
        fs::write(path("layer.tar"), layer).unwrap();
        tool("umoci", &["raw", "add-layer", "--image", &image(tag), &path("layer.tar")]);
    };
    add("plain", &plain);
    tool("umoci", &["tag", "--image", &image("plain"), "layered"]);
    add("layered", &lower(busybox));
    add("layered", &upper());
    fs::remove_file(path("layer.tar")).unwrap();
    let configured = [
        "--config.entrypoint=/bin/sh",
        "--config.entrypoint=-c",
        "--config.cmd=echo $GREETING from $(pwd) as $(id -un):$(id -gn) in $(id -Gn), home $HOME",
        "--config.env=GREETING=hello",
        "--config.env=PATH=/bin",
        "--config.user=app",
        "--config.workingdir=/srv/app",
    ];
    let plain = image("plain");
    tool(
        "umoci",
        &[&["config", "--image", &plain, "--tag", "configured"], &configured[..]].concat(),
    );
    let architecture = ELSEWHERE.image_architecture;
    tool(
        "umoci",
        &["config", "--image", &plain, "--tag", "foreign", "--architecture", architecture],
    );
    add_index(Path::new(&layout));
    for (kind, file, name) in
        [("oci-archive", "oci.tar", "plain"), ("docker-archive", "docker.tar", "busybox:plain")]
    {
        let to = format!("{kind}:{}:{name}", path(file));
        tool("skopeo", &["--insecure-policy", "copy", "--quiet", &format!("oci:{plain}"), &to]);
    }
}

/// `#both` (OCI image specification, "Image Index"): first the image that this machine can't run.
fn add_index(layout: &Path) {
    const NAME: &str = "org.opencontainers.image.ref.name";
    let index = layout.join("index.json");
    let mut top: Value = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
    let manifests = top["manifests"].as_array_mut().unwrap();
    let of = |(tag, machine): (&str, Machine)| {
        let found = manifests.iter().find(|manifest| manifest["annotations"][NAME] == tag);
        let mut manifest = found.unwrap().clone();
        manifest["platform"] = json!({"os": "linux", "architecture": machine.image_architecture});
        manifest
    };
    let both = [("foreign", ELSEWHERE), ("plain", HERE)].map(of);
    let both = json!({"schemaVersion": 2, "manifests": both}).to_string();
    let file = layout.join("both");
    fs::write(&file, &both).unwrap();
    let digest = Command::new("sha256sum").arg(&file).output().unwrap().stdout;
    let digest = str::from_utf8(&digest[..64]).unwrap();
    fs::rename(&file, layout.join("blobs/sha256").join(digest)).unwrap();
    manifests.push(json!({
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": format!("sha256:{digest}"),
        "size": both.len(),
        "annotations": {NAME: "both"},
    }));
    fs::write(&index, top.to_string()).unwrap();
}

/// A root file system of busybox as a plain folder.
pub fn busybox_folder(root: &Path) {
    for folder in ["bin", "etc", "tmp"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::copy(find("busybox").unwrap(), root.join("bin/busybox")).unwrap();
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    fs::write(root.join("etc/passwd"), PASSWD).unwrap();
    fs::write(root.join("etc/group"), GROUP).unwrap();
}

/// The same as a layer.
fn plain(busybox: &[u8]) -> Vec<u8> {
    let layer = ["bin", "etc"]
        .iter()
        .fold(Layer::new(), |layer, name| layer.folder(name, Meta::root(0o755)));
    let layer =
        layer.folder("tmp", Meta::root(0o1777)).file("bin/busybox", Meta::root(0o755), busybox);
    let layer =
        APPLETS.iter().fold(layer, |layer, name| layer.symlink(&format!("bin/{name}"), "busybox"));
    let layer = layer.file("etc/passwd", Meta::root(0o644), PASSWD.as_bytes());
    layer.file("etc/group", Meta::root(0o644), GROUP.as_bytes()).into_bytes()
}

/// `security.capability` (linux/capability.h, `vfs_cap_data`, revision 2): CAP_NET_BIND_SERVICE, number 10, permitted,
/// and effective at once.
const NET_BIND_SERVICE: [u8; 20] = {
    let mut attribute = [0; 20];
    attribute[0] = 1;
    attribute[3] = 2;
    attribute[5] = 1 << (10 - 8);
    attribute
};

/// What the next layer changes, and what it lets be.
fn lower(busybox: &[u8]) -> Vec<u8> {
    let app = Meta { mode: 0o640, owner: (1000, 1001) };
    let layer = Layer::new()
        .folder("data", Meta { mode: 0o2750, ..app })
        .file("data/kept", app, b"kept\n")
        .file("data/changed", app, b"old\n")
        .file("data/gone", app, b"gone\n")
        .file("data/one", Meta::root(0o644), b"two names\n")
        .hard_link("data/two", "data/one")
        .symlink("data/link", "../data/kept")
        // Where the runtime's own files belong.
        .symlink("etc/hostname", "../data/kept")
        .folder("etc/hosts", Meta::root(0o755))
        .file("etc/hosts/file", Meta::root(0o644), b"")
        .device("data/null", Meta::root(0o666), 1, 3)
        .file("data/setuid", Meta { mode: 0o4755, owner: (1000, 1001) }, b"")
        .file(&format!("data/{}", "n".repeat(255)), Meta::root(0o644), b"long\n")
        .folder("replaced", Meta::root(0o755))
        .file("replaced/old", Meta::root(0o644), b"old\n")
        .folder("opaque", Meta::root(0o755))
        .file("opaque/old", Meta::root(0o644), b"old\n");
    let capability = ("security.capability", &NET_BIND_SERVICE[..]);
    layer.file_with("bin/busybox-capable", Meta::root(0o755), busybox, capability).into_bytes()
}

/// Changes it.
fn upper() -> Vec<u8> {
    let layer = Layer::new().file("data/changed", Meta { mode: 0o600, owner: (7, 8) }, b"new\n");
    let layer = layer.without("data", "gone").file("replaced", Meta::root(0o644), b"a file now\n");
    layer
        .folder("opaque", Meta::root(0o700))
        .opaque("opaque")
        .file("opaque/new", Meta::root(0o644), b"new\n")
        .into_bytes()
}
