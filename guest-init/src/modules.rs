//! Kernel modules, for a kernel that has its drivers in files.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::io::Errno;

use crate::log::log;

/// Where the initramfs has them, named so that the order of the names is the order to load them in.
pub const FOLDER: &str = "/modules";

/// Loads every file of `folder`. A kernel that has everything built in comes without the folder. A module that does
/// not load is told and passed over: what needed it will fail in clearer words.
pub fn load_all(folder: &Path, load: impl Fn(&File) -> Result<(), Errno>) {
    let mut files: Vec<_> = match fs::read_dir(folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => return log(format_args!("{}: {error}", folder.display())),
    };
    files.sort();
    for file in files {
        match File::open(&file).and_then(|open| load(&open).map_err(io::Error::from)) {
            Ok(()) => {}
            // finit_module(2): it is there already, built in or loaded.
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
            Err(error) => log(format_args!("module {}: {error}", file.display())),
        }
    }
}

/// finit_module(2) without parameters.
pub fn load(file: &File) -> Result<(), Errno> {
    rustix::system::finit_module(file, c"", 0)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::Read;

    use super::*;

    #[test]
    fn name_order_and_every_one_in_spite_of_errors() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["10-erofs.ko", "02-virtio.ko", "01-lib.ko"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let loaded = RefCell::new(Vec::new());
        load_all(folder.path(), |mut file| {
            let mut name = String::new();
            file.read_to_string(&mut name).unwrap();
            loaded.borrow_mut().push(name);
            if loaded.borrow().len() == 1 { Err(Errno::NODEV) } else { Err(Errno::EXIST) }
        });
        assert_eq!(*loaded.borrow(), ["01-lib.ko", "02-virtio.ko", "10-erofs.ko"]);
    }

    #[test]
    fn no_folder_no_modules() {
        load_all(Path::new("/no/such/folder"), |_| unreachable!());
    }
}
