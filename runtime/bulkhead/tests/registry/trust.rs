//! Who a registry is, and who asks it.

use super::*;

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
