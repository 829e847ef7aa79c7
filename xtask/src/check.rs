//! `cargo xtask check`: what this machine can do, and the way to get what it lacks.

use std::path::PathBuf;

use host::kvm::Kvm;

use crate::arch::Arch;
use crate::build;
use crate::error::Error;
use crate::host::tree;
use crate::kernel::{self, Debian};
use crate::needs::{self, Program};

/// A line of the table.
struct Row {
    need: String,
    purpose: &'static str,
    found: String,
    /// Empty when nothing has to be done.
    remedy: String,
}

/// Prints the table. Its status is 0: a lack is an answer, not an error.
pub fn run() -> Result<u8, Error> {
    let mut rows = vec![Row {
        need: "NEED".to_owned(),
        purpose: "USED FOR",
        found: "FOUND".to_owned(),
        remedy: String::new(),
    }];
    rows.extend(needs::all().map(program));
    for arch in [Arch::X86_64, Arch::Aarch64] {
        rows.push(target(arch.musl(), "static binaries"));
        rows.push(target(arch.bare(), "bare guest"));
        rows.extend(kernels(arch)?);
        if arch != Arch::NATIVE {
            rows.push(root(arch)?);
        }
    }
    rows.push(kvm());
    print!("{}", table(&rows));
    Ok(0)
}

fn program(program: &Program) -> Row {
    let path = program.find();
    let remedy = if path.is_some() { String::new() } else { program.remedy() };
    let found = path.map_or("missing".to_owned(), |path| path.display().to_string());
    Row { need: program.name.to_owned(), purpose: program.purpose, found, remedy }
}

fn target(name: &'static str, purpose: &'static str) -> Row {
    let found = needs::has_target(name);
    Row {
        need: name.to_owned(),
        purpose,
        found: if found { "found" } else { "missing" }.to_owned(),
        remedy: if found { String::new() } else { format!("rustup target add {name}") },
    }
}

fn kernels(arch: Arch) -> Result<[Row; 2], Error> {
    let name = arch.name();
    let own = kernel::own_cached(arch)?;
    let build = format!("cargo xtask kernel --arch {name}");
    let own = Row {
        remedy: if own.is_some() { String::new() } else { build },
        ..download(format!("{name} guest kernel"), "Linux guests, fast", own)
    };
    let debian = Debian::cached(arch)?.map(|kernel| kernel.image());
    Ok([own, download(format!("{name} Debian kernel"), "emulated host, Linux guests", debian)])
}

fn root(arch: Arch) -> Result<Row, Error> {
    Ok(download(format!("{} system", arch.name()), "emulated host", tree::cached(arch)?))
}

fn download(need: String, purpose: &'static str, cached: Option<PathBuf>) -> Row {
    Row {
        need,
        purpose,
        remedy: if cached.is_some() { "" } else { "downloaded when first needed" }.to_owned(),
        found: cached.map_or("missing".to_owned(), |path| path.display().to_string()),
    }
}

fn kvm() -> Row {
    let (found, remedy) = match build::quick_vmm(Arch::NATIVE).and_then(|vmm| Ok(Kvm::probe(&vmm)?))
    {
        Ok(Kvm::Linux) => ("runs Linux".to_owned(), ""),
        Ok(Kvm::Slow(why)) => (format!("slow: {why}"), "the emulated host is used"),
        Ok(Kvm::Bare(why)) => (format!("bare guest only: {why}"), "the emulated host is used"),
        Ok(Kvm::None(why)) => (format!("none: {why}"), "the emulated host is used"),
        Err(error) => (format!("unknown: {error}"), "mend the build"),
    };
    Row { need: "KVM".to_owned(), purpose: "guests", found, remedy: remedy.to_owned() }
}

fn table(rows: &[Row]) -> String {
    let columns = |row: &Row| [row.need.clone(), row.purpose.to_owned(), row.found.clone()];
    let mut widths = [0; 3];
    for row in rows {
        for (width, text) in widths.iter_mut().zip(columns(row)) {
            *width = (*width).max(text.chars().count());
        }
    }
    let mut table = String::new();
    for row in rows {
        let mut line = String::new();
        for (width, text) in widths.iter().zip(columns(row)) {
            line += &format!("{text:width$}  ");
        }
        let remedy =
            if row.remedy.is_empty() { String::new() } else { format!("→ {}", row.remedy) };
        table += format!("{line}{remedy}").trim_end();
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_remedies_are_last() {
        let row = |need: &str, found: &str, remedy: &str| Row {
            need: need.into(),
            purpose: "p",
            found: found.into(),
            remedy: remedy.into(),
        };
        let rows = [row("long name", "found", ""), row("x", "missing", "get it")];
        assert_eq!(table(&rows), "long name  p  found\nx          p  missing  → get it\n");
    }
}
