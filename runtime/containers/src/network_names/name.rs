//! Names of networks.

/// A host name's length and more, as containers' names have it.
const MAX: usize = 128;

/// What `--network` takes for something else (docker/cli `NetworkMode`, podman-run(1)), or ours does.
const RESERVED: [&str; 8] =
    ["none", "user", "host", "bridge", "default", "ns", "container", "private"];

/// Docker's rule (moby `daemon/names`): `[a-zA-Z0-9][a-zA-Z0-9_.-]*`.
pub fn check_name(name: &str) -> Result<(), String> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let first = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if !first || name.len() > MAX || !name.bytes().all(inner) {
        return Err(format!(
            "'{}' is no name for a network: give a letter or digit, then letters, digits, '_', '.' or '-', {MAX} at most",
            name.chars().take(MAX).collect::<String>().escape_debug()
        ));
    }
    match RESERVED.contains(&name) {
        true => Err(format!(
            "'{name}' is no name for a network: --network {name} means something else; give another"
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dockers() {
        for right in ["a", "Web.1_x-y", "0", &"x".repeat(MAX), "Host", "nsx"] {
            check_name(right).unwrap();
        }
        for wrong in ["", "-a", ".a", "a b", "a/b", "a:b", "é", "a\n", &"x".repeat(MAX + 1)] {
            let error = check_name(wrong).unwrap_err();
            assert!(error.contains("is no name") && !error.contains('\n'), "{error}");
        }
        for reserved in RESERVED {
            assert!(check_name(reserved).unwrap_err().contains("something else"));
        }
    }
}
