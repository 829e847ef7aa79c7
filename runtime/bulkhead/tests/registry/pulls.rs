//! Images come whole, once, and by the name that was asked for.

use super::*;

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
        let said = |name: &str| format!("Digest: {digest}\n{name}\n");
        assert_eq!(place.says(&[PULL[0], PULL[1], &name]), said(&name));
        let id = place.says(&["inspect", "-f", "{{.Id}}", &pinned]);
        assert_eq!(place.says(&["inspect", "-f", "{{.Digest}}", &name]).trim(), digest);
        assert_eq!(place.says(&[PULL[0], PULL[1], "-q", &name]), format!("{name}\n"));
        assert_eq!(place.blobs(), 3);
        place.says(&["save", "-o", "out.docker", &name]);
        let saved = format!("docker-archive:{}:{name}", text(&place.path("out.docker")));
        let config = tool("skopeo", &["inspect", "--config", "--raw", &saved]);
        assert_eq!(host::digest::Digest::of(config.as_bytes()).to_string(), id.trim());
        forget(&place);
        assert_eq!(place.says(&[PULL[0], PULL[1], &pinned]), said(&pinned));
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

/// The start of a kernel for this machine.
fn kernel() -> Vec<u8> {
    if cfg!(target_arch = "aarch64") {
        return [&[0; 56][..], b"ARM\x64", &[0; 4]].concat();
    }
    [&b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0"[..], &[0; 44]].concat()
}
