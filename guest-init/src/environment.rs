//! The process's variables.

use protocol::ByteString;

use crate::users::User;

/// Where commands are looked up when the image does not say: docker's default for Unix.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Names and values, no name twice, in the order of their first appearance.
pub type Environment = Vec<(Vec<u8>, Vec<u8>)>;

/// What docker gives: PATH and HOSTNAME, then the image's and the caller's variables, the later of two winning; HOME
/// from the user's entry when it is missing or empty.
pub fn build(variables: &[ByteString], user: &User, hostname: &ByteString) -> Environment {
    let mut environment = vec![
        (b"PATH".to_vec(), DEFAULT_PATH.into()),
        (b"HOSTNAME".to_vec(), hostname.as_bytes().to_vec()),
    ];
    for variable in variables {
        let text = variable.as_bytes();
        if let Some(at) = text.iter().position(|&b| b == b'=') {
            set(&mut environment, &text[..at], &text[at + 1..]);
        }
    }
    if get(&environment, b"HOME").is_none_or(<[u8]>::is_empty) {
        set(&mut environment, b"HOME", user.home.as_bytes());
    }
    environment
}

/// A variable's value.
pub fn get<'a>(environment: &'a Environment, name: &[u8]) -> Option<&'a [u8]> {
    environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
}

fn set(environment: &mut Environment, name: &[u8], value: &[u8]) {
    match environment.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value.to_vec(),
        None => environment.push((name.to_vec(), value.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(variables: &[&str]) -> Vec<String> {
        let user = User { uid: 33, gid: 33, groups: Vec::new(), home: "/var/www".into() };
        let variables: Vec<ByteString> =
            variables.iter().map(|&variable| variable.into()).collect();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let environment = build(&variables, &user, &"box".into());
        environment.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect()
    }

    #[test]
    fn what_is_missing_is_added() {
        assert_eq!(built(&[]), [&format!("PATH={DEFAULT_PATH}"), "HOSTNAME=box", "HOME=/var/www"]);
    }

    #[test]
    fn the_later_of_two_wins_and_what_is_set_stays() {
        assert_eq!(
            built(&["A=1", "PATH=/bin", "HOME=/srv", "A=2=3", "HOSTNAME=other"]),
            ["PATH=/bin", "HOSTNAME=other", "A=2=3", "HOME=/srv"]
        );
        assert_eq!(built(&["HOME="])[2], "HOME=/var/www");
        assert_eq!(built(&["EMPTY="])[2], "EMPTY=");
    }
}
