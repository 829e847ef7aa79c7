//! The VM's configuration file.

use std::path::Path;

use hypervisor::config::{Config, ConfigError, DriveSource};

use crate::files::{file, path_of};

/// A file that is read is one that a VM can be made of.
pub fn config(bytes: &[u8]) {
    let file = file(bytes);
    let path = path_of(&file);
    match Config::load(Path::new(&path)) {
        Ok(config) => check(&config),
        Err(error @ ConfigError::Read { .. }) => panic!("{error}"),
        // It names the file, which is how a person finds it.
        Err(error) => assert!(error.to_string().starts_with(&path)),
    }
}

fn check(config: &Config) {
    assert!((1..=32).contains(&config.machine.vcpus));
    assert!(config.machine.memory.is_multiple_of(1 << 20) && config.machine.memory >= 2 << 20);
    assert!(config.drives.iter().skip(1).all(|drive| !drive.root), "the root device comes first");
    for drive in &config.drives {
        let DriveSource::Parts(parts) = &drive.source else { continue };
        assert!(drive.read_only && !parts.is_empty());
        for part in parts {
            assert!(part.offset.is_multiple_of(4096) && part.length.is_multiple_of(4096));
            let end = part.offset.checked_add(part.length);
            assert!(part.length > 0 && end.is_some_and(|end| i64::try_from(end).is_ok()));
        }
    }
    if let Some(vsock) = &config.vsock {
        assert!((3..u32::MAX).contains(&vsock.guest_cid));
    }
    let line = config.command_line();
    assert!(line.starts_with(&config.boot_source.args));
    let root = config.drives.first().is_some_and(|drive| drive.root);
    assert_eq!(root, line.len() > config.boot_source.args.len());
}
