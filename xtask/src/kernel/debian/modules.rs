//! Which module needs which: a walk over the `depends=` lines in the modules themselves
//! (the package holds no `modules.dep`; depmod would make it on installation).

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use host::text::in_one_line;

use crate::error::{Doing, Error};

/// No module of a cloud kernel comes near this size.
const MAX_MODULE: usize = 64 << 20;

/// The modules of one kernel release.
pub struct Tree {
    paths: HashMap<String, PathBuf>,
}

/// A module, decompressed.
#[derive(Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name, with `_` for `-`.
    pub name: String,
    /// The ELF file.
    pub content: Vec<u8>,
}

impl Tree {
    /// Lists the folder `lib/modules/RELEASE`.
    pub fn open(dir: &Path) -> Result<Tree, Error> {
        let mut paths = HashMap::new();
        let mut folders = vec![dir.to_owned()];
        while let Some(folder) = folders.pop() {
            let doing = || format!("read {}", folder.display());
            for entry in fs::read_dir(&folder).doing(doing)? {
                let path = entry.doing(doing)?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Some(name) = module_name(&path) {
                    paths.insert(name, path);
                }
            }
        }
        Ok(Tree { paths })
    }

    /// `names` and all they depend on, each after what it depends on. A name that is not there is
    /// built into the kernel.
    pub fn load_order(&self, names: &[&str]) -> Result<Vec<Module>, Error> {
        let mut order = Vec::new();
        for name in names {
            self.visit(name, &mut order)?;
        }
        Ok(order)
    }

    fn visit(&self, name: &str, order: &mut Vec<Module>) -> Result<(), Error> {
        let Some(path) = self.paths.get(name) else { return Ok(()) };
        if order.iter().any(|module| module.name == name) {
            return Ok(());
        }
        let content = load(path)?;
        // The build refuses cycles among modules, so this ends.
        for dependency in dependencies(&content) {
            self.visit(&dependency, order)?;
        }
        order.push(Module { name: name.to_owned(), content });
        Ok(())
    }
}

/// The name that `depends=` uses for the module in `path`; none for another file.
fn module_name(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let (stem, extension) = file.split_once(".ko")?;
    matches!(extension, "" | ".xz" | ".zst" | ".gz").then(|| stem.replace('-', "_"))
}

fn load(path: &Path) -> Result<Vec<u8>, Error> {
    let bytes = fs::read(path).doing(|| format!("read {}", path.display()))?;
    if path.extension().is_some_and(|extension| extension == "ko") {
        return Ok(bytes);
    }
    boot::decompress::decompress(&bytes, MAX_MODULE)
        .map_err(|error| Error::Content(format!("{}: {}", path.display(), in_one_line(&error))))
}

/// The value of `depends=` among the NUL-terminated strings of the section `.modinfo`.
fn dependencies(module: &[u8]) -> Vec<String> {
    let value = module.split(|&byte| byte == 0).find_map(|text| text.strip_prefix(b"depends="));
    let value = String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
    value.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(depends: &str) -> Vec<u8> {
        format!("\x7fELF\0license=GPL\0depends={depends}\0name=x\0").into_bytes()
    }

    #[test]
    fn a_module_comes_after_what_it_depends_on_and_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("net")).unwrap();
        fs::write(dir.path().join("net/vsock.ko"), module("")).unwrap();
        fs::write(dir.path().join("net/common.ko"), module("vsock")).unwrap();
        fs::write(dir.path().join("virtio-vsock.ko"), module("common,vsock,built-in")).unwrap();
        fs::write(dir.path().join("modules.order"), "").unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        let order = tree.load_order(&["virtio_vsock", "vsock", "absent"]).unwrap();
        let names: Vec<&str> = order.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names, ["vsock", "common", "virtio_vsock"]);
    }

    #[test]
    fn names_are_those_of_depends_lines() {
        assert_eq!(module_name(Path::new("a/virtio-rng.ko.xz")).as_deref(), Some("virtio_rng"));
        assert_eq!(module_name(Path::new("a/modules.dep")), None);
        assert_eq!(dependencies(&module("")), Vec::<String>::new());
        assert_eq!(dependencies(b"no module"), Vec::<String>::new());
    }
}
