//! Containers' files against a model, and their corners.

mod damage;
pub(crate) mod sample;
mod together;
mod world;

use sample::draft;

use super::*;

fn containers() -> (tempfile::TempDir, Containers) {
    let work = tempfile::tempdir().unwrap();
    let containers = Containers::open(work.path().join("containers")).unwrap();
    (work, containers)
}

fn names(containers: &Containers) -> Vec<String> {
    let mut names: Vec<_> =
        containers.list().unwrap().iter().map(|c| c.config().name.clone()).collect();
    names.sort();
    names
}

#[test]
fn containers_are_found_as_dockers_are() {
    let (_work, containers) = containers();
    let web = containers.create(draft("web")).unwrap();
    let invented = containers.create(draft("")).unwrap();
    check_name(&invented.config().name).unwrap();
    let id = web.id().to_string();
    for text in ["web", &id, &id[..12], &id[..40]] {
        assert_eq!(containers.find(text).unwrap().id(), web.id(), "{text}");
    }
    let refused = |text: &str| containers.find(text).unwrap_err().to_string();
    for text in ["", "we", "no\nbody"] {
        assert!(refused(text).contains("is no container"), "{text}");
    }
    // A name goes before the start of an ID.
    let prefix = &id[..4];
    let other = containers.create(draft(prefix)).unwrap();
    assert_eq!(containers.find(prefix).unwrap().id(), other.id());
    let ambiguous = (0..40).map(|_| containers.create(draft("")).unwrap());
    let starts: Vec<String> = ambiguous.map(|c| c.id().as_str()[..1].to_owned()).collect();
    let twice = starts.iter().find(|start| starts.iter().filter(|s| s == start).count() > 1);
    assert!(refused(twice.unwrap()).contains("several"));
    let taken = containers.create(draft("web")).unwrap_err().to_string();
    assert!(taken.contains("web") && taken.contains(&id[..12]), "{taken}");
    for wrong in ["x", "-x", "a b", "é1", &"x".repeat(129)] {
        assert!(containers.create(draft(wrong)).is_err(), "{wrong}");
        assert!(containers.rename(&web, wrong).is_err(), "{wrong}");
    }
}

#[test]
fn whoever_is_gone_was_killed() {
    let (_work, containers) = containers();
    let container = containers.create(draft("web")).unwrap();
    assert_eq!(container.state().unwrap(), State::default());
    for status in [Status::Running, Status::Paused, Status::Restarting] {
        let running = State { status, control: Some("/x".into()), ..State::default() };
        let mut tenure = container.tenure().unwrap();
        tenure.set(&running).unwrap();
        assert_eq!(container.state().unwrap(), running);
        assert!(container.tenure().unwrap_err().to_string().contains("web is running"));
        drop(tenure);
        let state = container.state().unwrap();
        assert_eq!((state.status, state.exit_code, &state.control), (Status::Exited, 137, &None));
        // And the file says so.
        assert_eq!(container.state().unwrap(), state);
    }
    // One that was to remove itself is removed by the next who looks, also when it was killed before it was up.
    let starting = State { control: Some("x".into()), ..State::default() };
    let running = State { status: Status::Running, started_at: Some(1), ..starting.clone() };
    for state in [starting, running] {
        let forgotten = Config { auto_remove: true, ..draft("gone") };
        let forgotten = containers.create(forgotten).unwrap();
        assert_eq!(names(&containers), ["gone", "web"]);
        forgotten.tenure().unwrap().set(&state).unwrap();
        assert_eq!(names(&containers), ["web"]);
        assert!(!forgotten.folder().exists());
    }
}

#[test]
fn whoever_takes_it_next_puts_it_right() {
    let (_work, containers) = containers();
    let container = containers.create(draft("web")).unwrap();
    let running = State { status: Status::Running, control: Some("/x".into()), ..State::default() };
    container.tenure().unwrap().set(&running).unwrap();
    // Power was lost before the lock's name was on the disk.
    std::fs::remove_file(container.folder().join("lock")).unwrap();
    let tenure = container.tenure().unwrap();
    let state = container.state().unwrap();
    assert_eq!((state.status, state.exit_code, &state.control), (Status::Exited, 137, &None));
    containers.remove(&container, tenure).unwrap();
    for error in [container.state().map(drop), container.tenure().map(drop)] {
        assert_eq!(
            error.unwrap_err().to_string(),
            "'web' is no container: bulkhead ps -a lists them"
        );
    }
    assert!(
        containers.rename(&container, "other").unwrap_err().to_string().contains("no container")
    );
}
