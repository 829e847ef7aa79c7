//! What the fuzzer runs: for each input that nobody vouches for a function of bytes, over the code that takes it.
//!
//! A function panics where the code does, or where something does not hold that the code promises. It keeps nothing from one
//! call to the next, so that a file of bytes is all that it takes to see a failure again. The seeds in `fuzz/seeds` are such
//! files; they are replayed as an ordinary test, and `cargo xtask fuzz` begins with them.
//!
//! | module | whose input |
//! |---|---|
//! | [`queue`], [`mmio`], [`block`], [`vsock`], [`net`], [`uart`], [`clock`] | the guest's, at its devices; the host's programs' |
//! | [`egress`] | the guest's, at its egress filter; a person's rules for that |
//! | [`state`] | a snapshot's |
//! | [`kernel`], [`initramfs`] | a person's: kernel files, names |
//! | [`tar`], [`layer`], [`erofs`], [`image`] | an image's |
//! | [`messages`] | the guest's init, the host, a container's supervisor |
//! | [`orders`] | the host and the image, in the guest |
//! | [`config`] | whoever starts a VM |

mod block;
mod clock;
mod config;
mod driver;
mod egress;
mod erofs;
mod files;
mod image;
mod initramfs;
mod input;
mod kernel;
mod layer;
mod messages;
mod mmio;
mod net;
mod orders;
mod queue;
mod state;
mod tar;
mod uart;
mod vsock;

/// The variable in the environment that says which target the fuzzer's program runs.
pub const TARGET_VARIABLE: &str = "BULKHEAD_FUZZ_TARGET";

/// Something to fuzz.
pub struct Target {
    /// What it is called, on the command line and in `fuzz/seeds`.
    pub name: &'static str,
    /// Takes an input. It panics if something does not hold.
    pub run: fn(&[u8]),
}

/// All there are.
pub const TARGETS: &[Target] = &[
    target("arm64-image", kernel::arm64_image),
    target("block", block::block),
    target("bzimage", kernel::bzimage),
    target("compressed", kernel::unpacked),
    target("config", config::config),
    target("control", messages::control),
    target("cpio", initramfs::cpio),
    target("docker-image", image::docker_image),
    target("egress", egress::frames),
    target("egress-rule", egress::rule),
    target("elf", kernel::elf),
    target("erofs", erofs::erofs),
    target("frame", messages::frame),
    target("hello", messages::hello),
    target("image-name", image::image_name),
    target("layer", layer::layer),
    target("layer-index", layer::layer_index),
    target("mmio", mmio::mmio),
    target("net", net::net),
    target("oci-image", image::oci_image),
    target("order", orders::order),
    target("pl011", uart::pl011),
    target("pl031", clock::pl031),
    target("queue", queue::queue),
    target("rtc", clock::rtc),
    target("serial", uart::serial),
    target("state", state::state),
    target("tar", tar::tar),
    target("to-guest", messages::to_guest),
    target("to-host", messages::to_host),
    target("user", orders::user),
    target("vsock-guest", vsock::guest),
    target("vsock-host", vsock::host),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// The target of that name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
