//! Registries that mean harm, or are broken: one line says so, and the store has nothing of theirs.

mod common;

use common::net::{Answer, Fake, Request};
use common::store::Place;
use host::digest::Digest;
use serde_json::{Value, json};

const PULL: [&str; 2] = ["pull", "--tls-verify=false"];

/// An image of one layer: its configuration and its manifest.
struct Image {
    layer: Vec<u8>,
    config: Vec<u8>,
    manifest: Vec<u8>,
}

impl Image {
    fn new() -> Self {
        let layer = vec![7; 100_000];
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let config = json!({
            "architecture": architecture, "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [Digest::of(&layer).to_string()]},
        });
        let config = config.to_string().into_bytes();
        let manifest = Self::manifest(&config, &layer, layer.len() as u64);
        Self { layer, config, manifest }
    }

    fn manifest(config: &[u8], layer: &[u8], size: u64) -> Vec<u8> {
        let blob = |kind: &str, bytes: &[u8], size: u64| json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": Digest::of(bytes).to_string(), "size": size});
        let manifest = json!({
            "schemaVersion": 2, "config": blob("config.v1+json", config, config.len() as u64),
            "layers": [blob("layer.v1.tar", layer, size)],
        });
        manifest.to_string().into_bytes()
    }

    /// What an honest registry answers.
    fn answer(&self, request: &Request) -> Answer {
        let blob = |bytes: &[u8]| request.path.ends_with(&Digest::of(bytes).to_string());
        if request.path == "/v2/" {
            return ok(b"{}");
        }
        if request.path.contains("/manifests/") {
            return ok(&self.manifest);
        }
        match [&self.layer, &self.config].into_iter().find(|bytes| blob(bytes)) {
            Some(bytes) => ok(bytes),
            None => Answer::Text("404 Not Found", String::new(), Vec::new()),
        }
    }
}

fn ok(body: &[u8]) -> Answer {
    Answer::Text("200 OK", String::new(), body.to_vec())
}

fn ends(request: &Request, bytes: &[u8]) -> bool {
    request.path.ends_with(&Digest::of(bytes).to_string())
}

#[test]
fn what_a_registry_should_not_send_is_refused() {
    let test = "what_a_registry_should_not_send_is_refused";
    if !common::authorities(test) {
        return;
    }
    let Some(place) = Place::new(test) else { return };
    type Lie = fn(&Image, &Request) -> Option<Answer>;
    let lies: [(&str, Lie); 14] = [
        ("its digest is sha256:", |image, request| {
            ends(request, &image.layer).then(|| ok(&[8; 100_000]))
        }),
        ("it is 100001 bytes long, expected 100000", |image, request| {
            ends(request, &image.layer).then(|| ok(&[7; 100_001]))
        }),
        ("bytes long, expected 100000", |image, request| {
            ends(request, &image.layer).then_some(Answer::Endless)
        }),
        ("the connection broke after 99999 of 100000 bytes", |image, request| {
            ends(request, &image.layer).then(|| {
                let range = request.headers.iter().any(|line| line.starts_with("range: bytes=0-"));
                let rest = if range { 99_999 } else { 0 };
                Answer::Text("206 Partial Content", String::new(), vec![7; rest])
            })
        }),
        ("its registry has no blob sha256:", |image, request| {
            let missing = Answer::Text("404 Not Found", String::new(), Vec::new());
            ends(request, &image.layer).then_some(missing)
        }),
        ("its digest is sha256:", |image, request| {
            ends(request, &image.config).then(|| ok(&vec![b' '; image.config.len()]))
        }),
        ("sends too much, or too slowly", |_, request| {
            request.path.contains("/manifests/").then_some(Answer::Endless)
        }),
        ("its manifest has 4194305 bytes; the limit is 4194304", |_, request| {
            request.path.contains("/manifests/").then(|| ok(&vec![b' '; (4 << 20) + 1]))
        }),
        ("its manifest: expected value", |_, request| {
            request.path.contains("/manifests/").then(|| ok(b"<html>"))
        }),
        ("it is no image manifest of OCI's or of docker's schema 2", |_, request| {
            let both = br#"{"schemaVersion":2,"manifests":[],"layers":[]}"#;
            request.path.contains("/manifests/").then(|| ok(both))
        }),
        ("is 9223372036854775807 bytes long, more than", |image, request| {
            let huge = Image::manifest(&image.config, &image.layer, i64::MAX as u64);
            request.path.contains("/manifests/").then(|| ok(&huge))
        }),
        ("are 96636764160 bytes long in all, more than 68719476736;", |image, request| {
            let mut config: Value = serde_json::from_slice(&image.config).unwrap();
            config["rootfs"]["diff_ids"] = json!(vec![Digest::of(&image.layer).to_string(); 3]);
            let config = config.to_string().into_bytes();
            let manifest = Image::manifest(&config, &image.layer, 30 << 30);
            let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
            let layer = |number: u8| {
                let mut layer = manifest["layers"][0].clone();
                layer["digest"] = json!(Digest::of(&[number]).to_string());
                layer
            };
            manifest["layers"] = json!([layer(1), layer(2), layer(3)]);
            let manifest = manifest.to_string().into_bytes();
            let is_manifest = request.path.contains("/manifests/");
            (is_manifest || ends(request, &config))
                .then(|| ok(if is_manifest { &manifest } else { &config }))
        }),
        ("refuses 127.0.0.1:", |_, request| {
            let text = format!("\x1b[31m\n{}", "no ".repeat(100_000)).into_bytes();
            let answer = Answer::Text("500 Internal Server Error", String::new(), text);
            request.path.contains("/manifests/").then_some(answer)
        }),
        ("cannot reach the registry", |_, request| {
            let to_itself = format!("Location: {}\r\n", request.path);
            let answer = Answer::Text("307 Temporary Redirect", to_itself, Vec::new());
            request.path.contains("/manifests/").then_some(answer)
        }),
    ];
    for (message, lie) in lies {
        let image = Image::new();
        let fake = Fake::start(move |request| {
            lie(&image, request).unwrap_or_else(|| image.answer(request))
        });
        let name = format!("{}/image:1", fake.address);
        let output = place.bulkhead(&[PULL[0], PULL[1], &name]);
        common::assert_refused(&output, &[&name], 1, message);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.len() < 1000 && !told.contains('\x1b'), "{told}");
        assert_eq!(place.says(&["images", "-q"]), "", "{message}");
        place.says(&["prune"]);
        assert_eq!(place.blobs(), 0, "{message}");
    }
}

#[test]
fn a_token_is_got_and_shown() {
    let test = "a_token_is_got_and_shown";
    if !common::authorities(test) {
        return;
    }
    let Some(place) = Place::new(test) else { return };
    let image = Image::new();
    // It honours no ranges either.
    let fake = Fake::start(move |request| {
        let shown = request.headers.iter().any(|line| line == "authorization: bearer secret");
        if request.path.starts_with("/token?scope=repository%3Aa%2Fimage%3Apull") {
            return ok(br#"{"token":"secret"}"#);
        }
        if shown {
            return image.answer(request);
        }
        let host = request.headers.iter().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let challenge = format!("WWW-Authenticate: Bearer realm=\"http://{host}/token\"\r\n");
        Answer::Text("401 Unauthorized", challenge, Vec::new())
    });
    let name = format!("{}/a/image:1", fake.address);
    assert!(place.says(&[PULL[0], PULL[1], &name]).ends_with(&format!("\n{name}\n")));
    assert_eq!(place.blobs(), 3);
    let refused = format!("{}/b/image:1", fake.address);
    place.fails(&[PULL[0], PULL[1], &refused], 1, "does not let strangers read");
}
