//! The five forms of an image, as umoci, skopeo and tar write them, and what is wrong with broken ones.

// As other rooms call it: they share what is common.
extern crate bulkhead_images as images;

#[path = "../common/mod.rs"]
mod common;
mod forms;
mod refused;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use common::{busybox, have, stitch, text, tool, unpack};
use host::digest::Digest;
use images::layer::Limits;

/// One busybox image in every form.
struct Forms {
    work: tempfile::TempDir,
}

impl Forms {
    /// `None` when a tool is missing.
    fn new(test: &str) -> Option<Self> {
        if !have(test, &["umoci", "skopeo", "tar", "busybox", "gzip"]) {
            return None;
        }
        let forms = Self { work: tempfile::tempdir().unwrap() };
        let root = forms.path("root");
        busybox(&root);
        tool(
            "tar",
            &["--numeric-owner", "-C", text(&root), "-cf", text(&forms.path("root.tar")), "."],
        );
        tool("gzip", &["-k", text(&forms.path("root.tar"))]);
        let layout = forms.path("layout");
        let image = format!("{}:latest", text(&layout));
        tool("umoci", &["init", "--layout", text(&layout)]);
        tool("umoci", &["new", "--image", &image]);
        tool("umoci", &["raw", "add-layer", "--image", &image, text(&forms.path("root.tar"))]);
        // umoci takes this machine's, if it is not told.
        tool("umoci", &["config", "--image", &image, "--architecture", "amd64"]);
        let config =
            ["--config.entrypoint", "/bin/sh", "--config.cmd", "-c", "--config.cmd", "echo hello"];
        let config2 =
            ["--config.env", "A=b", "--config.workingdir", "/tmp", "--config.user", "root"];
        tool("umoci", &[&["config", "--image", &image], &config[..], &config2[..]].concat());
        tool(
            "umoci",
            &["config", "--image", &image, "--tag", "second", "--config.env", "A=second"],
        );
        tool("umoci", &["gc", "--layout", text(&layout)]);
        forms.skopeo(&format!("oci:{image}"), "oci-archive:oci.tar:busybox:1.35");
        forms.skopeo(
            &format!("oci:{image}"),
            "docker-archive:docker.tar:docker.io/library/busybox:1.35",
        );
        Some(forms)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    fn skopeo(&self, from: &str, to: &str) {
        let to = to.replacen(':', &format!(":{}/", text(self.work.path())), 1);
        tool("skopeo", &["--insecure-policy", "copy", "-q", from, &to]);
    }

    fn fails(&self, image: &Path, name: Option<&str>) -> String {
        let error = unpack(&self.path("cache"), image, name).unwrap_err();
        assert_nothing_half_there(&self.path("cache"));
        error
    }
}

/// After a failure the cache holds no partial file, and no blob without an index.
fn assert_nothing_half_there(cache: &Path) {
    for folder in ["blobs", "indexes", "images"] {
        let names: Vec<String> = fs::read_dir(cache.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(!names.iter().any(|name| name.contains("partial")), "{folder}: {names:?}");
    }
}
