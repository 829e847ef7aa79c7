//! A real registry on loopback.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use host::child::spawn_bound;
use rustix::process::Signal;

use super::store::Place;
use super::{authorities, have, text, tool};

/// Debian's docker-registry; it ends with this.
pub struct Registry {
    child: Child,
    /// Its address.
    pub address: String,
}

impl Registry {
    /// `None` when the program is missing. `more` are further lines of its configuration.
    pub fn start(test: &str, place: &Place, more: &str) -> Option<Self> {
        if !have(test, &["docker-registry"]) || !authorities(test) {
            return None;
        }
        let (config, storage) = (place.path("registry.yml"), place.path("storage"));
        let storage = text(&storage);
        let lines = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {storage}}}}}\n{more}\n"
        );
        fs::write(&config, lines).unwrap();
        let mut command = Command::new("docker-registry");
        command.args(["serve", text(&config)]).env("REGISTRY_HTTP_ADDR", "127.0.0.1:0");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = spawn_bound(&mut command, &[], Signal::KILL).unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        let address = loop {
            let mut line = String::new();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the registry ended: {told}");
            told += &line;
            if let Some((_, rest)) = line.split_once("listening on ") {
                let end =
                    |letter: char| !(letter.is_ascii_digit() || letter == '.' || letter == ':');
                break rest.split(end).next().unwrap().to_owned();
            }
        };
        // It must not wait for who reads its log.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Some(Self { child, address })
    }

    /// The name of what is called so in this registry.
    pub fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// Put an image there.
    pub fn push(&self, from: &str, name: &str, more: &[&str]) {
        let to = format!("docker://{}", self.name(name));
        let fixed = ["--insecure-policy", "copy", "-q", "--dest-tls-verify=false"];
        tool("skopeo", &[&fixed, more, &[from, &to]].concat());
    }

    /// The digest of a manifest or index there, as it says itself.
    pub fn digest(&self, name: &str) -> String {
        let from = format!("docker://{}", self.name(name));
        let raw = tool("skopeo", &["inspect", "--raw", "--tls-verify=false", &from]);
        host::digest::Digest::of(raw.as_bytes()).to_string()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
