//! Installing packages of the system's own architecture.

use super::Packages;
use super::apt;
use crate::error::Error;
use crate::tool;

/// One package of each list of alternatives.
pub fn choose<'a>(needs: &[&[&'a str]]) -> Vec<&'a str> {
    let offered = Packages::system();
    needs.iter().map(|names| offered.first_offered(names)).collect()
}

/// Installs one package of each list of alternatives; refreshes the package lists when they don't suffice.
pub fn install(needs: &[&[&str]]) -> Result<(), Error> {
    let offered = Packages::system();
    let install = || {
        let names = choose(needs);
        let arguments = ["install", "--yes", "--no-install-recommends"];
        let message = format!("installing {}", names.join(", "));
        let _lock = apt::one_at_a_time();
        let command = &mut apt::tool("apt-get");
        tool::run_download(&message, apt::ARCHIVES.into(), command.args(arguments).args(names))
            .map(drop)
    };
    if needs.iter().all(|names| names.iter().any(|name| offered.offer(name))) && install().is_ok() {
        return Ok(());
    }
    offered.refresh()?;
    install()
}
