//! `cargo xtask run`: an image for both architectures gives the same output on both.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Its architectures, in our words and in those of images: this machine's is one of them.
const ARCHITECTURES: [(&str, &str); 2] = [("x86_64", "amd64"), ("aarch64", "arm64")];

/// What the image runs: a bit of everything that must not depend on the machine.
const SCRIPT: &str = "
    /bin/busybox --install -s /bin
    cat
    echo $(id -u) in $(pwd) on $(hostname), $(nproc) processors
    seq 100000 | sha256sum
    ls /etc
    mkdir /made && stat -c '%A %u:%g' /made /etc/motd
    sleep 0.1 & wait $! && echo waited
    trap 'echo caught' TERM; kill -TERM $$
    echo told >&2
    exit 7";

fn tool(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

fn xtask(tmp: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).env("TMPDIR", tmp).current_dir(tmp);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Debian's static busybox for `arch`.
fn busybox(tmp: &Path, arch: &str) -> Vec<u8> {
    if arch == std::env::consts::ARCH {
        return fs::read("/bin/busybox").unwrap();
    }
    let output = xtask(tmp, &["host", "--arch", arch, "--", "cat", "/bin/busybox"], "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A layer with busybox and a file.
fn layer(busybox: &[u8], file: &Path) {
    let mut layer = tar::Builder::new(fs::File::create(file).unwrap());
    for (name, mode, content) in
        [("bin/busybox", 0o755, busybox), ("etc/motd", 0o640, &b"welcome\n"[..])]
    {
        let mut header = tar::Header::new_gnu();
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        layer.append_data(&mut header, name, content).unwrap();
    }
    layer.into_inner().unwrap();
}

/// An OCI layout of one image for each architecture, which says so in its index.
fn image(tmp: &Path) -> String {
    let path = |name: &str| tmp.join(name).into_os_string().into_string().unwrap();
    let layout = path("layout");
    tool("umoci", &["init", "--layout", &layout]);
    for (arch, name) in ARCHITECTURES {
        layer(&busybox(tmp, arch), &tmp.join("layer"));
        let image = format!("{layout}:{name}");
        tool("umoci", &["new", "--image", &image]);
        tool("umoci", &["raw", "add-layer", "--image", &image, &path("layer")]);
        let command =
            ["/bin/busybox", "sh", "-c", SCRIPT].map(|word| format!("--config.cmd={word}"));
        let mut arguments = vec!["config", "--image", &image, "--architecture", name];
        arguments.extend(command.iter().map(String::as_str));
        tool("umoci", &arguments);
    }
    let index = tmp.join("layout/index.json");
    let mut content: Value = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
    for manifest in content["manifests"].as_array_mut().unwrap() {
        let name = manifest["annotations"]["org.opencontainers.image.ref.name"].take();
        manifest.as_object_mut().unwrap().remove("annotations");
        manifest["platform"] = json!({ "os": "linux", "architecture": name });
    }
    fs::write(&index, content.to_string()).unwrap();
    layout
}

#[test]
#[ignore = "needs QEMU: cargo xtask test"]
fn an_image_for_both_architectures_gives_the_same_output_on_both() {
    let tmp = tempfile::tempdir().unwrap();
    let image = image(tmp.path());
    let outputs = ARCHITECTURES.map(|(arch, _)| {
        let output = xtask(tmp.path(), &["run", "--arch", arch, &image], "input\n");
        let stderr = String::from_utf8(output.stderr).unwrap();
        let (ours, theirs): (Vec<&str>, _) =
            stderr.lines().partition(|line| line.starts_with("xtask: "));
        let way = |line: &&str| match arch == std::env::consts::ARCH {
            true => line.contains("running on this") || line.ends_with("an emulated host instead"),
            false => line.contains(&format!("running in the emulated {arch} host: ")),
        };
        assert!(ours.iter().any(way), "{stderr}");
        assert_eq!((output.status.code(), theirs), (Some(7), vec!["told"]), "{arch}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    });
    let [first, second] = &outputs;
    assert!(first.starts_with("input\n0 in / on bulkhead, 1 processors\n"), "{first}");
    assert!(first.ends_with("waited\ncaught\n"), "{first}");
    assert_eq!(first, second);
}
