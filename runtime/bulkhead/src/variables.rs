//! `--env-file` and `--label-file`: docker's format, a variable in each line.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::CommandError;

/// The longest file, in bytes: more than fits in the environment of a process (execve(2)) would not help.
const MAX: u64 = 1 << 20;

/// What a line is not.
type Problem = &'static str;

/// The file's variables, each `NAME=VALUE` or `NAME`, in order. Lines that are empty or begin with `#` are none.
pub fn read(path: &Path) -> Result<Vec<String>, CommandError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX + 1).read_to_end(&mut bytes))
        .map_err(|source| CommandError::ReadFile { path: path.to_owned(), source })?;
    if bytes.len() as u64 > MAX {
        return Err(CommandError::LongFile { path: path.to_owned(), most: MAX });
    }
    parse(&bytes).map_err(|(line, problem)| CommandError::Line {
        path: path.to_owned(),
        line,
        problem,
    })
}

/// An error comes with the line's number, from 1.
fn parse(bytes: &[u8]) -> Result<Vec<String>, (usize, Problem)> {
    // A byte order mark, as editors on other systems write.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut variables = Vec::new();
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let variable = parse_line(line).map_err(|problem| (index + 1, problem))?;
        variables.extend(variable.map(str::to_owned));
    }
    Ok(variables)
}

/// Blanks around the value are the value's; quotes are too.
fn parse_line(line: &[u8]) -> Result<Option<&str>, Problem> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = str::from_utf8(line).map_err(|_| "it is not UTF-8")?.trim_start();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (name, _) = line.split_once('=').unwrap_or((line, ""));
    if name.is_empty() {
        return Err("it has no name: give NAME=VALUE or NAME");
    }
    if name.contains(char::is_whitespace) {
        return Err("its name holds a blank: give NAME=VALUE or NAME");
    }
    if line.contains('\0') {
        return Err("it holds a NUL byte");
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_format_is_docker_s() {
        let text = "\u{feff}A=1\r\n\n  # comment\n\t B= b \"c\" # d\nHOST\nEMPTY=\nA=2=3";
        let expected = ["A=1", "B= b \"c\" # d", "HOST", "EMPTY=", "A=2=3"];
        assert_eq!(parse(text.as_bytes()).unwrap(), expected);
        assert_eq!(parse(b"").unwrap(), [""; 0]);
    }

    #[test]
    fn the_line_is_named() {
        let cases: [(&[u8], usize, &str); 5] = [
            (b"A=1\n=2\n", 2, "no name"),
            (b"#\n\nA B=1\n", 3, "holds a blank"),
            (b"A =1", 1, "holds a blank"),
            (b"A=1\nB=\xff\n", 2, "not UTF-8"),
            (b"A=\0", 1, "NUL"),
        ];
        for (bytes, line, message) in cases {
            let (found, problem) = parse(bytes).unwrap_err();
            assert!(found == line && problem.contains(message), "{bytes:?}: {found}: {problem}");
        }
    }

    #[test]
    fn files_are_refused_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("env");
        let refused = |path: &Path| read(path).unwrap_err().line();
        assert!(refused(&path).contains("env: cannot read it: No such file"));
        assert!(refused(folder.path()).contains("cannot read it: Is a directory"));
        std::fs::write(&path, "A=1\n B C\n").unwrap();
        assert!(refused(&path).contains("env:2: its name holds a blank"));
        assert!(refused(Path::new("/dev/zero")).contains("longer than 1048576 bytes"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_variables_or_refused(bytes: Vec<u8>) {
            for variable in parse(&bytes).unwrap_or_default() {
                let name = variable.split('=').next().unwrap();
                prop_assert!(!name.is_empty() && !name.contains(char::is_whitespace));
                prop_assert!(!variable.contains(['\n', '\0']));
            }
        }

        #[test]
        fn what_is_written_is_read(
            variables in proptest::collection::vec("[A-Za-z_][A-Za-z0-9_.-]*(=[^\r\n\0]*)?", 0..8),
        ) {
            prop_assert_eq!(parse(variables.join("\n").as_bytes()).unwrap(), variables);
        }
    }
}
