//! A store to try the command on.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::{assert_refused, busybox, have, text, tool};

/// A store of its own, and archives of one busybox image.
pub struct Place {
    pub work: tempfile::TempDir,
}

impl Place {
    /// `None` when a tool is missing.
    pub fn new(test: &str) -> Option<Self> {
        if !have(test, &["umoci", "skopeo", "tar", "busybox"]) {
            return None;
        }
        let place = Self { work: tempfile::tempdir().unwrap() };
        let (root, layout) = (place.path("root"), place.path("layout"));
        busybox(&root);
        tool("tar", &["-C", text(&root), "-cf", text(&place.path("root.tar")), "."]);
        let image = format!("{}:first", text(&layout));
        tool("umoci", &["init", "--layout", text(&layout)]);
        tool("umoci", &["new", "--image", &image]);
        tool("umoci", &["raw", "add-layer", "--image", &image, text(&place.path("root.tar"))]);
        tool("umoci", &["config", "--image", &image, "--config.cmd", "/bin/sh"]);
        place.skopeo(
            "oci:layout:first",
            "docker-archive:docker.tar:busybox:1.35",
            &["--additional-tag", "localhost/bb:2"],
        );
        // Two names for one image, and a second image.
        place.skopeo("oci:layout:first", "oci:named:docker.io/library/busybox:1.35", &[]);
        place.skopeo("oci:layout:first", "oci:named:localhost/bb:2", &[]);
        tool(
            "umoci",
            &["config", "--image", &image, "--tag", "second", "--config.env", "A=second"],
        );
        place.skopeo("oci:layout:second", "oci:named:localhost/second:3", &[]);
        tool("tar", &["-C", text(&place.path("named")), "-cf", text(&place.path("oci.tar")), "."]);
        Some(place)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    /// Files to be given as a kernel and an initramfs, called so.
    pub fn guest(&self) {
        fs::write(self.path("kernel"), kernel()).unwrap();
        fs::write(self.path("initramfs"), "an initramfs").unwrap();
    }

    pub fn skopeo(&self, from: &str, to: &str, more: &[&str]) {
        let [from, to] = [from, to]
            .map(|place| place.replacen(':', &format!(":{}/", text(self.work.path())), 1));
        let arguments = [&["--insecure-policy", "copy", "-q"], more, &[&from, &to]].concat();
        tool("skopeo", &arguments);
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulkhead"));
        command.args(arguments).current_dir(self.work.path()).stdin(Stdio::null());
        command.env("XDG_CACHE_HOME", self.path("cache")).env("XDG_DATA_HOME", self.path("data"));
        command.env("DOCKER_CONFIG", self.path("docker"));
        for proxy in ["http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(proxy).env_remove(proxy.to_uppercase());
        }
        command
    }

    pub fn bulkhead(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub fn says(&self, arguments: &[&str]) -> String {
        let output = self.bulkhead(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The command fails with this status and one line that contains `message`.
    pub fn fails(&self, arguments: &[&str], status: i32, message: &str) {
        let output = self.bulkhead(arguments);
        assert_refused(&output, arguments, status, message);
    }

    pub fn ids(&self) -> Vec<String> {
        let ids = self.says(&["images", "-q", "--no-trunc"]);
        let mut ids: Vec<String> = ids.lines().map(str::to_owned).collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// How many blobs the store has; nothing is left that was being written.
    pub fn blobs(&self) -> usize {
        let images = self.path("data/bulkhead/images");
        assert_eq!(fs::read_dir(images.join("ingest")).unwrap().count(), 0);
        fs::read_dir(images.join("blobs/sha256")).unwrap().count()
    }
}

/// The start of a kernel for this machine.
fn kernel() -> Vec<u8> {
    if cfg!(target_arch = "aarch64") {
        return [&[0; 56][..], b"ARM\x64", &[0; 4]].concat();
    }
    [&b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0"[..], &[0; 44]].concat()
}
