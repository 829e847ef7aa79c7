//! From JSON to [`Config`]: each function reads one object of the schema, in the order
//! of Firecracker's documentation.

use serde_json::Value;

use super::json::{FieldError, Object};
use super::network::interface;
use super::{BootSource, Config, Drive, DriveSource, HugePages, Logger, Machine, Part, Vsock};

/// What Firecracker boots with where `boot_args` is absent
/// (`DEFAULT_KERNEL_CMDLINE` in its `vmm_config/boot_source.rs`).
const DEFAULT_BOOT_ARGS: &str = "reboot=k panic=1 nomodule 8250.nr_uarts=0 i8042.noaux \
                                 i8042.nomux i8042.dumbkbd swiotlb=noforce";
/// As many as the memory maps of both machines have room for.
const VCPUS: std::ops::RangeInclusive<u64> = 1..=32;
/// From the kernel's first megabyte plus the one below it, to what a memory slot can hold with room.
const MEMORY_MIB: std::ops::RangeInclusive<u64> = 2..=1 << 20;
/// The size of a huge page, of which guest memory is a whole number.
const HUGE_PAGE_MIB: u64 = 2;
/// The host's own and the reserved context identifiers (virtio 1.2 §5.10.4).
const FIRST_GUEST_CID: u64 = 3;
/// Parts of a disk begin and end at page boundaries, so that file data can be mapped.
const PART_ALIGNMENT: u64 = 4096;

pub(super) fn config(value: &Value) -> Result<Config, FieldError> {
    let mut top = Object::new("", value)?;
    let boot_source = match top.object("boot-source")? {
        Some(object) => boot_source(object)?,
        None => return Err(top.error("boot-source", "missing field, expected an object {…}")),
    };
    let mut drives = Vec::new();
    for object in top.list("drives")?.unwrap_or_default() {
        let drive = drive(object, &drives)?;
        // Firecracker puts the root device first, whatever its place in the list.
        drives.insert(if drive.root { 0 } else { drives.len() }, drive);
    }
    let machine = match top.object("machine-config")? {
        Some(object) => machine(object)?,
        // Firecracker's defaults.
        None => Machine { vcpus: 1, memory: 128 << 20, huge_pages: HugePages::None },
    };
    let vsock = top.object("vsock")?.map(vsock).transpose()?;
    let mut network = Vec::new();
    for object in top.list("network-interfaces")?.unwrap_or_default() {
        network.push(interface(object, &network)?);
    }
    let entropy = match top.object("entropy")? {
        Some(mut object) => {
            object.unsupported("rate_limiter")?;
            object.finish()?;
            true
        }
        None => false,
    };
    let logger = top.object("logger")?.map_or_else(|| Ok(Logger::default()), logger)?;
    for name in ["balloon", "cpu-config", "memory-hotplug", "metrics", "mmds-config", "pmem"] {
        top.unsupported(name)?;
    }
    top.finish()?;
    Ok(Config { boot_source, drives, machine, vsock, network, entropy, logger })
}

fn boot_source(mut object: Object) -> Result<BootSource, FieldError> {
    let kernel: String = object.required("kernel_image_path")?;
    let initrd: Option<String> = object.optional("initrd_path")?;
    let args = object.optional("boot_args")?.unwrap_or_else(|| DEFAULT_BOOT_ARGS.to_owned());
    object.finish()?;
    Ok(BootSource { kernel: kernel.into(), initrd: initrd.map(Into::into), args })
}

fn drive(mut object: Object, others: &[Drive]) -> Result<Drive, FieldError> {
    let id: String = object.required("drive_id")?;
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(object.error("drive_id", format!("{id:?}: expected letters, digits and `_`")));
    }
    if others.iter().any(|other| other.id == id) {
        let problem = format!("{id:?}: expected a name that no other drive has");
        return Err(object.error("drive_id", problem));
    }
    let path: Option<String> = object.optional("path_on_host")?;
    let parts = object.list("parts")?;
    let root = object.required("is_root_device")?;
    if root && others.iter().any(|other| other.root) {
        return Err(object.error("is_root_device", "true: expected at most one root device"));
    }
    let partuuid = object.optional("partuuid")?;
    let read_only = object.optional("is_read_only")?.unwrap_or(false);
    let cache = object.word("cache_type", &[("Unsafe", false), ("Writeback", true)])?;
    if object.word("io_engine", &[("Sync", false), ("Async", true)])? == Some(true) {
        return Err(object.error("io_engine", "\"Async\" is not supported yet: use \"Sync\""));
    }
    object.unsupported("rate_limiter")?;
    object.unsupported("socket")?;
    let source = match (path, parts) {
        (Some(path), None) => DriveSource::File(path.into()),
        (None, Some(parts)) => {
            if parts.is_empty() {
                return Err(object.error("parts", "[]: expected at least one part"));
            }
            if !read_only {
                return Err(object.error("is_read_only", "expected true: parts are read-only"));
            }
            DriveSource::Parts(parts.into_iter().map(part).collect::<Result<_, _>>()?)
        }
        (None, None) => {
            return Err(object.error("path_on_host", "missing field, expected this or `parts`"));
        }
        (Some(_), Some(_)) => {
            return Err(object.error("parts", "expected either this or `path_on_host`, not both"));
        }
    };
    object.finish()?;
    Ok(Drive { id, source, root, partuuid, read_only, flush: cache.unwrap_or(false) })
}

fn part(mut object: Object) -> Result<Part, FieldError> {
    let path: String = object.required("path")?;
    let offset: u64 = object.required("offset")?;
    let length: u64 = object.required("length")?;
    for (name, value) in [("offset", offset), ("length", length)] {
        if value % PART_ALIGNMENT != 0 {
            let problem = format!("{value}: expected a multiple of {PART_ALIGNMENT}");
            return Err(object.error(name, problem));
        }
    }
    if length == 0 || offset.checked_add(length).is_none_or(|end| end > i64::MAX as u64) {
        let problem = format!("{length}: expected a length that is not 0 and stays inside a file");
        return Err(object.error("length", problem));
    }
    object.finish()?;
    Ok(Part { path: path.into(), offset, length })
}

fn machine(mut object: Object) -> Result<Machine, FieldError> {
    let vcpus: u64 = object.required("vcpu_count")?;
    if !VCPUS.contains(&vcpus) {
        let problem = format!("{vcpus}: expected {} to {}", VCPUS.start(), VCPUS.end());
        return Err(object.error("vcpu_count", problem));
    }
    let memory: u64 = object.required("mem_size_mib")?;
    if !MEMORY_MIB.contains(&memory) {
        let (least, most) = (MEMORY_MIB.start(), MEMORY_MIB.end());
        let problem = format!("{memory}: expected {least} to {most} (MiB)");
        return Err(object.error("mem_size_mib", problem));
    }
    let huge_pages = object.word(
        "huge_pages",
        &[
            ("None", HugePages::None),
            ("Transparent", HugePages::Transparent),
            ("2M", HugePages::Reserved2M),
        ],
    )?;
    let huge_pages = huge_pages.unwrap_or_default();
    if huge_pages != HugePages::None && !memory.is_multiple_of(HUGE_PAGE_MIB) {
        let problem = format!("{memory}: expected a multiple of {HUGE_PAGE_MIB} with `huge_pages`");
        return Err(object.error("mem_size_mib", problem));
    }
    for name in ["smt", "cpu_template", "track_dirty_pages"] {
        object.unsupported(name)?;
    }
    object.finish()?;
    Ok(Machine { vcpus: vcpus as u32, memory: memory << 20, huge_pages })
}

fn vsock(mut object: Object) -> Result<Vsock, FieldError> {
    let guest_cid: u64 = object.required("guest_cid")?;
    let last = u64::from(u32::MAX) - 1; // u32::MAX means "any" (VMADDR_CID_ANY)
    if !(FIRST_GUEST_CID..=last).contains(&guest_cid) {
        let problem = format!("{guest_cid}: expected {FIRST_GUEST_CID} to {last}");
        return Err(object.error("guest_cid", problem));
    }
    let uds_path: String = object.required("uds_path")?;
    // Firecracker still takes this name, and ignores it.
    let _: Option<String> = object.optional("vsock_id")?;
    object.finish()?;
    Ok(Vsock { guest_cid: guest_cid as u32, uds_path: uds_path.into() })
}

fn logger(mut object: Object) -> Result<Logger, FieldError> {
    let default = Logger::default();
    let path: Option<String> = object.optional("log_path")?;
    let level = match object.optional::<String>("level")? {
        None => default.level,
        Some(text) => match text.to_ascii_lowercase().as_str() {
            "off" => log::LevelFilter::Off,
            "error" => log::LevelFilter::Error,
            "warn" | "warning" => log::LevelFilter::Warn,
            "info" => log::LevelFilter::Info,
            "debug" => log::LevelFilter::Debug,
            "trace" => log::LevelFilter::Trace,
            _ => {
                let problem = format!("{text:?}: expected Off, Error, Warn, Info, Debug or Trace");
                return Err(object.error("level", problem));
            }
        },
    };
    let show_level = object.optional("show_level")?.unwrap_or(default.show_level);
    let show_origin = object.optional("show_log_origin")?.unwrap_or(default.show_origin);
    let module = object.optional("module")?;
    object.finish()?;
    Ok(Logger { path: path.map(Into::into), level, show_level, show_origin, module })
}
