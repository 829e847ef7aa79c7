//! Podman, with a machine of its own to leave things on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{have, root, text};

/// Podman writes to places that no option moves. So it gets mounts of its own, in which the system is read-only and its folder
/// is not; processes of its own, which end with the first of them; and no network.
const ALONE: [&str; 8] = [
    "--mount",
    "--propagation=private",
    "--net",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--",
];

/// Those mounts. The folder stays where it is, even if one of them covers it: the working directory still leads there.
const MOUNTS: &str = r#"
folder=$PWD
mount --bind var/lib /var/lib
mount --bind var/tmp /var/tmp
mount -t tmpfs none /dev/shm
mount -t tmpfs none /run
mkdir -p "$folder"
mount --no-canonicalize --bind . "$folder"
cd "$folder"
mount -o remount,bind,ro /
exec podman "$@"
"#;

/// A store of podman's, in the folder of a test.
pub struct Podman {
    folder: PathBuf,
}

/// Whether it can do its work here; says on stdout that `test` is skipped where not.
pub fn is_here(test: &str) -> bool {
    have(test, &["podman", "unshare", "mount"]) && root(test)
}

impl Podman {
    /// An empty store.
    pub fn new(folder: PathBuf) -> Self {
        for part in ["home/.config/containers", "run", "var/lib", "var/tmp"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        let podman = Self { folder };
        // Locks in files, not in shared memory; no daemon that knows control groups; and no network configuration in /etc.
        let [net, state, data, run] = ["net", "run/libpod", "data", "run/storage"]
            .map(|name| text(&podman.path(name)).to_owned());
        let lines = format!(
            "[engine]\nlock_type = \"file\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n\
             tmp_dir = \"{state}\"\n[network]\nnetwork_config_dir = \"{net}\"\n"
        );
        fs::write(podman.path("containers.conf"), lines).unwrap();
        // The simplest driver has a folder for each layer, and no mounts.
        let lines =
            format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{data}\"\nrunroot = \"{run}\"\n");
        fs::write(podman.path("storage.conf"), lines).unwrap();
        fs::write(podman.path("registries.conf"), "").unwrap();
        // It asks for one, and takes the user's before the system's.
        let policy = r#"{"default":[{"type":"insecureAcceptAnything"}]}"#;
        fs::write(podman.path("home/.config/containers/policy.json"), policy).unwrap();
        podman
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Run it to its end; what it printed.
    #[track_caller]
    pub fn says(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("unshare");
        command.args(ALONE).args(["sh", "-ec", MOUNTS, "sh"]).args(arguments);
        command.current_dir(&self.folder).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", self.path("home")).env("XDG_RUNTIME_DIR", self.path("run"));
        for (variable, file) in [
            ("CONTAINERS_CONF", "containers.conf"),
            ("CONTAINERS_STORAGE_CONF", "storage.conf"),
            ("CONTAINERS_REGISTRIES_CONF", "registries.conf"),
        ] {
            command.env(variable, self.path(file));
        }
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "podman {arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it knows about an image.
    #[track_caller]
    pub fn inspect(&self, name: &str) -> Value {
        let text = self.says(&["image", "inspect", name]);
        serde_json::from_str::<Value>(&text).unwrap()[0].take()
    }

    /// An image's file tree, a plain folder.
    pub fn tree(&self, name: &str) -> PathBuf {
        Path::new(self.says(&["image", "mount", name]).trim()).to_owned()
    }
}

/// What two programs must say alike about an image. Docker's form of a configuration has empty members that OCI's has not.
pub fn facts(inspected: &Value) -> Value {
    let mut config = inspected["Config"].as_object().unwrap().clone();
    config.retain(|_, value| {
        !matches!(value, Value::Null | Value::Bool(false))
            && *value != json!("")
            && *value != json!([])
            && *value != json!({})
    });
    let id = inspected["Id"].as_str().unwrap();
    json!({
        "Id": id.strip_prefix("sha256:").unwrap_or(id),
        "Architecture": inspected["Architecture"],
        "Os": inspected["Os"],
        "Config": config,
        "Layers": inspected["RootFS"]["Layers"],
    })
}
