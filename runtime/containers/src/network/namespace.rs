//! A network namespace of a container's own, for whoever makes networks in one: netavark, for `bulkhead network`.
//!
//! It is a folder below the runtime's, with the namespace mounted on a file in it, as `ip netns add` has it; whoever
//! has the folder locked owns it. One without a lock is a dead owner's. It isn't simply removed: firewall rules,
//! addresses and names that were made for it outside are undone by a program that wants the namespace still there. So a
//! dead owner's is adopted, with what its owner has written in its folder, and goes away like one's own.
//!
//! # How `bulkhead network` uses it with netavark
//!
//! Tried with 1.4.0 (bookworm) in a namespace of its own:
//!
//! 1. [`OwnNamespace::new`], then the JSON for netavark is written to its [folder](OwnNamespace::folder), whole, before
//!    anything is made: teardown wants the same.
//! 2. `netavark --config DIR --aardvark-binary PATH setup NAMESPACE`, with the JSON at stdin: `container_id`,
//!    `container_name`, `networks` (by name: `interface_name`, `static_ips`), `network_info` (by the same name: `id`,
//!    `name`, `driver`, `network_interface`, `subnets` with `subnet`, `ipv6_enabled`, `internal`, `dns_enabled`).
//!    Without one of them it refuses; `static_mac`, `aliases`, `gateway`, `ipam_options`, `options` and `port_mappings`
//!    may be left out. A port has all of `container_port`, `host_port`, `host_ip` (`""` is every address), `protocol`
//!    and `range`.
//! 3. Status 0: one JSON object at stdout, by network: `interfaces` (by name: `mac_address`, `subnets` with `ipnet` and
//!    `gateway`), `dns_server_ips`, `dns_search_domains`. Else status 1 and `{"error": "…"}`, at stdout as well; the text
//!    may have line breaks. A `setup` that fails half-way leaves bridge, veth and rules: `teardown` follows.
//! 4. [`attach`](crate::network::attach::attach) to [`path`](OwnNamespace::path) reads what the guest is told; of the
//!    answer only the name servers are needed.
//! 5. At the end: the attachment is undone, `teardown` with the same JSON, then this is dropped. The bridge goes with
//!    its last container. Where the namespace or the interface in it is gone, teardown fails with status 1 and leaves
//!    bridge, rules and published ports; `setup` and `teardown` in another namespace, with the same JSON, remove them.
//! 6. At each start: [`OwnNamespace::adopt_dead`], and 5. for each.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::mount::{UnmountFlags, mount_bind, unmount};

use super::netns::Netns;

/// The start of the name of each folder.
const PREFIX: &str = "net-";

/// The file that the namespace is mounted on.
const NAMESPACE: &str = "namespace";

/// Why there is no namespace.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// A file or a folder cannot be dealt with.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The kernel makes none.
    #[error("cannot make a network namespace (as root only: CAP_SYS_ADMIN)")]
    Make(#[source] io::Error),
}

fn failed<'p>(action: &'static str, path: &'p Path) -> impl Fn(io::Error) -> NamespaceError + 'p {
    move |source| NamespaceError::File { action, path: path.to_owned(), source }
}

/// A namespace that goes away with this value, unless somebody is still in it.
#[derive(Debug)]
pub struct OwnNamespace {
    folder: PathBuf,
    /// Locked; the lock ends with the file, and so with this process.
    _lock: File,
}

impl OwnNamespace {
    /// A new one, below `base`, which is made where it isn't there. Its loopback interface is down, and it has no
    /// other.
    pub fn new(base: &Path) -> Result<Self, NamespaceError> {
        let base_lock = lock(base)?;
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(base)
            .map_err(failed("make a folder in", base))?;
        let file = File::open(folder.path()).map_err(failed("open", folder.path()))?;
        flock(&file, FlockOperation::LockExclusive)
            .map_err(|error| failed("lock", folder.path())(error.into()))?;
        drop(base_lock);
        // From here on it goes away as one of ours.
        let namespace = Self { folder: folder.keep(), _lock: file };
        let path = namespace.path();
        File::create_new(&path).map_err(failed("make", &path))?;
        let made = Netns::new().map_err(NamespaceError::Make)?;
        mount_bind(made.path(), &path).map_err(|error| NamespaceError::Make(error.into()))?;
        Ok(namespace)
    }

    /// Those below `base` whose owners are dead. This process owns them from now on.
    pub fn adopt_dead(base: &Path) -> Vec<Self> {
        let mut dead = Vec::new();
        if !base.is_dir() {
            return dead;
        }
        let Ok(_lock) = lock(base) else { return dead };
        for entry in fs::read_dir(base).into_iter().flatten().flatten() {
            let folder = entry.path();
            if !entry.file_name().to_string_lossy().starts_with(PREFIX) || !folder.is_dir() {
                continue;
            }
            let Ok(file) = File::open(&folder) else { continue };
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                dead.push(Self { folder, _lock: file });
            }
        }
        dead
    }

    /// Where the namespace is. Of one whose owner died while it made it, it may be an empty file, or nothing.
    pub fn path(&self) -> PathBuf {
        self.folder.join(NAMESPACE)
    }

    /// A folder for what belongs to it. It goes away with it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for OwnNamespace {
    fn drop(&mut self) {
        // What cannot be removed now can be next time.
        let _ = unmount(self.path(), UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Locks the folder of all: none is seen between its making and its locking.
fn lock(base: &Path) -> Result<File, NamespaceError> {
    // After a start of this machine the folder that it is in is not there either.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(base);
    made.map_err(failed("make", base))?;
    let lock = File::open(base).map_err(failed("open", base))?;
    flock(&lock, FlockOperation::LockExclusive)
        .map_err(|error| failed("lock", base)(error.into()))?;
    Ok(lock)
}

#[cfg(test)]
mod tests;
