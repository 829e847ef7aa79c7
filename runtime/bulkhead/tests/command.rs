//! The command itself: what it says about bad input, and what it leaves behind, up to the start of a VM.

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{assert_refused, text};
use flate2::Compression;
use flate2::write::GzEncoder;
use host::platform::Platform;

/// A place to run the command in: a cache, a folder for running VMs, a copy of the command, and programs beside it.
struct Place {
    work: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// The start of a program's file for this platform, and what follows.
fn elf(platform: Platform, rest: &str) -> Vec<u8> {
    let machine: u16 = match platform {
        Platform::Amd64 => 62,
        Platform::Arm64 => 183,
    };
    [b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0", &machine.to_le_bytes()[..], rest.as_bytes()]
        .concat()
}

/// What is taken for a kernel for this platform, until the VMM looks at it.
fn kernel(platform: Platform) -> Vec<u8> {
    match platform {
        Platform::Amd64 => elf(platform, "and more"),
        Platform::Arm64 => [&[0; 56][..], b"ARM\x64", &[0; 4]].concat(),
    }
}

/// One test at a time: a program that one thread still writes, when another forks, stays open in the child until its
/// `exec`, and to start the program then fails with ETXTBSY.
static TURN: Mutex<()> = Mutex::new(());

impl Place {
    fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Self { work: tempfile::tempdir().unwrap(), _turn: turn };
        for folder in ["bin", "cache", "path", "run", "root"] {
            fs::create_dir(place.path(folder)).unwrap();
        }
        fs::copy(env!("CARGO_BIN_EXE_bulkhead"), place.path("bin/bulkhead")).unwrap();
        fs::write(place.path("bin/guest-init"), elf(Platform::NATIVE, "an init")).unwrap();
        fs::write(place.path("root/file"), "a root file system").unwrap();
        fs::write(place.path("kernel"), kernel(Platform::NATIVE)).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    /// Let the VMM be this shell script.
    fn vmm(&self, script: &str) {
        let path = self.path("bin/bulkhead-vmm");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn bulkhead(&self, arguments: &[&str]) -> Output {
        Command::new(self.path("bin/bulkhead"))
            .args(arguments)
            .current_dir(self.work.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("PATH", format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", text(&self.path("path"))))
            .output()
            .unwrap()
    }

    /// The command fails with this status, one line that contains `message`, and nothing left behind.
    fn fails(&self, arguments: &[&str], status: i32, message: &str) {
        let output = self.bulkhead(arguments);
        assert_refused(&output, arguments, status, message);
        let run = self.path("run/bulkhead");
        let left = fs::read_dir(run).map_or(0, |entries| entries.count());
        assert_eq!(left, 0, "{arguments:?}");
    }
}

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
    let run = ["run", "--kernel", "kernel", "root", "--", "ls"];
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
fn a_bundle_says_what_the_flags_said() {
    let place = Place::new();
    let flags =
        ["--kernel", "kernel", "--cpus", "4", "--memory", "1G", "--console", "--scratch", "64M"];
    let arguments =
        [&["prepare", "--out", "b.json"], &flags[..], &["root", "--", "ls", "-l"]].concat();
    let output = place.bulkhead(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bundle: serde_json::Value =
        serde_json::from_slice(&fs::read(place.path("b.json")).unwrap()).unwrap();
    let vm = &bundle["vm"];
    assert_eq!(vm["machine-config"]["vcpu_count"], 4);
    // What the kernel takes comes on top.
    assert_eq!(bundle["setting"]["memory"], 1 << 30);
    let mib = vm["machine-config"]["mem_size_mib"].as_u64().unwrap();
    assert!(mib > 1024 + 32 && mib < 1024 + 192 && mib.is_multiple_of(2), "{mib}");
    assert_eq!(vm["drives"][0]["is_read_only"], true);
    assert_eq!(bundle["scratch"], 64 << 20);
    let boot_args = vm["boot-source"]["boot_args"].as_str().unwrap();
    assert!(
        !boot_args.split(' ').any(|word| word == "quiet"),
        "the console is wanted: {boot_args}"
    );
    for file in [&vm["boot-source"]["kernel_image_path"], &vm["boot-source"]["initrd_path"]] {
        let path = Path::new(file.as_str().unwrap());
        assert!(path.is_absolute() && path.is_file(), "{}", text(path));
    }
    // The same again is the same files; nothing is made twice.
    let again = place.bulkhead(&arguments);
    assert!(again.status.success());
    let second: serde_json::Value =
        serde_json::from_slice(&fs::read(place.path("b.json")).unwrap()).unwrap();
    assert_eq!(bundle, second);
    // It holds the process's environment, which is nobody else's to read: also where the file was there before.
    use std::os::unix::fs::PermissionsExt;
    let mode = || fs::metadata(place.path("b.json")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    fs::set_permissions(place.path("b.json"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(place.bulkhead(&arguments).status.success());
    assert_eq!(mode(), 0o600);
    let to_a_pipe = [&["prepare", "--out", "/dev/stdout"], &arguments[3..]].concat();
    let printed = place.bulkhead(&to_a_pipe).stdout;
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&printed).unwrap(), bundle);
}

#[test]
fn a_default_image_is_taken_only_where_none_is_named() {
    let place = Place::new();
    fs::create_dir(place.path("other")).unwrap();
    fs::write(place.path("other/file"), "another root file system").unwrap();
    let disk = |words: &[&str]| {
        let flags = ["prepare", "--out", "b.json", "--kernel", "kernel", "--entrypoint", "ls"];
        let output = place.bulkhead(&[&flags[..], words].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let bundle = fs::read(place.path("b.json")).unwrap();
        let bundle: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
        bundle["vm"]["drives"][0].clone()
    };
    let default = ["--default-image", "root"];
    assert_eq!(disk(&default), disk(&["root"]));
    assert_eq!(disk(&[&default[..], &["--cpus", "2", "other"]].concat()), disk(&["other"]));
    assert_ne!(disk(&default), disk(&["other"]));
}

#[test]
fn a_bundle_for_another_machine_has_nothing_of_this_one() {
    let place = Place::new();
    let here = Platform::NATIVE;
    let there = if here == Platform::Amd64 { Platform::Arm64 } else { Platform::Amd64 };
    let platform = there.to_string();
    fs::write(place.path("kernel-there"), kernel(there)).unwrap();
    let prepare = |kernel| {
        [
            "prepare",
            "--platform",
            &platform,
            "--kernel",
            kernel,
            "--out",
            "b.json",
            "root",
            "--",
            "ls",
        ]
    };
    let missing = format!("a guest-init for {there} is neither beside");
    place.fails(&prepare("kernel-there"), 1, &missing);
    fs::write(place.path("path/guest-init"), elf(there, "another init")).unwrap();
    let output = place.bulkhead(&prepare("kernel-there"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bundle: serde_json::Value =
        serde_json::from_slice(&fs::read(place.path("b.json")).unwrap()).unwrap();
    let source = &bundle["vm"]["boot-source"];
    assert_eq!(bundle["platform"], platform);
    assert!(source["kernel_image_path"].as_str().unwrap().ends_with("/kernel-there"));
    let initramfs = fs::read(source["initrd_path"].as_str().unwrap()).unwrap();
    assert!(initramfs.windows(12).any(|window| window == b"another init"));
    let console = if there == Platform::Arm64 { "console=ttyAMA0 " } else { "console=ttyS0 " };
    assert!(source["boot_args"].as_str().unwrap().contains(console), "{source}");

    let refused = format!("b.json is for {there}, this machine runs {here}: prepare it with");
    place.fails(&["run", "--bundle", "b.json"], 1, &refused);
    let (here, there) = (here.architecture(), there.architecture());
    let refused = format!("kernel kernel is for {here}, this VM runs {there}: give");
    place.fails(&prepare("kernel"), 1, &refused);
    let refused = format!("kernel kernel-there is for {there}, this VM runs {here}: give");
    place.fails(&["run", "--kernel", "kernel-there", "root", "--", "ls"], 1, &refused);
    place.fails(&["prepare", "--platform", "linux/riscv64", "x"], 2, "'linux/riscv64'");
}

#[test]
fn a_packed_image_is_unpacked_once() {
    let place = Place::new();
    fs::write(place.path("path/guest-init"), elf(Platform::Arm64, "init")).unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&kernel(Platform::Arm64)).unwrap();
    let gzip = gzip.finish().unwrap();
    let [offset, len] = [64, gzip.len() as u32].map(u32::to_le_bytes);
    let zboot = [b"MZ\0\0zimg", &offset[..], &len, &[0; 8], b"gzip", &[0; 36], &gzip].concat();
    let prepare = |platform, name| {
        ["prepare", "--platform", platform, "--kernel", name, "--out", "b.json", "root", "--", "ls"]
    };
    for (name, packed) in [("Image.gz", gzip), ("vmlinuz.efi", zboot)] {
        fs::write(place.path(name), &packed).unwrap();
        let unpacked = || {
            let output = place.bulkhead(&prepare("linux/arm64", name));
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let bundle = fs::read(place.path("b.json")).unwrap();
            let bundle: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
            let path =
                bundle["vm"]["boot-source"]["kernel_image_path"].as_str().unwrap().to_owned();
            assert!(fs::read(&path).unwrap() == kernel(Platform::Arm64), "{path}");
            (fs::metadata(&path).unwrap().modified().unwrap(), path)
        };
        assert_eq!(unpacked(), unpacked());
        fs::write(place.path(name), &packed[..packed.len() - 1]).unwrap();
        place.fails(&prepare("linux/arm64", name), 1, &format!("kernel {name}: "));
        let refused = format!("kernel {name} starts with");
        place.fails(&prepare("linux/amd64", name), 1, &refused);
    }
}

#[test]
fn the_initramfs_has_init_and_modules_in_order() {
    let place = Place::new();
    let modules = place.path("mods");
    fs::create_dir(&modules).unwrap();
    fs::write(modules.join("01-second.ko"), "second module").unwrap();
    fs::write(modules.join("00-first.ko"), "first module").unwrap();
    fs::write(modules.join("README"), "not a module").unwrap();
    let arguments = [
        "prepare",
        "--kernel",
        "kernel",
        "--modules",
        "mods",
        "--out",
        "b.json",
        "root",
        "--",
        "ls",
    ];
    let prepared = || {
        let output = place.bulkhead(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let bundle = fs::read(place.path("b.json")).unwrap();
        let bundle: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
        let path = bundle["vm"]["boot-source"]["initrd_path"].as_str().unwrap().to_owned();
        (fs::metadata(&path).unwrap().modified().unwrap(), path)
    };
    let made = prepared();
    assert_eq!(prepared(), made);
    let bytes = fs::read(&made.1).unwrap();
    assert_eq!(bytes.len() % 4096, 0);
    let at = |needle: &str| {
        let found = bytes.windows(needle.len()).position(|window| window == needle.as_bytes());
        found.unwrap_or_else(|| panic!("{needle} is not in the archive"))
    };
    assert!(at("an init") < at("modules/00-first.ko"));
    assert!(at("first module") < at("modules/01-second.ko"));
    assert!(!bytes.windows(12).any(|window| window == b"not a module"));

    fs::write(modules.join("01-second.ko"), "SECOND module").unwrap();
    let bytes = fs::read(prepared().1).unwrap();
    assert!(bytes.windows(13).any(|window| window == b"SECOND module"));
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
    place.vmm("echo 'kvm: linux'");
    check(0, &["KVM            runs Linux\n", "bin/guest-init\n"]);
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
    assert_eq!(says(&["version", "-f", "{{.Version}} {{.Protocol}}"]), format!("{version} 2\n"));
    assert!(says(&["version"]).ends_with(&format!("Platform: {platform}\n")));
    place.fails(&["version", "--format", "{{.Nothing}}"], 2, "Nothing");
}

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
