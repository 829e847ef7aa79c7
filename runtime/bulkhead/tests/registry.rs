//! Pulling from a real registry: what skopeo pushes there comes in.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use common::net::{Limit, Proxy};
use common::registry::Registry;
use common::store::Place;
use common::{text, tool};
use serde_json::{Value, json};

const PULL: [&str; 2] = ["pull", "--tls-verify=false"];

fn start(test: &str, more: &str) -> Option<(Place, Registry)> {
    let place = Place::new(test)?;
    let registry = Registry::start(test, &place, more)?;
    Some((place, registry))
}

fn layout(place: &Place, image: &str) -> String {
    format!("oci:{}:{image}", text(&place.path("layout")))
}

/// Leave the store without images.
fn forget(place: &Place) {
    fs::remove_dir_all(place.path("data")).unwrap();
}

#[test]
fn images_come_by_tag_and_by_digest() {
    let Some((place, registry)) = start("images_come_by_tag_and_by_digest", "") else { return };
    registry.push(&layout(&place, "first"), "team/bb:1", &[]);
    registry.push(&layout(&place, "first"), "team/bb:docker", &["--format", "v2s2"]);
    for tag in ["1", "docker"] {
        let (name, digest) =
            (registry.name(&format!("team/bb:{tag}")), registry.digest(&format!("team/bb:{tag}")));
        let pinned = registry.name(&format!("team/bb@{digest}"));
        // The digest is that of what the registry has, and names the image from now on.
        assert_eq!(place.says(&[PULL[0], PULL[1], &name]), format!("{name}@{digest}\n"));
        let id = place.says(&["inspect", "-f", "{{.Id}}", &pinned]);
        assert_eq!(place.says(&["inspect", "-f", "{{.Digest}}", &name]).trim(), digest);
        assert_eq!(place.says(&[PULL[0], PULL[1], "-q", &name]), id);
        assert_eq!(place.blobs(), 3);
        place.says(&["save", "-o", "out.docker", &name]);
        let saved = format!("docker-archive:{}:{name}", text(&place.path("out.docker")));
        let config = tool("skopeo", &["inspect", "--config", "--raw", &saved]);
        assert_eq!(host::digest::Digest::of(config.as_bytes()).to_string(), id.trim());
        forget(&place);
        assert_eq!(place.says(&[PULL[0], PULL[1], &pinned]), format!("{pinned}\n"));
        assert_eq!(place.says(&["inspect", "-f", "{{.Id}}", &pinned]), id);
        forget(&place);
    }
    let other = registry.name(&format!("team/bb@sha256:{}", "0".repeat(64)));
    for (name, message) in [
        (other.as_str(), "is not in its registry: check the name and the digest"),
        (&registry.name("team/bb:2"), "is not in its registry: check the name and the tag"),
        (&registry.name("nobody"), "/nobody:latest is not in its registry"),
        ("127.0.0.1:1/a", "cannot reach the registry of 127.0.0.1:1/a:latest: is its name right"),
    ] {
        place.fails(&[PULL[0], PULL[1], name], 1, message);
    }
    place.fails(
        &["pull", &registry.name("a")],
        1,
        "Without TLS or a known certificate it needs --tls-verify=false: ",
    );
    place.fails(&[PULL[0], PULL[1], "registry.example/a"], 2, "for registries on this machine");
    place.fails(&["pull", "A"], 1, "'A' is no name of an image");
    assert_eq!(place.blobs(), 0);
}

#[test]
fn a_registry_is_shown_what_docker_login_keeps() {
    let test = "a_registry_is_shown_what_docker_login_keeps";
    let Some(users) = tempfile::NamedTempFile::new().ok() else { return };
    // The password is 'pa:ss word', as bcrypt.
    let line = "reader:$2y$04$pOta7ocRJwkA3e/wwVHkSuq6Mn/QAobE7oDaUr5VYRjpZ.PKhuCsO\n";
    fs::write(users.path(), line).unwrap();
    let auth = format!("auth: {{htpasswd: {{realm: here, path: {}}}}}", text(users.path()));
    let Some((place, registry)) = start(test, &auth) else { return };
    registry.push(&layout(&place, "first"), "bb:1", &["--dest-creds", "reader:pa:ss word"]);
    let (name, address) = (registry.name("bb:1"), registry.address.as_str());
    let pull = [PULL[0], PULL[1], "-q", &name];
    let refused = format!(
        "does not let strangers read {name}: check the name, or log in with: docker login {address}"
    );
    place.fails(&pull, 1, &refused);
    fs::create_dir(place.path("docker")).unwrap();
    let configure =
        |config: Value| fs::write(place.path("docker/config.json"), config.to_string()).unwrap();
    configure(json!({"auths": {address: {"auth": "cmVhZGVyOndyb25n"}}}));
    place.fails(&pull, 1, "does not let user 'reader' read");
    configure(
        json!({"auths": {format!("https://{address}/v2/"): {"auth": "cmVhZGVyOnBhOnNzIHdvcmQ="}}}),
    );
    let id = place.says(&pull);
    forget(&place);
    // Programs that keep passwords: one that knows all, one that knows nothing, one that is broken.
    let helper = |name: &str, script: &str| {
        let path = place.path("bin").join(format!("docker-credential-{name}"));
        fs::create_dir_all(place.path("bin")).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let knows = format!(
        r#"[ "$1 $(cat)" = "get {address}" ] && echo '{{"ServerURL":"x","Username":"reader","Secret":"pa:ss word"}}'"#
    );
    helper("knows", &knows);
    helper("empty", "echo credentials not found in native keychain; exit 1");
    helper("broken", "printf 'no\\nkey'; exit 1");
    let path = format!("{}:{}", text(&place.path("bin")), std::env::var("PATH").unwrap());
    let output = || place.command(&pull).env("PATH", &path).output().unwrap();
    for config in [
        json!({"credHelpers": {address: "knows"}, "credsStore": "broken"}),
        json!({"credsStore": "knows", "auths": {address: {}}}),
        json!({"credsStore": "empty", "auths": {address: {"auth": "cmVhZGVyOnBhOnNzIHdvcmQ="}}}),
    ] {
        configure(config.clone());
        let output = output();
        assert_eq!(String::from_utf8_lossy(&output.stdout), id, "{config}: {output:?}");
        forget(&place);
    }
    configure(json!({"credsStore": "broken"}));
    common::assert_refused(
        &output(),
        &pull,
        1,
        "docker-credential-broken, which docker's config file names, says 'no\\nkey'",
    );
}

/// Add an index of these images to the layout; its platforms' architectures are what is said.
fn add_index(place: &Place, name: &str, images: &[(&str, &str)]) {
    let folder = place.path("layout");
    let read = || -> Value {
        serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap()
    };
    let mut index = read();
    let entries = index["manifests"].as_array().unwrap().clone();
    let called = |name: &str| {
        let mut found = entries
            .iter()
            .find(|entry| entry["annotations"]["org.opencontainers.image.ref.name"] == name)
            .unwrap()
            .clone();
        found.as_object_mut().unwrap().remove("annotations");
        found
    };
    let manifests: Vec<Value> = images
        .iter()
        .map(|(image, architecture)| {
            let mut entry = called(image);
            entry["platform"] = json!({"os": "linux", "architecture": architecture});
            entry
        })
        .collect();
    let media_type = "application/vnd.oci.image.index.v1+json";
    let nested =
        json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}).to_string();
    let digest = host::digest::Digest::of(nested.as_bytes());
    fs::write(folder.join("blobs/sha256").join(digest.hex()), &nested).unwrap();
    index["manifests"].as_array_mut().unwrap().push(json!({
        "mediaType": media_type, "digest": digest.to_string(), "size": nested.len(),
        "annotations": {"org.opencontainers.image.ref.name": name},
    }));
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
}

#[test]
fn of_several_platforms_one_is_taken() {
    let Some((place, registry)) = start("of_several_platforms_one_is_taken", "") else { return };
    let layout_path = place.path("layout");
    for (tag, architecture) in [("x", "amd64"), ("a", "arm64"), ("z", "s390x")] {
        let image = format!("{}:first", text(&layout_path));
        tool("umoci", &["config", "--image", &image, "--tag", tag, "--architecture", architecture]);
    }
    add_index(&place, "both", &[("z", "s390x"), ("x", "amd64"), ("a", "arm64")]);
    add_index(&place, "other", &[("z", "s390x")]);
    // What the index says is not what the image is.
    add_index(&place, "lie", &[("z", "amd64"), ("z", "arm64")]);
    for name in ["both", "other", "lie"] {
        registry.push(&layout(&place, name), &format!("bb:{name}"), &["--all"]);
    }
    registry.push(&layout(&place, "z"), "bb:z", &[]);
    let name = registry.name("bb:both");
    for (platform, architecture) in [("linux/amd64", "amd64"), ("linux/arm64", "arm64")] {
        place.says(&[PULL[0], PULL[1], "--platform", platform, &name]);
        assert_eq!(place.says(&["inspect", "-f", "{{.Architecture}}", &name]).trim(), architecture);
    }
    // An index's digest names the image that was chosen from it.
    let pinned = registry.name(&format!("bb@{}", registry.digest("bb:both")));
    assert_eq!(place.says(&[PULL[0], PULL[1], &pinned]), format!("{pinned}\n"));
    let own = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    assert_eq!(place.says(&["inspect", "-f", "{{.Architecture}}", &pinned]).trim(), own);
    let refused = |name: &str| {
        let name = registry.name(name);
        place.fails(
            &[PULL[0], PULL[1], &name],
            1,
            &format!("{name} is for linux/s390x, not for linux/{own}"),
        );
    };
    refused("bb:other");
    refused("bb:lie");
    refused("bb:z");
}

#[test]
fn what_came_before_a_connection_broke_is_not_asked_for_again() {
    let test = "what_came_before_a_connection_broke_is_not_asked_for_again";
    let Some((place, registry)) = start(test, "") else { return };
    registry.push(&layout(&place, "first"), "bb:1", &[]);
    let proxy = Proxy::start(&registry.address);
    let name = format!("{}/bb:1", proxy.address);
    let pull = [PULL[0], PULL[1], "-q", &name];
    let id = place.says(&pull);
    let whole = proxy.count();
    let part = whole / 2;
    let ingest = place.path("data/bulkhead/images/ingest");
    for killed in [false, true] {
        forget(&place);
        if killed {
            proxy.limit(Limit::Hold(part));
            let mut child = place.command(&pull).spawn().unwrap();
            proxy.wait_for_hold();
            // What the proxy has passed on, a busy machine may not have written yet.
            let written = || fs::read_dir(&ingest).unwrap().flatten().next()?.metadata().ok();
            let end = Instant::now() + Duration::from_secs(60);
            while written().is_none_or(|metadata| metadata.len() <= part / 2) {
                assert!(Instant::now() < end, "the pull writes nothing");
                std::thread::sleep(Duration::from_millis(10));
            }
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            proxy.limit(Limit::Cut(part));
            place.fails(&pull, 1, "bytes; pull again to go on from there");
        }
        let partial = fs::read_dir(&ingest).unwrap().next().unwrap().unwrap();
        let there = partial.metadata().unwrap().len();
        assert!(there > part / 2, "{there} bytes of {whole}");
        proxy.limit(Limit::None);
        let before = proxy.count();
        assert_eq!(place.says(&pull), id);
        let more = proxy.count() - before;
        // A process that was killed had more on its way.
        assert!(more <= whole - there + (64 << 10), "{more} bytes more after {there} of {whole}");
        assert_eq!(place.blobs(), 3);
    }
    // Bytes that are not those of the blob cost one more request, not the image.
    forget(&place);
    proxy.limit(Limit::Cut(part));
    place.bulkhead(&pull);
    let partial = fs::read_dir(ingest).unwrap().next().unwrap().unwrap().path();
    fs::write(&partial, "something else").unwrap();
    proxy.limit(Limit::None);
    assert_eq!(place.says(&pull), id);
    assert_eq!(place.blobs(), 3);
}

#[test]
fn pulls_and_prunings_at_once_are_right() {
    let Some((place, registry)) = start("pulls_and_prunings_at_once_are_right", "") else { return };
    registry.push(&layout(&place, "first"), "bb:1", &[]);
    registry.push(&layout(&place, "second"), "bb:2", &[]);
    let proxy = Proxy::start(&registry.address);
    let pull = |tag: &str| {
        let name = format!("{}/bb:{tag}", proxy.address);
        place.command(&[PULL[0], PULL[1], "-q", &name])
    };
    let whole = {
        place.says(&[PULL[0], PULL[1], &format!("{}/bb:1", proxy.address)]);
        proxy.count()
    };
    forget(&place);
    // Two images with one layer, each twice; half of that layer is there when pruning begins.
    proxy.limit(Limit::Hold(whole / 2));
    let before = proxy.count();
    let mut pulls: Vec<_> =
        ["1", "2", "1", "2"].iter().map(|tag| pull(tag).spawn().unwrap()).collect();
    proxy.wait_for_hold();
    let mut prune = place.command(&["prune"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(prune.try_wait().unwrap().is_none(), "pruning did not wait for the pulls");
    proxy.limit(Limit::None);
    assert!(pulls.iter_mut().all(|pull| pull.wait().unwrap().success()));
    assert!(prune.wait().unwrap().success());
    // The layer was fetched once.
    assert!(proxy.count() - before < whole + whole / 2);
    assert_eq!((place.blobs(), place.ids().len()), (5, 2));
    for tag in ["1", "2"] {
        place.says(&["save", "-o", "out", &format!("{}/bb:{tag}", proxy.address)]);
    }
}

#[test]
fn a_name_that_is_missing_is_pulled_to_run() {
    let Some((place, registry)) = start("a_name_that_is_missing_is_pulled_to_run", "") else {
        return;
    };
    registry.push(&layout(&place, "first"), "bb:1", &[]);
    fs::write(place.path("kernel"), kernel()).unwrap();
    fs::write(place.path("initramfs"), "an initramfs").unwrap();
    let name = registry.name("bb:1");
    let with = |more: &'static str| {
        let flags =
            ["prepare", "--tls-verify=false", "--kernel", "kernel", "--initramfs", "initramfs"];
        [&flags[..], &["--out", "out.json", more, &name]].concat()
    };
    let prepare = |more: &'static str| {
        place.says(&with(more));
        let bundle: Value =
            serde_json::from_slice(&fs::read(place.path("out.json")).unwrap()).unwrap();
        bundle["process"]["environment"].to_string() + &bundle["process"]["env"].to_string()
    };
    place.fails(
        &with("--pull=never"),
        1,
        "is neither a file nor an image in the store: bulkhead images",
    );
    let first = prepare("--read-only");
    assert_eq!(place.ids().len(), 1);
    registry.push(&layout(&place, "second"), "bb:1", &[]);
    assert_eq!(prepare("--pull=missing"), first);
    let second = prepare("--pull=always");
    assert!(!first.contains("A=second") && second.contains("A=second"), "{first} {second}");
    assert_eq!(prepare("--pull=never"), second);
    place.fails(
        &["run", "--kernel", "kernel", "--tls-verify=false", &registry.name("gone")],
        1,
        &format!("'{0}' is neither a file nor an image in the store, and is not pulled: {0}:latest is not in its registry", registry.name("gone")),
    );
}

#[test]
fn certificates_are_checked() {
    let test = "certificates_are_checked";
    let Some(place) = Place::new(test) else { return };
    if !common::have(test, &["openssl"]) {
        return;
    }
    let make = |name: &str| {
        let [key, certificate] = ["key", "pem"].map(|end| place.path(&format!("{name}.{end}")));
        let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=here \
                         -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=CA:FALSE";
        let files = ["-keyout", text(&key), "-out", text(&certificate)];
        tool("openssl", &arguments.split_whitespace().chain(files).collect::<Vec<_>>());
        (key, certificate)
    };
    let ((key, certificate), (_, other)) = (make("own"), make("other"));
    let (own, key) = (text(&certificate), text(&key));
    let tls = format!("http: {{tls: {{certificate: {own}, key: {key}}}}}");
    let Some(registry) = Registry::start(test, &place, &tls) else { return };
    registry.push(&layout(&place, "first"), "bb:1", &[]);
    let name = registry.name("bb:1");
    let trust = |known: &str| {
        let mut command = place.command(&["pull", &name]);
        command.env("SSL_CERT_FILE", known).env("SSL_CERT_DIR", place.path("nothing"));
        command.output().unwrap()
    };
    assert!(trust(own).status.success(), "{:?}", trust(own));
    forget(&place);
    for (known, message) in [
        (text(&other), "invalid peer certificate"),
        ("/dev/null", "cannot check certificates of registries"),
    ] {
        common::assert_refused(&trust(known), &["pull"], 1, message);
    }
    place.says(&[PULL[0], PULL[1], &name]);
}

/// The start of a kernel for this machine.
fn kernel() -> Vec<u8> {
    if cfg!(target_arch = "aarch64") {
        return [&[0; 56][..], b"ARM\x64", &[0; 4]].concat();
    }
    [&b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0"[..], &[0; 44]].concat()
}
