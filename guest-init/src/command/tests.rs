use std::process::Command;

use super::*;

fn folder_with(files: &[(&str, u32)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, mode) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "#!/no/such/interpreter -x\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(*mode)).unwrap();
    }
    folder
}

fn path(folder: &Path, names: &[&str]) -> Vec<u8> {
    let folders: Vec<_> =
        names.iter().map(|name| folder.join(name).display().to_string()).collect();
    folders.join(":").into_bytes()
}

#[test]
fn the_first_executable_of_path_wins() {
    let folder = folder_with(&[
        ("a/tool", 0o644),
        ("b/tool/nested", 0o755),
        ("c/tool", 0o755),
        ("d/tool", 0o755),
    ]);
    let path = path(folder.path(), &["none", "a", "b", "c", "d"]);
    assert_eq!(find(&"tool".into(), &path).unwrap(), folder.path().join("c/tool"));
}

#[test]
fn not_found_and_not_executable_differ() {
    let folder = folder_with(&[("a/tool", 0o644), ("b/tool/nested", 0o755)]);
    let failed = |command: &str, names: &[&str]| {
        let error = find(&command.into(), &path(folder.path(), names)).unwrap_err();
        (error.kind(), error.to_string().replace(folder.path().to_str().unwrap(), ""))
    };
    let (not_found, not_executable) = (FailureKind::NotFound, FailureKind::NotExecutable);
    assert_eq!(failed("tool", &["none"]), (not_found, "tool: not found in PATH (/none)".into()));
    assert_eq!(failed("tool", &[]), (not_found, "tool: not found in PATH ()".into()));
    let no_permission =
        (not_executable, "/a/tool: can't be executed: it has no execute permission".into());
    assert_eq!(failed("tool", &["a", "b"]), no_permission);
    assert_eq!(
        failed("tool", &["b"]),
        (not_executable, "/b/tool: can't be executed: it is a directory".into())
    );
    let absolute = folder.path().join("a/tool").display().to_string();
    assert_eq!(failed(&absolute, &[]), no_permission);
    assert_eq!(
        failed(&(absolute + "/x"), &[]),
        (not_found, "/a/tool/x: no such file in the image".into())
    );
    assert_eq!(failed("/dev/null", &[]).0, not_executable);
}

#[test]
fn the_kernel_s_refusal_is_put_in_words() {
    let folder = folder_with(&[("script", 0o755)]);
    let script = folder.path().join("script");
    let error = explain(&script, &Command::new(&script).spawn().unwrap_err()).to_string();
    assert!(error.contains("no \"/no/such/interpreter\", the interpreter"), "{error}");

    fs::write(&script, "\x7fELF but not quite").unwrap();
    let error = explain(&script, &io::Error::from_raw_os_error(libc::ENOEXEC)).to_string();
    assert!(error.contains("neither a program"), "{error}");
    let error = explain(&script, &io::Error::from_raw_os_error(libc::ENOENT)).to_string();
    assert!(error.contains("dynamic loader"), "{error}");
}
