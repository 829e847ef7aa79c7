//! Programs that keep passwords: `docker-credential-NAME` (docker-credential-helpers, "Development").

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde::Deserialize;

use super::error::{CredentialsError, told};
use host::child::spawn_bound;
use host::program;

/// The most that is read of an answer, in bytes.
const MAX_ANSWER: u64 = 64 << 10;

/// How a helper says that it has none.
const NOT_FOUND: &str = "credentials not found";

/// What one answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Answer {
    pub username: String,
    pub secret: String,
}

/// Ask the helper called `name` for the credentials for `server`.
pub fn ask(name: &str, server: &str) -> Result<Option<Answer>, CredentialsError> {
    let program = format!("docker-credential-{name}");
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !name.bytes().all(is_plain) {
        return Err(CredentialsError::HelperName(told(name)));
    }
    let failed = |source| CredentialsError::Helper { program: program.clone(), source };
    // Looked up here: execvp(3) would take one from the current folder, where a part of PATH is empty.
    let path = program::on_path(&program).ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    let mut command = Command::new(path);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = spawn_bound(&mut command, &[], Signal::TERM).map_err(failed)?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let exchange = move || -> io::Result<Vec<u8>> {
        let mut answer = Vec::new();
        if let (Some(mut stdin), Some(stdout)) = (stdin, stdout) {
            // A helper that does not read what it is asked says so by its answer.
            let _ = stdin.write_all(server.as_bytes());
            drop(stdin);
            stdout.take(MAX_ANSWER).read_to_end(&mut answer)?;
        }
        Ok(answer)
    };
    let answer = exchange();
    let status = child.wait().map_err(failed)?;
    let answer = answer.map_err(failed)?;
    if !status.success() {
        let text = String::from_utf8_lossy(&answer);
        if text.contains(NOT_FOUND) {
            return Ok(None);
        }
        return Err(CredentialsError::HelperSays { program, answer: told(&text) });
    }
    let answer: Answer = serde_json::from_slice(&answer).map_err(|error| failed(error.into()))?;
    // What a helper calls so is a token to get tokens with.
    if answer.username == "<token>" {
        return Err(CredentialsError::IdentityToken { origin: program, server: server.to_owned() });
    }
    Ok(Some(answer))
}
