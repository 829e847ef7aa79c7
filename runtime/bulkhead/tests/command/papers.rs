//! Completions and manual pages.

use super::*;

/// A program that reads what was made, where it is installed.
fn accepts(test: &str, program: &str, arguments: &[&str], file: &Path) {
    match Command::new(program).args(arguments).arg(file).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("SKIPPED: {test}: {program} is not installed");
        }
        output => {
            let output = output.unwrap();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && errors.is_empty(), "{program}: {errors}");
        }
    }
}

/// The shell reads its completions without a word.
fn completes(test: &str, shell: &str) {
    let place = Place::new();
    let output = place.bulkhead(&["completions", shell]);
    let script = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && script.contains("cap-add"), "{script}");
    assert!(!script.contains("supervise"), "what is hidden is shown: {script}");
    fs::write(place.path("script"), script).unwrap();
    accepts(test, shell, &["-n"], &place.path("script"));
}

#[test]
fn bash_takes_its_completions() {
    completes("bash_takes_its_completions", "bash");
}

#[test]
fn zsh_takes_its_completions() {
    completes("zsh_takes_its_completions", "zsh");
}

#[test]
fn fish_takes_its_completions() {
    completes("fish_takes_its_completions", "fish");
}

#[test]
fn each_command_has_a_manual_page() {
    let place = Place::new();
    let output = place.bulkhead(&["man", "new/man1"]);
    assert!(output.status.success(), "{output:?}");
    let pages: Vec<_> = fs::read_dir(place.path("new/man1")).unwrap().flatten().collect();
    let names: Vec<_> = pages.iter().map(|page| page.file_name().into_string().unwrap()).collect();
    for name in ["bulkhead.1", "bulkhead-run.1", "bulkhead-exec.1", "bulkhead-images.1"] {
        assert!(names.iter().any(|found| found == name), "{name} is not among {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("supervise")), "{names:?}");
    let run = fs::read_to_string(place.path("new/man1/bulkhead-run.1")).unwrap();
    assert!(run.contains("cap\\-add") && run.contains("Examples:"), "{run}");
    fs::write(place.path("file"), "").unwrap();
    place.fails(&["man", "file"], 1, "file: cannot write it");
    let one = place.path("one.1");
    let all = pages.iter().flat_map(|page| fs::read(page.path()).unwrap());
    fs::write(&one, all.collect::<Vec<u8>>()).unwrap();
    accepts("each_command_has_a_manual_page", "groff", &["-man", "-ww", "-z"], &one);
}
