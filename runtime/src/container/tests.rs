use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;

use super::*;
use crate::bundle::{BootSource, Bundle, Entropy, MachineConfig, VmConfig};
use crate::platform::Platform;
use crate::store::file::crash;

fn draft(name: &str) -> Config {
    let bundle = Bundle {
        platform: Platform::NATIVE,
        vm: VmConfig {
            boot_source: BootSource {
                kernel_image_path: "/kernel".into(),
                initrd_path: "/initrd".into(),
                boot_args: String::new(),
            },
            drives: vec![],
            machine_config: MachineConfig { vcpu_count: 1, mem_size_mib: 64 },
            vsock: None,
            entropy: Entropy {},
        },
        setting: protocol::Setting { hostname: "x".into(), read_only: false, tmpfs: vec![] },
        process: protocol::Process {
            args: vec!["true".into()],
            env: vec![],
            cwd: "/".into(),
            user: "".into(),
            capabilities: 0,
            limits: vec![],
            no_new_privileges: false,
            seccomp: true,
        },
        console: false,
        scratch: None,
    };
    Config {
        id: Id::random().unwrap(),
        name: name.to_owned(),
        created: now(),
        image: ImageName { name: "busybox".into(), manifest: None },
        bundle,
        terminal: false,
        stdin_open: false,
        auto_remove: false,
        restart: RestartPolicy::No,
        stop_signal: 15,
        stop_timeout: 10,
        labels: BTreeMap::new(),
        log: LogOptions::default(),
    }
}

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
    // One that was to remove itself is removed by the next who looks.
    let forgotten = Config { auto_remove: true, ..draft("gone") };
    let forgotten = containers.create(forgotten).unwrap();
    assert_eq!(names(&containers), ["gone", "web"]);
    let running = State { status: Status::Running, started_at: Some(1), ..State::default() };
    forgotten.tenure().unwrap().set(&running).unwrap();
    assert_eq!(names(&containers), ["web"]);
    assert!(!forgotten.folder().exists());
}

#[test]
fn damaged_files_are_named() {
    let (_work, containers) = containers();
    let [good, bad] = ["good", "bad"].map(|name| containers.create(draft(name)).unwrap());
    fs::write(bad.folder().join("state.json"), r#"{"status":"dancing"}"#).unwrap();
    let error = bad.state().unwrap_err().to_string();
    assert!(error.contains("state.json") && error.contains("dancing"), "{error}");
    fs::write(bad.folder().join("config.json"), "{}").unwrap();
    assert_eq!(names(&containers), ["good"]);
    // One with another's configuration.
    fs::copy(good.folder().join("config.json"), bad.folder().join("config.json")).unwrap();
    assert_eq!(names(&containers), ["good"]);
}

#[derive(Clone, Debug)]
enum Step {
    Create(u8),
    Rename(u8, u8),
    Remove(u8),
    Set(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..5u8).prop_map(Step::Create),
        (0..5u8, 0..5u8).prop_map(|(from, to)| Step::Rename(from, to)),
        (0..5u8).prop_map(Step::Remove),
        (0..5u8, any::<u8>()).prop_map(|(name, code)| Step::Set(name, code)),
    ]
}

fn name(number: u8) -> String {
    format!("name-{number}")
}

/// Does it to the files.
fn act(containers: &Containers, step: &Step) -> Result<(), ContainerError> {
    match step {
        Step::Create(to) => containers.create(draft(&name(*to))).map(drop),
        Step::Rename(from, to) => containers.rename(&containers.find(&name(*from))?, &name(*to)),
        Step::Remove(from) => {
            let container = containers.find(&name(*from))?;
            containers.remove(&container, container.tenure()?)
        }
        Step::Set(from, exit_code) => {
            let state = State { status: Status::Exited, exit_code: *exit_code, ..State::default() };
            containers.find(&name(*from))?.tenure()?.set(&state)
        }
    }
}

/// What it makes of names and exit codes; `None`: it is refused.
fn model(before: &BTreeMap<String, u8>, step: &Step) -> Option<BTreeMap<String, u8>> {
    let mut after = before.clone();
    match step {
        Step::Create(to) if !after.contains_key(&name(*to)) => {
            after.insert(name(*to), 0);
        }
        Step::Rename(from, to) if !after.contains_key(&name(*to)) => {
            let code = after.remove(&name(*from))?;
            after.insert(name(*to), code);
        }
        Step::Remove(from) => drop(after.remove(&name(*from))?),
        Step::Set(from, code) => *after.get_mut(&name(*from))? = *code,
        _ => return None,
    }
    Some(after)
}

fn seen(containers: &Containers) -> BTreeMap<String, u8> {
    let all = containers.list().unwrap();
    all.iter().map(|c| (c.config().name.clone(), c.state().unwrap().exit_code)).collect()
}

proptest! {
    // Each step waits for the disk.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_lost_and_nothing_is_half_there(
        steps in prop::collection::vec((step(), prop::option::of(0..12u32)), 1..20),
    ) {
        let (_work, containers) = containers();
        let mut expected = BTreeMap::new();
        for (step, death) in &steps {
            let after = model(&expected, step);
            let result = match death {
                Some(death) => {
                    crash::plan(Some(*death));
                    let result = act(&containers, step);
                    crash::plan(None);
                    result
                }
                None => act(&containers, step),
            };
            let now = seen(&containers);
            match after {
                None => {
                    prop_assert!(result.is_err());
                    prop_assert_eq!(&now, &expected);
                }
                Some(after) if result.is_ok() => prop_assert_eq!(&now, &after),
                // It died: before it, or after it.
                Some(after) => prop_assert!(death.is_some() && (now == expected || now == after)),
            }
            expected = now;
        }
        // Whoever comes next sweeps up.
        containers.create(draft("last-one")).unwrap();
        let folders = fs::read_dir(containers.folder()).unwrap().flatten();
        let others = folders.filter(|entry| entry.file_name().len() != 64).count();
        prop_assert_eq!(others, 1, "only .lock");
    }
}
