//! pasta: what connects a network namespace of a user's own with the world, by sockets of its own, as passt does it for a VM
//! (pasta(1)). It makes that namespace, with a user and a process namespace around it, and runs a program there; it ends with the
//! program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use host::program;
use host::text::printable;
use protocol::Resolver;

use super::passt::arguments;
use super::{resolver, user};

/// The program. It comes with passt.
const PROGRAM: &str = "pasta";

/// Its interface in the namespace, which no network of names has for its bridge.
pub(crate) const INTERFACE: &str = "bulkhead-up";

/// What runs another program. Debian's AppArmor profile lets pasta start programs of the system only (/etc/apparmor.d of its
/// package: `/{usr/,}bin/** Ux`), and ours may be anywhere.
const STARTER: &str = "/usr/bin/env";

/// Where the program is.
pub(crate) fn find() -> Option<PathBuf> {
    program::on_path(PROGRAM)
}

/// What runs this program in a namespace that reaches what this host does, but for the host's loopback interface, and that
/// nobody reaches. All is set up when the program begins.
pub(crate) fn command(pasta: &Path, program: &Path) -> Command {
    let mut command = Command::new(pasta);
    command.args(arguments(&user::usual_link(), &[]));
    command.args(["--config-net", "--ns-ifname", INTERFACE]);
    for flag in ["--tcp-ports", "--udp-ports", "--tcp-ns", "--udp-ns"] {
        command.args([flag, "none"]);
    }
    command.args(["--", STARTER]).arg(program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Whom to ask for names there, and how, as a file in the form of resolv.conf(5).
pub(crate) fn resolv_conf() -> String {
    let link = user::usual_link();
    let Resolver { nameservers, search, options } =
        resolver::of_host(link.resolvers, link.guest_v6.is_some());
    let mut text: String = nameservers.iter().map(|ip| format!("nameserver {ip}\n")).collect();
    for (word, all) in [("search", search), ("options", options)] {
        let all: Vec<String> =
            all.iter().map(|one| printable(one.as_bytes())).filter(|one| !one.is_empty()).collect();
        if !all.is_empty() {
            text += &format!("{word} {}\n", all.join(" "));
        }
    }
    text
}
