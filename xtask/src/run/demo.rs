//! The demo image: Debian's static busybox with a greeting, from the definition in `xtask/demo/`.
//!
//! No binary is kept in the source tree, so the image is put together here, as an OCI image layout
//! (image-spec 1.1) in the cache.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use host::digest::Digest;
use serde_json::{Value, json};

use crate::arch::Arch;
use crate::cache::Cache;
use crate::error::{Doing, Error};
use crate::host::Root;
use crate::kernel;

/// The image's configuration (image-spec 1.1 config.md, "config"), as a person would write it.
const CONFIG: &str = include_str!("../../demo/config.json");

/// The files besides busybox: name, mode and content.
const FILES: [(&str, u32, &str); 3] = [
    ("bin/greet", 0o755, include_str!("../../demo/greet")),
    ("etc/passwd", 0o644, include_str!("../../demo/passwd")),
    ("etc/group", 0o644, include_str!("../../demo/group")),
];

/// What it is called when it is loaded.
pub const NAME: &str = "demo:latest";

/// The name of the archive.
const ARCHIVE: &str = "demo.tar";

/// The commands of busybox that the image has.
const APPLETS: [&str; 25] = [
    "cat", "date", "df", "dmesg", "echo", "env", "false", "free", "hostname", "id", "kill", "ls",
    "mount", "nproc", "ps", "pwd", "seq", "sh", "sleep", "stat", "stty", "true", "uname", "vi",
    "wc",
];

/// Get a guest kernel and the demo image, and print the path of that: an archive to load
#[derive(Args)]
#[command(
    after_help = "Example:\n  bulkhead load -i \"$(cargo xtask demo)\" && bulkhead run --rm demo"
)]
pub struct DemoArgs {
    /// The machine that it is for
    #[arg(long, value_enum, value_name = "ARCH", default_value_t = Arch::NATIVE, hide_default_value = true)]
    arch: Arch,
}

impl DemoArgs {
    /// Prepares both.
    pub fn run(self) -> Result<u8, Error> {
        // `bulkhead` finds it in the cache.
        kernel::provide_quickly(self.arch)?;
        println!("{}", archive(self.arch)?.display());
        Ok(0)
    }
}

/// The path of an archive of the layout for `arch`; it is made when the cache has none.
pub fn archive(arch: Arch) -> Result<PathBuf, Error> {
    let layout = image(arch)?;
    let name = layout.file_name().unwrap_or_default().to_string_lossy();
    let folder = Cache::open("demo")?.directory(&format!("{name}-archive"), |dir| {
        let doing = || format!("pack {}", layout.display());
        let file = fs::File::create(dir.join(ARCHIVE)).doing(doing)?;
        let mut archive = tar::Builder::new(file);
        archive.append_dir_all(".", &layout).and_then(|()| archive.finish()).doing(doing)
    })?;
    Ok(folder.join(ARCHIVE))
}

/// The root file system of the image for `arch`, as a tar archive.
pub fn root(arch: Arch) -> Result<Vec<u8>, Error> {
    let path = Root::busybox(arch)?;
    let busybox = fs::read(&path).doing(|| format!("read {}", path.display()))?;
    layer(&busybox).doing(|| "put the demo image together".into())
}

/// The path of the layout for `arch`; it is made when the cache has none.
pub fn image(arch: Arch) -> Result<PathBuf, Error> {
    let layer = root(arch)?;
    Cache::open("demo")?
        .directory(&hex(&[&layer, CONFIG.as_bytes(), NAME.as_bytes()].concat()), |dir| {
            layout(arch, dir, &layer)
        })
}

fn layer(busybox: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |kind, name: &str, mode, content: &[u8], target: Option<&str>| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        match target {
            Some(target) => archive.append_link(&mut header, name, target),
            None => archive.append_data(&mut header, name, content),
        }
    };
    for (name, mode) in [("bin/", 0o755), ("etc/", 0o755), ("root/", 0o700), ("tmp/", 0o1777)] {
        add(tar::EntryType::Directory, name, mode, b"", None)?;
    }
    add(tar::EntryType::Regular, "bin/busybox", 0o755, busybox, None)?;
    for applet in APPLETS {
        add(tar::EntryType::Symlink, &format!("bin/{applet}"), 0o777, b"", Some("busybox"))?;
    }
    for (name, mode, content) in FILES {
        add(tar::EntryType::Regular, name, mode, content.as_bytes(), None)?;
    }
    archive.into_inner()
}

fn layout(arch: Arch, dir: &Path, layer: &[u8]) -> Result<(), Error> {
    let blobs = dir.join("blobs/sha256");
    fs::create_dir_all(&blobs).doing(|| format!("create {}", blobs.display()))?;
    let blob = |kind: &str, content: &[u8]| -> Result<Value, Error> {
        let digest = hex(content);
        write(&blobs.join(&digest), content)?;
        let media_type = format!("application/vnd.oci.image.{kind}");
        Ok(
            json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": content.len() }),
        )
    };
    let config: Value = serde_json::from_str(CONFIG)
        .map_err(|error| Error::Content(format!("xtask/demo/config.json: {error}")))?;
    let image = json!({
        "architecture": arch.debian(),
        "os": "linux",
        "config": config,
        // Uncompressed, so the layer's identity is its blob's digest.
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hex(layer))] },
    });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob("config.v1+json", image.to_string().as_bytes())?,
        "layers": [blob("layer.v1.tar", layer)?],
    });
    let mut manifest = blob("manifest.v1+json", manifest.to_string().as_bytes())?;
    manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": NAME });
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    write(&dir.join("index.json"), index.to_string().as_bytes())?;
    write(&dir.join("oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }).to_string().as_bytes())
}

fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    fs::write(path, content).doing(|| format!("write {}", path.display()))
}

fn hex(content: &[u8]) -> String {
    Digest::of(content).hex()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_blob_of_the_layout_has_the_digest_of_its_name() {
        let dir = tempfile::tempdir().unwrap();
        layout(Arch::Aarch64, dir.path(), &layer(b"busybox").unwrap()).unwrap();
        let index: Value =
            serde_json::from_slice(&fs::read(dir.path().join("index.json")).unwrap()).unwrap();
        let blobs: Vec<_> =
            fs::read_dir(dir.path().join("blobs/sha256")).unwrap().flatten().collect();
        assert_eq!(blobs.len(), 3);
        for blob in &blobs {
            assert_eq!(hex(&fs::read(blob.path()).unwrap()), blob.file_name().to_str().unwrap());
        }
        let digest = index["manifests"][0]["digest"].as_str().unwrap();
        assert!(blobs.iter().any(|blob| digest.ends_with(blob.file_name().to_str().unwrap())));
    }

    #[test]
    fn equal_input_gives_an_equal_layer() {
        assert_eq!(layer(b"busybox").unwrap(), layer(b"busybox").unwrap());
    }
}
