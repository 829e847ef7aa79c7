//! How a path that a person types is read.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Whether it stands for what is in a folder: its last name is `.`.
pub(super) fn is_contents(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    let end = bytes.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    &bytes[..end] == b"." || bytes[..end].ends_with(b"/.")
}

/// Whether only a folder can be meant.
pub(super) fn is_called_folder(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(b"/") || is_contents(path)
}

/// A container's path as docker reads it: from the root, `..` by its text, and with the `/` or `/.` at the end that says
/// what is meant.
pub(super) fn in_container(text: &OsStr) -> PathBuf {
    let text = Path::new(text);
    let mut path = PathBuf::from("/");
    for component in text.components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => drop(path.pop()),
            _ => {}
        }
    }
    match path.file_name().is_some() {
        true if is_contents(text) => path.push("."),
        // A link that is called a folder is followed.
        true if is_called_folder(text) => path.push(""),
        _ => {}
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_container_is_read_as_docker_reads_it() {
        for (text, path) in [
            ("/etc/nginx", "/etc/nginx"),
            ("etc/nginx", "/etc/nginx"),
            ("", "/"),
            (".", "/"),
            ("/etc/nginx/", "/etc/nginx/"),
            ("/etc/nginx//", "/etc/nginx/"),
            ("/etc/nginx/.", "/etc/nginx/."),
            ("/etc/nginx/./", "/etc/nginx/."),
            ("/etc/nginx.", "/etc/nginx."),
            ("/etc/./nginx/../hosts", "/etc/hosts"),
            ("/none/../hosts/", "/hosts/"),
            ("/etc/..", "/"),
            ("/../../etc", "/etc"),
            ("/", "/"),
            ("/.", "/"),
        ] {
            assert_eq!(in_container(OsStr::new(text)).as_os_str(), path, "{text}");
        }
    }

    #[test]
    fn a_dot_at_the_end_stands_for_what_is_in_a_folder() {
        for (path, contents) in [
            (".", true),
            ("./", true),
            ("folder/.", true),
            ("folder/./", true),
            ("folder/.//", true),
            ("folder/", false),
            ("folder.", false),
            ("folder./", false),
            ("..", false),
            ("/", false),
            ("", false),
        ] {
            assert_eq!(is_contents(Path::new(path)), contents, "{path}");
        }
        assert!(is_called_folder(Path::new("folder/")) && !is_called_folder(Path::new("folder.")));
    }
}
