//! Who we are to a registry: what `docker login` wrote down (docker's config file, `$DOCKER_CONFIG/config.json`, else
//! `~/.docker/config.json`).

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::error::CredentialsError;
use super::helper;

/// The longest config file, in bytes.
const MAX_CONFIG: u64 = 4 << 20;

/// A user of a registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Its name.
    pub user: String,
    /// Its password, or a token that stands for one.
    pub password: String,
}

impl From<helper::Answer> for Credentials {
    fn from(answer: helper::Answer) -> Self {
        Self { user: answer.username, password: answer.secret }
    }
}

/// The parts of the file that count here.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    auths: HashMap<String, Auth>,
    cred_helpers: HashMap<String, String>,
    creds_store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: String,
    identitytoken: String,
}

/// The credentials for the registry that is known by these names; `None` for a stranger.
pub fn find(names: &[&str]) -> Result<Option<Credentials>, CredentialsError> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker"));
    let folder = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty());
    match folder.map(PathBuf::from).or_else(home) {
        Some(folder) => find_in(&folder.join("config.json"), names),
        None => Ok(None),
    }
}

/// A helper for this registry goes before the helper for all, and that before what is in the file, as docker does it.
fn find_in(path: &Path, names: &[&str]) -> Result<Option<Credentials>, CredentialsError> {
    let Some(config) = read(path)? else { return Ok(None) };
    let is_own = |server: &str| names.contains(&host(server));
    // The same host may be there twice, as a whole address and as itself, which goes first.
    let own = |servers: &mut dyn Iterator<Item = &String>| -> Option<String> {
        servers
            .filter(|server| is_own(server))
            .min_by_key(|server| (server.len(), *server))
            .cloned()
    };
    let entry = own(&mut config.auths.keys());
    if let Some(server) = own(&mut config.cred_helpers.keys()) {
        return Ok(helper::ask(&config.cred_helpers[&server], &server)?.map(Into::into));
    }
    if !config.creds_store.is_empty() {
        // docker leaves an empty entry under the server's name for whatever the helper has.
        let server = entry.as_deref().unwrap_or(names[0]);
        if let Some(found) = helper::ask(&config.creds_store, server)? {
            return Ok(Some(found.into()));
        }
    }
    let Some(server) = entry else { return Ok(None) };
    let Auth { auth, identitytoken } = &config.auths[&server];
    if !identitytoken.is_empty() {
        return Err(CredentialsError::IdentityToken { origin: path.display().to_string(), server });
    }
    if auth.is_empty() {
        return Ok(None);
    }
    let decoded = STANDARD.decode(auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let found = decoded.as_deref().and_then(|text| text.split_once(':'));
    let (user, password) =
        found.ok_or_else(|| CredentialsError::Auth { path: path.to_owned(), server })?;
    // Old dockers padded the password.
    let password = password.trim_end_matches('\0');
    Ok(Some(Credentials { user: user.to_owned(), password: password.to_owned() }))
}

fn read(path: &Path) -> Result<Option<Config>, CredentialsError> {
    let failed = |source| CredentialsError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = Vec::new();
    file.take(MAX_CONFIG).read_to_end(&mut text).map_err(failed)?;
    let json = |source| CredentialsError::Json { path: path.to_owned(), source };
    serde_json::from_slice(&text).map(Some).map_err(json)
}

/// The host of what may be an address.
fn host(server: &str) -> &str {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Result<Option<Credentials>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        fs::write(&path, text).unwrap();
        find_in(&path, &["a.example:5000", "b.example"]).map_err(|error| error.to_string())
    }

    #[test]
    fn what_docker_login_wrote_is_found() {
        let auth = STANDARD.encode("me:pass:word");
        let mine = Some(Credentials { user: "me".into(), password: "pass:word".into() });
        for server in ["a.example:5000", "https://a.example:5000", "https://b.example/v1/"] {
            let text = format!(r#"{{"auths":{{"{server}":{{"auth":"{auth}"}}}},"other":1}}"#);
            assert!(found(&text) == Ok(mine.clone()), "{server}");
        }
        for text in [
            "{}".to_owned(),
            format!(r#"{{"auths":{{"a.example":{{"auth":"{auth}"}}}}}}"#),
            r#"{"auths":{"a.example:5000":{}}}"#.to_owned(),
        ] {
            assert!(found(&text) == Ok(None), "{text}");
        }
        assert!(find_in(Path::new("/no such file"), &["a"]).is_ok_and(|found| found.is_none()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let colonless = STANDARD.encode("me");
        for (text, message) in [
            ("{", "cannot understand it"),
            (r#"{"auths":{"b.example":{"auth":"?"}}}"#, "not base64 of USER:PASSWORD"),
            (
                &format!(r#"{{"auths":{{"b.example":{{"auth":"{colonless}"}}}}}}"#),
                "not base64 of USER:PASSWORD",
            ),
            (r#"{"auths":{"b.example":{"identitytoken":"t"}}}"#, "identity token for b.example"),
            (r#"{"credsStore":"../x"}"#, "'../x' is no name of a credential helper"),
            (r#"{"credHelpers":{"b.example":"no such helper"}}"#, "is no name of a"),
            (r#"{"credsStore":"no-such-helper"}"#, "cannot ask docker-credential-no-such-helper"),
        ] {
            let error = found(text).err().unwrap_or_default();
            assert!(error.contains(message), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_file_has_credentials_or_an_error(text in ".*") {
            let _ = found(&text);
        }
    }
}
