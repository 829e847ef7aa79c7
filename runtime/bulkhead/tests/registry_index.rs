//! Indexes of registries: which of their images is pulled.

mod common;

use common::net::{Answer, Fake, Request};
use common::store::Place;
use host::digest::Digest;
use serde_json::{Value, json};

const PULL: [&str; 2] = ["pull", "--tls-verify=false"];
const OWN: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// A registry's blobs, manifests among them.
#[derive(Default)]
struct Blobs(Vec<Vec<u8>>);

impl Blobs {
    /// Add a document, and describe it.
    fn put(&mut self, kind: &str, document: &Value) -> Value {
        let bytes = document.to_string().into_bytes();
        let described = json!({
            "mediaType": format!("application/vnd.oci.image.{kind}.v1+json"),
            "digest": Digest::of(&bytes).to_string(), "size": bytes.len(),
        });
        self.0.push(bytes);
        described
    }

    /// An image without layers for that architecture, whose manifest's descriptor says nothing about it.
    fn image(&mut self, which: &str, architecture: &str) -> Value {
        let config = json!({
            "architecture": architecture, "os": "linux", "config": {"Env": [format!("WHICH={which}")]},
            "rootfs": {"type": "layers"},
        });
        let config = self.put("config", &config);
        self.put("manifest", &json!({"schemaVersion": 2, "config": config, "layers": []}))
    }

    /// What BuildKit puts beside an image.
    fn attestation(&mut self) -> Value {
        let config =
            self.put("config", &json!({"architecture": "unknown", "os": "unknown", "rootfs": {}}));
        let mut layer = self.put("layer", &json!({}));
        layer["mediaType"] = json!("application/vnd.in-toto+json");
        self.put("manifest", &json!({"schemaVersion": 2, "config": config, "layers": [layer]}))
    }

    fn index(&mut self, manifests: &[Value]) -> Value {
        let media_type = "application/vnd.oci.image.index.v1+json";
        self.put(
            "index",
            &json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}),
        )
    }

    /// The last one is what every tag means.
    fn answer(&self, request: &Request) -> Answer {
        let called = |blob: &&Vec<u8>| request.path.ends_with(&Digest::of(blob).to_string());
        let tagged = request.path.contains("/manifests/") && !request.path.contains("sha256:");
        let found = if tagged { self.0.last() } else { self.0.iter().find(called) };
        match found {
            _ if request.path == "/v2/" => ok(b"{}"),
            Some(bytes) => ok(bytes),
            None => Answer::Text("404 Not Found", String::new(), Vec::new()),
        }
    }
}

fn ok(body: &[u8]) -> Answer {
    Answer::Text("200 OK", String::new(), body.to_vec())
}

fn on(mut entry: Value, architecture: &str) -> Value {
    entry["platform"] = json!({"os": "linux", "architecture": architecture});
    entry
}

#[test]
fn the_image_for_this_platform_is_found_whatever_an_index_says() {
    let test = "the_image_for_this_platform_is_found_whatever_an_index_says";
    if !common::authorities(test) {
        return;
    }
    let Some(place) = Place::new(test) else { return };
    type Build = fn(&mut Blobs) -> Vec<Value>;
    let cases: [(&str, Build); 5] = [
        ("first", |blobs| {
            let images = ["first", "second"].map(|which| on(blobs.image(which, OWN), OWN));
            [vec![on(blobs.image("other", "s390x"), "s390x")], images.to_vec()].concat()
        }),
        ("untold", |blobs| {
            let reference = json!({"vnd.docker.reference.type": "attestation-manifest"});
            let mut marked = blobs.attestation();
            marked["annotations"] = reference;
            let other = blobs.image("other", "s390x");
            vec![marked, blobs.attestation(), other, blobs.image("untold", OWN)]
        }),
        ("told", |blobs| vec![blobs.image("untold", OWN), on(blobs.image("told", OWN), OWN)]),
        ("nested", |blobs| {
            let inner =
                [on(blobs.image("other", "s390x"), "s390x"), on(blobs.image("nested", OWN), OWN)];
            let other = blobs.image("other", "s390x");
            vec![blobs.index(&[other]), blobs.index(&inner)]
        }),
        ("image", |blobs| vec![on(blobs.attestation(), OWN), on(blobs.image("image", OWN), OWN)]),
    ];
    for (which, build) in cases {
        let mut blobs = Blobs::default();
        let entries = build(&mut blobs);
        blobs.index(&entries);
        let fake = Fake::start(move |request| blobs.answer(request));
        let name = format!("{}/image:1", fake.address);
        place.says(&[PULL[0], PULL[1], &name]);
        let env = place.says(&["inspect", "-f", "{{.Config.Env}}", &name]);
        assert!(env.contains(&format!("WHICH={which}")), "{which}: {env}");
    }
    let mut blobs = Blobs::default();
    let entries =
        [blobs.image("other", "s390x"), on(blobs.image("arm", "arm"), "arm"), blobs.attestation()];
    blobs.index(&entries);
    let fake = Fake::start(move |request| blobs.answer(request));
    let name = format!("{}/image:1", fake.address);
    let message = format!("{name} is for linux/arm, linux/s390x, not for linux/{OWN}");
    place.fails(&[PULL[0], PULL[1], &name], 1, &message);
}
