//! Names of images, as docker writes them (distribution `reference`, "Grammar").

use std::fmt;

use super::StoreError;
use host::digest::Digest;

/// Where an image comes from when its name does not say.
const DEFAULT_REGISTRY: &str = "docker.io";

/// Whose image it is when a name on the default registry does not say.
const DEFAULT_OWNER: &str = "library";

const DEFAULT_TAG: &str = "latest";

/// The longest registry and path together.
const MAX_REPOSITORY: usize = 255;

const MAX_TAG: usize = 128;

/// A whole name: `busybox` stands for `docker.io/library/busybox:latest`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    repository: String,
    version: Version,
}

/// Which image of a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// The one that has this tag now.
    Tag(String),
    /// The one with this manifest.
    Digest(Digest),
}

impl Name {
    /// Understand `[REGISTRY/]PATH[:TAG][@DIGEST]`. With a digest, a tag says nothing more and is dropped.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let wrong = |reason| StoreError::Name { text: text.escape_debug().to_string(), reason };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                let digest = Digest::parse(digest);
                let reason = "a digest is 'sha256:' and 64 lower-case hexadecimal digits";
                (rest, Some(digest.ok_or_else(|| wrong(reason))?))
            }
            None => (text, None),
        };
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong("a tag is up to 128 letters, digits, '_', '.' and '-'"));
        }
        if is_id(path) {
            return Err(wrong("64 hexadecimal digits are an ID"));
        }
        let (registry, path) = match path.split_once('/') {
            Some((first, path)) if is_registry(first) => (first, path),
            _ => (DEFAULT_REGISTRY, path),
        };
        if !is_host(registry) {
            return Err(wrong("a registry is a host name, perhaps with ':' and a port"));
        }
        if !path.split('/').all(is_component) {
            return Err(wrong(
                "a path is lower-case letters and digits, with single '.', '_', '-' and '/' between them",
            ));
        }
        let official = registry == DEFAULT_REGISTRY && !path.contains('/');
        let repository = match official {
            true => format!("{registry}/{DEFAULT_OWNER}/{path}"),
            false => format!("{registry}/{path}"),
        };
        if repository.len() > MAX_REPOSITORY {
            return Err(wrong("it is longer than 255 characters"));
        }
        let tag = || Version::Tag(tag.unwrap_or(DEFAULT_TAG).to_owned());
        Ok(Self { repository, version: digest.map_or_else(tag, Version::Digest) })
    }

    /// The registry and the path, in full.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The registry and the path as people write them: as short as it can be and still be read as this.
    pub fn short_repository(&self) -> &str {
        let full = self.repository.as_str();
        let Some((DEFAULT_REGISTRY, path)) = full.split_once('/') else { return full };
        match path.split_once('/') {
            Some((DEFAULT_OWNER, image)) if !image.contains('/') && !is_id(image) => image,
            Some((owner, _)) if is_registry(owner) => full,
            _ => path,
        }
    }

    /// Which image of the repository.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The tag, where that is what the name has.
    pub fn tag(&self) -> Option<&str> {
        match &self.version {
            Version::Tag(tag) => Some(tag),
            Version::Digest(_) => None,
        }
    }

    /// The name as people write it: `busybox:latest`.
    pub fn short(&self) -> String {
        format!("{}{}", self.short_repository(), self.version)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.repository, self.version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, ":{tag}"),
            Self::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

/// Whether it is what an image is called by that has no name.
fn is_id(text: &str) -> bool {
    Digest::parse_hex(text).is_some()
}

/// Whether the part in front of the first `/` is a registry and not somebody's name on the default one.
fn is_registry(part: &str) -> bool {
    part == "localhost" || part.contains(['.', ':'])
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        // Not the last group of an IPv6 address.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let digits =
        |port: &str| !port.is_empty() && port.len() < 6 && port.bytes().all(|b| b.is_ascii_digit());
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let ipv6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_is_good = match ipv6 {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(label),
    };
    host_is_good && port.is_none_or(digits)
}

/// Runs of letters and digits with `.`, `_`, `__` or any number of `-` between them.
fn is_component(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut separators = text.split(|letter: char| letter.is_ascii() && plain(letter as u8));
    let (first, last) = (text.bytes().next(), text.bytes().last());
    let separator =
        |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|b| b == b'-');
    first.is_some_and(plain) && last.is_some_and(plain) && separators.all(separator)
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= MAX_TAG
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_made_whole_as_docker_does() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        let pinned = format!("@{digest}");
        let cases = [
            ("busybox", "docker.io/library/busybox:latest", "busybox:latest"),
            ("docker.io/busybox:1", "docker.io/library/busybox:1", "busybox:1"),
            ("me/tool:v1", "docker.io/me/tool:v1", "me/tool:v1"),
            ("localhost/a", "localhost/a:latest", "localhost/a:latest"),
            ("localhost:5000/a/b:c", "localhost:5000/a/b:c", "localhost:5000/a/b:c"),
            ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
            ("quay.io/library/a", "quay.io/library/a:latest", "quay.io/library/a:latest"),
            ("a--b__c.d_e", "docker.io/library/a--b__c.d_e:latest", "a--b__c.d_e:latest"),
        ];
        for (text, full, short) in cases {
            let name = Name::parse(text).unwrap();
            assert_eq!((name.to_string().as_str(), name.short().as_str()), (full, short));
        }
        let name = Name::parse(&format!("busybox:1{pinned}")).unwrap();
        assert_eq!(name.to_string(), format!("docker.io/library/busybox{pinned}"));
        assert_eq!((name.tag(), name.repository()), (None, "docker.io/library/busybox"));
    }

    #[test]
    fn a_name_is_not_made_so_short_that_it_is_another() {
        let full = format!("docker.io/library/{}:1", "0123456789abcdef".repeat(4));
        let cases = [
            ("docker.io/quay.io/a:1", "docker.io/quay.io/a:1"),
            ("docker.io/localhost/a:1", "docker.io/localhost/a:1"),
            ("docker.io/library/quay.io/a:1", "library/quay.io/a:1"),
            ("docker.io/library/localhost:1", "localhost:1"),
            (full.as_str(), full.trim_start_matches("docker.io/")),
        ];
        for (text, short) in cases {
            let name = Name::parse(text).unwrap();
            assert_eq!((name.to_string().as_str(), name.short().as_str()), (text, short));
            assert_eq!(Name::parse(short).unwrap(), name);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let digits = "0".repeat(64);
        let long = "a".repeat(256);
        let tag = format!("a:{}", "b".repeat(129));
        let wrong = [
            "",
            ":",
            "a:",
            "A",
            "a//b",
            "/a",
            "a/",
            "a@sha256:12",
            "a b",
            "-a",
            "a-",
            "a._b",
            "a___b",
            "é",
            "a:b:c",
            "a:-b",
            "x.y:port/a",
            "-x.y/a",
            "[::g]/a",
            "a\nb",
            &digits,
            &long,
            &tag,
        ];
        for text in wrong {
            let error = Name::parse(text).unwrap_err().to_string();
            assert!(!error.contains('\n'), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_name_reads_as_itself(text in "(docker\\.io/(library/)?)?([a-z]{1,3}[.:/_-]{0,2}){1,6}[a-z0-9]{0,3}(:[a-zA-Z0-9._-]{1,5})?") {
            if let Ok(name) = Name::parse(&text) {
                prop_assert_eq!(&Name::parse(&name.to_string()).unwrap(), &name);
                prop_assert_eq!(&Name::parse(&name.short()).unwrap(), &name);
            }
        }

        #[test]
        fn any_text_is_a_name_or_an_error(text in ".*") {
            let _ = Name::parse(&text);
        }
    }
}
