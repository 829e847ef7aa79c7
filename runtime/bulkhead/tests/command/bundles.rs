//! What a bundle holds, and the files that are made for it.

use super::*;

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
