//! Which passt it is.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

/// From this release on (2024-07-26) datagrams have flows, as connections do: answers to whoever called a published port by the
/// host's loopback interface find back. Before, they went to the gateway's address, and so only where that leads there.
const FLOWS: u32 = 20_240_726;

/// More than it says of itself, in bytes.
const MAX_TEXT: u64 = 4096;

/// Whether programs of this host that call a published UDP port by 127.0.0.1 or ::1 get answers, with the way to the host's
/// loopback interface closed.
pub fn answers_datagrams_of_the_host(program: &Path) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return false };
    let mut text = String::new();
    if let Some(stdout) = child.stdout.take() {
        let _ = stdout.take(MAX_TEXT).read_to_string(&mut text);
    }
    // One that says more is not listened to.
    let _ = child.kill();
    let _ = child.wait();
    release(&text).is_some_and(|release| release >= FLOWS)
}

/// The date of the release, as one number: `2024_07_26.57a21d2`, in Debian `0.0~git20250503.587980c-2`, in Fedora
/// `0^20240726.g57a21d2`. Debian 12's says that it does not know.
fn release(text: &str) -> Option<u32> {
    let line = text.lines().next()?.replace('_', "");
    let numbers = line.split(|c: char| !c.is_ascii_digit());
    numbers.filter(|number| number.len() == 8).find_map(|number| number.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_dates() {
        for (text, expected) in [
            ("passt 2024_07_26.57a21d2\nCopyright Red Hat\n", Some(FLOWS)),
            ("passt 0.0~git20250503.587980c-2+deb13u1\n", Some(20_250_503)),
            ("passt 0^20240326.g4988e2b-1.fc40.x86_64\n", Some(20_240_326)),
            ("passt unknown version\nCopyright 2020 2021\n", None),
            ("", None),
        ] {
            assert_eq!(release(text), expected, "{text}");
        }
        assert!(!answers_datagrams_of_the_host(Path::new("/no/such/passt")));
        assert!(!answers_datagrams_of_the_host(Path::new("/bin/true")));
    }
}
