mod network;

use proptest::prelude::*;

use super::*;

/// The example of Firecracker's own getting-started guide, without its network.
const FIRECRACKER: &str = r#"{
    "boot-source": {
        "kernel_image_path": "vmlinux.bin",
        "boot_args": "console=ttyS0 reboot=k panic=1 pci=off",
        "initrd_path": null
    },
    "drives": [{
        "drive_id": "rootfs",
        "partuuid": null,
        "is_root_device": true,
        "cache_type": "Unsafe",
        "is_read_only": false,
        "path_on_host": "bionic.rootfs.ext4",
        "io_engine": "Sync",
        "rate_limiter": null,
        "socket": null
    }],
    "machine-config": {
        "vcpu_count": 2,
        "mem_size_mib": 1024,
        "smt": false,
        "track_dirty_pages": false,
        "huge_pages": "None"
    },
    "cpu-config": null,
    "balloon": null,
    "network-interfaces": [],
    "vsock": {"guest_cid": 3, "uds_path": "./v.sock"},
    "logger": {"log_path": "fc.log", "level": "Info", "show_level": true, "show_log_origin": true},
    "metrics": null,
    "mmds-config": null,
    "entropy": {},
    "pmem": [],
    "memory-hotplug": null
}"#;

fn parse(json: &str) -> Result<Config, String> {
    let value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    read::config(&value).map_err(|error| error.to_string())
}

/// A configuration with these additional top-level fields.
fn with(more: &str) -> Result<Config, String> {
    parse(&format!(r#"{{"boot-source": {{"kernel_image_path": "k"}}, {more}}}"#))
}

#[test]
fn huge_pages_have_firecrackers_words() {
    for (word, huge_pages) in [
        (r#""None""#, HugePages::None),
        (r#""Transparent""#, HugePages::Transparent),
        (r#""2M""#, HugePages::Reserved2M),
        ("null", HugePages::None),
    ] {
        let machine = format!(r#"{{"vcpu_count": 1, "mem_size_mib": 64, "huge_pages": {word}}}"#);
        let config = with(&format!(r#""machine-config": {machine}"#)).unwrap();
        assert_eq!(config.machine, Machine { vcpus: 1, memory: 64 << 20, huge_pages });
    }
    // Small pages make up any number of MiB.
    with(r#""machine-config": {"vcpu_count": 1, "mem_size_mib": 65, "huge_pages": "None"}"#)
        .unwrap();
}

fn drives(list: &str) -> Result<Config, String> {
    with(&format!(r#""drives": [{list}]"#))
}

#[test]
fn firecrackers_file_means_the_same_here() {
    let config = parse(FIRECRACKER).unwrap();
    assert_eq!(config.command_line(), "console=ttyS0 reboot=k panic=1 pci=off root=/dev/vda rw");
    assert_eq!(config.machine, Machine { vcpus: 2, memory: 1 << 30, huge_pages: HugePages::None });
    assert_eq!(config.drives[0].source, DriveSource::File("bionic.rootfs.ext4".into()));
    assert!(!config.drives[0].flush && !config.drives[0].read_only);
    assert_eq!(config.vsock, Some(Vsock { guest_cid: 3, uds_path: "./v.sock".into() }));
    assert!(config.entropy);
    assert_eq!(config.logger.level, log::LevelFilter::Info);
}

#[test]
fn what_is_left_out_has_firecrackers_defaults() {
    let config = with(r#""drives": []"#).unwrap();
    assert_eq!(
        config.machine,
        Machine { vcpus: 1, memory: 128 << 20, huge_pages: HugePages::None }
    );
    assert!(config.command_line().starts_with("reboot=k panic=1 nomodule "));
    assert_eq!((config.vsock, config.entropy), (None, false));
}

#[test]
fn the_root_device_comes_first_and_names_itself_to_the_kernel() {
    let config = drives(
        r#"{"drive_id": "a", "path_on_host": "a", "is_root_device": false},
           {"drive_id": "b", "path_on_host": "b", "is_root_device": true, "is_read_only": true,
            "partuuid": "0eaa91a0-01"}"#,
    )
    .unwrap();
    let ids: Vec<_> = config.drives.iter().map(|drive| &*drive.id).collect();
    assert_eq!(ids, ["b", "a"]);
    assert!(config.command_line().ends_with(" root=PARTUUID=0eaa91a0-01 ro"));
}

#[test]
fn a_drive_can_be_made_of_parts() {
    let config = drives(
        r#"{"drive_id": "image", "is_root_device": false, "is_read_only": true, "parts": [
            {"path": "meta", "offset": 0, "length": 8192},
            {"path": "blob", "offset": 4096, "length": 4096}]}"#,
    )
    .unwrap();
    let part = |path: &str, offset, length| Part { path: path.into(), offset, length };
    let parts = vec![part("meta", 0, 8192), part("blob", 4096, 4096)];
    assert_eq!(config.drives[0].source, DriveSource::Parts(parts));
}

/// Each of these is one mistake; the message is all that a person gets.
#[test]
fn mistakes_are_named_with_field_value_and_remedy() {
    let drive = r#""drive_id": "a", "is_root_device": false"#;
    let parts =
        |parts: &str| drives(&format!(r#"{{{drive}, "is_read_only": true, "parts": {parts}}}"#));
    for (result, message) in [
        (parse("[]"), "top level: a list: expected an object {…}"),
        (parse("{}"), "boot-source: missing field, expected an object {…}"),
        (
            parse(r#"{"boot-source": {}}"#),
            "boot-source.kernel_image_path: missing field, expected a string",
        ),
        (with(r#""drives": {}"#), "drives: an object: expected a list […]"),
        (
            with(r#""entropy": {"rate_limiter": {}}"#),
            "entropy.rate_limiter: not supported yet: leave it out",
        ),
        (
            with(r#""machine-config": {"vcpu_count": 0, "mem_size_mib": 64}"#),
            "machine-config.vcpu_count: 0: expected 1 to 32",
        ),
        (
            with(r#""machine-config": {"vcpu_count": 33, "mem_size_mib": 64}"#),
            "machine-config.vcpu_count: 33: expected 1 to 32",
        ),
        (
            with(r#""machine-config": {"vcpu_count": "2", "mem_size_mib": 64}"#),
            "machine-config.vcpu_count: \"2\": expected a whole number",
        ),
        (
            with(r#""machine-config": {"vcpu_count": 1, "mem_size_mib": 1}"#),
            "machine-config.mem_size_mib: 1: expected 2 to 1048576 (MiB)",
        ),
        (
            with(r#""machine-config": {"vcpu_count": 1, "mem_size_mib": 64, "huge_pages": "1G"}"#),
            "machine-config.huge_pages: \"1G\": expected \"None\" or \"Transparent\" or \"2M\"",
        ),
        (
            with(r#""machine-config": {"vcpu_count": 1, "mem_size_mib": 65, "huge_pages": "2M"}"#),
            "machine-config.mem_size_mib: 65: expected a multiple of 2 with `huge_pages`",
        ),
        (
            with(r#""vsock": {"guest_cid": 2, "uds_path": "v"}"#),
            "vsock.guest_cid: 2: expected 3 to 4294967294",
        ),
        (
            with(r#""logger": {"level": "loud"}"#),
            "logger.level: \"loud\": expected Off, Error, Warn, Info, Debug or Trace",
        ),
        (
            drives(r#"{"drive_id": "a/b", "is_root_device": false}"#),
            "drives[0].drive_id: \"a/b\": expected letters, digits and `_`",
        ),
        (
            drives(&format!("{{{drive}}}")),
            "drives[0].path_on_host: missing field, expected this or `parts`",
        ),
        (
            drives(&format!(r#"{{{drive}, "path_on_host": "x", "is_read_only": 3}}"#)),
            "drives[0].is_read_only: 3: expected true or false",
        ),
        (
            drives(&format!(r#"{{{drive}, "path_on_host": "x", "cache_type": "Safe"}}"#)),
            "drives[0].cache_type: \"Safe\": expected \"Unsafe\" or \"Writeback\"",
        ),
        (
            drives(&format!(r#"{{{drive}, "path_on_host": "x", "io_engine": "Async"}}"#)),
            "drives[0].io_engine: \"Async\" is not supported yet: use \"Sync\"",
        ),
        (
            drives(&format!(
                r#"{{{drive}, "path_on_host": "x"}}, {{{drive}, "path_on_host": "y"}}"#
            )),
            "drives[1].drive_id: \"a\": expected a name that no other drive has",
        ),
        (
            drives(&format!(
                r#"{{{drive}, "parts": [{{"path": "x", "offset": 0, "length": 4096}}]}}"#
            )),
            "drives[0].is_read_only: expected true: parts are read-only",
        ),
        (parts("[]"), "drives[0].parts: []: expected at least one part"),
        (
            parts(r#"[{"path": "x", "offset": 1, "length": 4096}]"#),
            "drives[0].parts[0].offset: 1: expected a multiple of 4096",
        ),
        (
            parts(r#"[{"path": "x", "offset": 0, "length": 0}]"#),
            "drives[0].parts[0].length: 0: expected a length that is not 0 and stays inside a file",
        ),
    ] {
        assert_eq!(result.unwrap_err(), message);
    }
    let error =
        drives(&format!(r#"{{{drive}, "path_on_host": "x", "pathOnHost": "x"}}"#)).unwrap_err();
    assert!(
        error.starts_with(
            "drives[0].pathOnHost: unknown field, expected one of `drive_id`, `path_on_host`"
        ),
        "{error}"
    );
}

#[test]
fn a_file_that_is_no_json_is_named_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vm.json");
    std::fs::write(&file, "{\n  \"boot-source\": ,\n}").unwrap();
    let text = Config::load(&file).unwrap_err().to_string();
    assert!(
        text.contains("vm.json: not valid JSON") && text.ends_with("line 2 column 18"),
        "{text}"
    );
    let text = Config::load(&folder.path().join("none")).unwrap_err().to_string();
    assert!(text.contains("none: cannot read"), "{text}");
}

/// Any JSON, with the schema's names in it.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "[a-zA-Z\n]{0,8}".prop_map(Into::into),
    ];
    let name = prop::sample::select(vec![
        "boot-source",
        "kernel_image_path",
        "drives",
        "drive_id",
        "parts",
        "path",
        "offset",
        "length",
        "is_root_device",
        "is_read_only",
        "machine-config",
        "vcpu_count",
        "mem_size_mib",
        "huge_pages",
        "vsock",
        "guest_cid",
        "uds_path",
        "logger",
        "level",
        "entropy",
        "balloon",
        "other",
    ]);
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec((name.clone(), inner), 0..8).prop_map(|fields| {
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}

proptest! {
    /// Whatever the file holds, the answer is a configuration or one line.
    #[test]
    fn any_json_is_read_or_refused_in_one_line(value in json()) {
        if let Err(error) = read::config(&value) {
            prop_assert!(!error.to_string().contains('\n'));
        }
    }
}
