//! `--tmpfs PATH[:OPTION,…]`.

use protocol::{ByteString, Tmpfs};

use crate::size::parse_size;

/// A memory file system to mount. What is not said is as in docker: mode 1777, and no programs.
pub fn parse_tmpfs(text: &str) -> Result<Tmpfs, String> {
    let (path, options) = text.split_once(':').unwrap_or((text, ""));
    if !path.starts_with('/') {
        let path = path.escape_debug();
        return Err(format!("'{path}' is not an absolute path (it must start with /)"));
    }
    let mut tmpfs =
        Tmpfs { path: ByteString::from(path), size: None, mode: 0o1777, executable: false };
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option.split_once('=').unwrap_or((option, "")) {
            ("size", size) => tmpfs.size = Some(parse_tmpfs_size(size)?),
            ("mode", mode) => tmpfs.mode = parse_mode(mode)?,
            ("exec", "") => tmpfs.executable = true,
            ("noexec", "") => tmpfs.executable = false,
            // It is so in any case.
            ("rw" | "nosuid" | "nodev", "") => {}
            _ => {
                return Err(format!(
                    "option '{}' is not supported: give size=, mode=, exec, noexec, rw, nosuid or nodev",
                    option.escape_debug()
                ));
            }
        }
    }
    Ok(tmpfs)
}

/// Zero would be no limit at all (tmpfs(5)).
fn parse_tmpfs_size(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        0 => Err("size=0 holds nothing: give the most that it may hold".to_owned()),
        size => Ok(size),
    }
}

fn parse_mode(text: &str) -> Result<u32, String> {
    // `from_str_radix` takes a plus sign as well.
    let octal = text.starts_with(|c: char| c.is_digit(8));
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| octal && *mode <= 0o7777);
    mode.ok_or_else(|| format!("mode '{}' is not octal, 0 to 7777", text.escape_debug()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn options_are_those_of_docker() {
        let tmpfs = |path: &str, size, mode, executable| {
            Ok(Tmpfs { path: path.into(), size, mode, executable })
        };
        assert_eq!(parse_tmpfs("/run"), tmpfs("/run", None, 0o1777, false));
        assert_eq!(parse_tmpfs("/run:"), tmpfs("/run", None, 0o1777, false));
        let text = "/run:rw,exec,nosuid,nodev,size=64k,mode=0750";
        assert_eq!(parse_tmpfs(text), tmpfs("/run", Some(65536), 0o750, true));
        assert_eq!(parse_tmpfs("/a b:exec,noexec"), tmpfs("/a b", None, 0o1777, false));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, message) in [
            ("", "'' is not an absolute path"),
            ("run", "'run' is not an absolute path"),
            (":size=1m", "'' is not an absolute path"),
            ("/run:ro", "option 'ro' is not supported: give size=, mode="),
            ("/run:suid", "option 'suid' is not supported"),
            ("/run:exec=1", "option 'exec=1' is not supported"),
            ("/run:uid=0", "option 'uid=0' is not supported"),
            ("/run:size", "'' is not a size"),
            ("/run:size=50%", "'50%' is not a size"),
            ("/run:size=0", "size=0 holds nothing"),
            ("/run:mode=8", "mode '8' is not octal"),
            ("/run:mode=10000", "mode '10000' is not octal"),
            ("/run:mode=+7", "mode '+7' is not octal"),
            ("/run:mode", "mode '' is not octal"),
        ] {
            let error = parse_tmpfs(text).unwrap_err();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_a_mount_or_refused(text in "(/|).*:?(size=|mode=|exec|,|[0-9])*.*") {
            if let Ok(tmpfs) = parse_tmpfs(&text) {
                prop_assert!(tmpfs.path.as_bytes().starts_with(b"/") && tmpfs.mode <= 0o7777);
            }
        }

        #[test]
        fn what_is_written_is_read(
            path in "/[^:\0]*", size in proptest::option::of(1u64..), mode in 0u32..=0o7777,
            executable: bool,
        ) {
            let mut text = format!("{path}:mode={mode:o}");
            if let Some(size) = size {
                text += &format!(",size={size}");
            }
            text += if executable { ",exec" } else { ",noexec" };
            let tmpfs = Tmpfs { path: path.into(), size, mode, executable };
            prop_assert_eq!(parse_tmpfs(&text), Ok(tmpfs));
        }
    }
}
