//! What the command says of bad input, of the VMM's end, of this machine and of itself.

use super::*;

#[test]
fn bad_input_is_one_line_and_the_right_status() {
    let place = Place::new();
    fs::write(place.path("notes"), "not an image, not a kernel either").unwrap();
    fs::create_dir(place.path("empty")).unwrap();
    let kernel = ["run", "--kernel", "kernel"];
    let with = |more: &[&'static str]| [&kernel[..], more].concat();
    place.fails(&["run"], 2, "IMAGE");
    place.fails(&["run", "--cpus", "33", "root"], 2, "1 to 32 whole processors");
    place.fails(&["run", "--memory", "1M", "root"], 2, "64M");
    place.fails(&["run", "root", "--", "ls"], 1, "no guest kernel in the cache");
    place.fails(&["run", "--kernel", "gone", "root", "--", "ls"], 1, "kernel gone: cannot read it");
    place.fails(
        &["run", "--kernel", "notes", "root", "--", "ls"],
        1,
        "kernel notes starts with \"not an image",
    );
    place.fails(&["run", "--kernel", "root", "root", "--", "ls"], 1, "kernel root: cannot read it");
    place.fails(
        &with(&["notes", "--", "ls"]),
        1,
        "notes is not an image: it starts with \"not an image",
    );
    place.fails(
        &with(&["--pull=never", "gone", "--", "ls"]),
        1,
        "'gone' is neither a file nor an image",
    );
    place.fails(&with(&["root"]), 2, "image root names no command");
    place.fails(&with(&["--modules", "empty", "root", "--", "ls"]), 1, "empty holds no .ko files");
    place.fails(&with(&["root", "--", "ls"]), 1, "bulkhead-vmm is neither beside");
    fs::write(place.path("env"), "A=1\n# comment\n=2\n").unwrap();
    place.fails(&with(&["--env-file", "env", "root", "ls"]), 1, "env:3: it has no name: give NAME");
    place.fails(&with(&["--env-file", "gone", "root", "ls"]), 1, "gone: cannot read it");
    place.fails(
        &["run", "--volume", "/a:/b", "root", "ls"],
        2,
        "--volume: volumes are not supported",
    );
    place.fails(&["run", "--bundle", "gone"], 1, "bundle gone: cannot read it");
    place.fails(&["run", "--bundle", "notes"], 1, "bundle notes: cannot understand it");
    fs::remove_file(place.path("bin/guest-init")).unwrap();
    place.fails(&with(&["root", "--", "ls"]), 1, "a guest-init for linux/");
}

#[test]
fn a_vmm_that_ends_early_is_explained() {
    let place = Place::new();
    let run = ["run", "--network", "none", "--kernel", "kernel", "root", "--", "ls"];
    place.vmm(
        "echo 'bulkhead-vmm: vm.json: machine-config.mem_size_mib: 64: too little' >&2; exit 2",
    );
    place.fails(&run, 2, "mem_size_mib: 64: too little");
    place.vmm("echo 'bulkhead-vmm: /dev/kvm: permission denied' >&2; exit 1");
    place.fails(&run, 1, "/dev/kvm: permission denied");
    place.vmm("printf 'starting\\r\\n\\r\\nKernel panic - not syncing\\r\\n'; exit 0");
    place.fails(&run, 1, "console ends with: starting | Kernel panic - not syncing");
    // The VMM finds out in the end what KVM lacks.
    place.vmm(
        "[ $1 = --probe ] && { echo 'kvm: bare: no cmpxchg16b'; exit; }; echo 'bulkhead-vmm: KVM internal error' >&2; exit 1",
    );
    place.fails(
        &run,
        1,
        "this machine's KVM can't run Linux: no cmpxchg16b: in a clone of Bulkhead",
    );
    // Or is told to end, because it would never find out.
    place.vmm(
        "[ $1 = --probe ] && { echo 'kvm: none: of no use'; exit; }; trap 'exit 0' TERM; while :; do sleep 0.1; done",
    );
    place.fails(&run, 1, "this machine's KVM can't run Linux: of no use: in a clone of Bulkhead");
    place.vmm("kill -9 $$");
    place.fails(&run, 137, "bulkhead-vmm was killed by signal 9");
    // What it warns of is passed on, and no reason.
    let said = |script: &str| {
        place.vmm(script);
        String::from_utf8(place.bulkhead(&run).stderr).unwrap()
    };
    assert_eq!(
        said("[ \"$2 $3\" = '--id vm' ] && echo 'vm: 2 vCPUs did not stop' >&2; kill -9 $$"),
        "vm: 2 vCPUs did not stop\nbulkhead: bulkhead-vmm was killed by signal 9\n"
    );
    let said = said("echo 'bulkhead-vmm: KVM is odd' >&2; printf 'Kernel panic\\r\\n'; exit 0");
    assert!(
        said.starts_with("bulkhead-vmm: KVM is odd\nbulkhead: ")
            && said.ends_with("Kernel panic\n"),
        "{said}"
    );
    place.vmm("exit 0");
    place.fails(&run, 1, "the virtual machine ended before its guest reported");
}

#[test]
fn a_machine_s_lacks_are_told_with_their_remedies() {
    let place = Place::new();
    let check = |status, words: &[&str]| {
        let output = place.bulkhead(&["check"]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(status), "{told}");
        for word in words {
            assert!(told.contains(word), "{word} is not in: {told}");
        }
    };
    let nothing =
        ["bulkhead-vmm   missing", "guest kernel   missing", "run `cargo xtask run --arch"];
    check(1, &nothing);
    place.vmm("echo 'kvm: bare: no cmpxchg16b'");
    let folder = place.path("cache/bulkhead/kernels").join(Platform::NATIVE.architecture());
    fs::create_dir_all(&folder).unwrap();
    let name = if Platform::NATIVE == Platform::Amd64 { "vmlinux" } else { "Image" };
    fs::write(folder.join(name), kernel(Platform::NATIVE)).unwrap();
    check(1, &["can't run Linux: no cmpxchg16b", "`cargo xtask host`", text(&folder.join(name))]);
    place.vmm("case $1 in --probe) echo 'kvm: linux';; *) echo 'jail: complete';; esac");
    check(0, &["KVM            runs Linux\n", "jail           complete\n", "bin/guest-init\n"]);
    // A container runs without it too.
    place.vmm(
        "case $1 in --probe) echo 'kvm: linux';; *) echo 'jail: incomplete: no x (y): what allows it is z';; esac",
    );
    check(0, &["no x (y)", "  z\n"]);
}

#[test]
fn versions_are_told_in_any_form() {
    let place = Place::new();
    let says = |arguments: &[&str]| String::from_utf8(place.bulkhead(arguments).stdout).unwrap();
    let platform = Platform::NATIVE.to_string();
    let version = env!("CARGO_PKG_VERSION");
    let json: serde_json::Value =
        serde_json::from_str(&says(&["version", "--format", "json"])).unwrap();
    assert_eq!((&json["Version"], &json["Platform"]), (&version.into(), &platform.clone().into()));
    let both = format!("{version} {}\n", protocol::VERSION);
    assert_eq!(says(&["version", "-f", "{{.Version}} {{.Protocol}}"]), both);
    assert!(says(&["version"]).ends_with(&format!("Platform: {platform}\n")));
    place.fails(&["version", "--format", "{{.Nothing}}"], 2, "Nothing");
}

#[test]
fn a_console_in_the_background_is_bounded_as_the_log_is() {
    let place = Place::new();
    place.vmm(
        "[ $1 = --probe ] && exit 1; i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); printf 'console %0100d\\n' $i; done; exit 0",
    );
    let output = place.bulkhead(
        &[
            &[
                "run",
                "--detach",
                "--console",
                "--log-opt",
                "max-size=20K",
                "--log-opt",
                "max-file=3",
            ][..],
            &["--kernel", "kernel", "root", "--", "ls"],
        ]
        .concat(),
    );
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let folder = place.path("data/bulkhead/containers");
    let containers = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let container = containers.filter(|path| path.join("config.json").exists()).last().unwrap();
    let mut text = String::new();
    for name in ["supervisor.log.2", "supervisor.log.1", "supervisor.log"] {
        let part = fs::read_to_string(container.join(name)).unwrap();
        // What we warn of ourselves is not counted before it is said.
        assert!(part.len() <= 21 << 10, "{name}: {}", part.len());
        text += &part;
    }
    assert!(!container.join("supervisor.log.3").exists());
    // The last of it, without a gap.
    let numbers: Vec<u32> =
        text.lines().filter_map(|line| line.strip_prefix("console ")?.parse().ok()).collect();
    assert!(numbers.len() > 200, "{numbers:?}");
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    assert_eq!(numbers.last(), Some(&2000));
}
