//! The process: what the image says, and what the flags say instead, as `docker run` has it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use protocol::{ByteString, Process, Setting};

use super::container::Container;
use super::error::CommandError;
use crate::image::ImageConfig;

/// The 14 capabilities of docker's and containerd's default set (`oci.defaultUnixCaps`), as capabilities(7) numbers them.
const DEFAULT_CAPABILITIES: u64 = 0xa804_25fb;

/// The process to run. `host` gives this process's environment variables.
pub fn process(
    container: &Container,
    command: &[OsString],
    image: &ImageConfig,
    host: impl Fn(&OsStr) -> Option<OsString>,
) -> Result<Process, CommandError> {
    let process = Process {
        args: arguments(command, image),
        env: environment(image.env.iter().cloned().map(ByteString::from), &container.env, host)?,
        cwd: text(container.workdir.as_deref(), &image.working_dir, "/"),
        user: text(container.user.as_deref(), &image.user, ""),
        capabilities: DEFAULT_CAPABILITIES,
        limits: Vec::new(),
        no_new_privileges: false,
        seccomp: true,
    };
    if process.args.is_empty() {
        let image = container.image.as_deref().unwrap_or_default().display().to_string();
        return Err(CommandError::NoCommand { image });
    }
    process.check().map_err(CommandError::Process)?;
    Ok(process)
}

/// Where it runs.
pub fn setting(container: &Container) -> Result<Setting, CommandError> {
    let setting = Setting {
        hostname: container.hostname.clone().into(),
        read_only: container.read_only,
        tmpfs: Vec::new(),
    };
    setting.check().map_err(CommandError::Process)?;
    Ok(setting)
}

/// The image's entrypoint stays; a command on the command line takes the place of the image's.
fn arguments(command: &[OsString], image: &ImageConfig) -> Vec<ByteString> {
    let entrypoint = image.entrypoint.iter().cloned().map(ByteString::from);
    if command.is_empty() {
        entrypoint.chain(image.cmd.iter().cloned().map(ByteString::from)).collect()
    } else {
        entrypoint.chain(command.iter().cloned().map(ByteString::from)).collect()
    }
}

/// Variables, overruled by the flags'. One that this process does not have either is left out.
pub fn environment(
    base: impl IntoIterator<Item = ByteString>,
    flags: &[OsString],
    host: impl Fn(&OsStr) -> Option<OsString>,
) -> Result<Vec<ByteString>, CommandError> {
    let mut variables: Vec<ByteString> = Vec::new();
    let mut set = |variable: &[u8]| {
        let name = name_of(variable).to_vec();
        variables.retain(|other| name_of(other.as_bytes()) != name);
        variables.push(ByteString::from(variable));
    };
    base.into_iter().for_each(|variable| set(variable.as_bytes()));
    for flag in flags {
        let bytes = flag.as_bytes();
        let name = name_of(bytes);
        if name.is_empty() {
            let message =
                format!("--env '{}' has no name: give NAME=VALUE or NAME", flag.display());
            return Err(CommandError::Usage(message));
        }
        if name.len() < bytes.len() {
            set(bytes);
        } else if let Some(value) = host(flag) {
            set(&[bytes, b"=", value.as_bytes()].concat());
        }
    }
    Ok(variables)
}

fn name_of(variable: &[u8]) -> &[u8] {
    variable.split(|&byte| byte == b'=').next().unwrap_or_default()
}

/// The flag's value, else the image's, else the default.
fn text(flag: Option<&OsStr>, image: &str, default: &str) -> ByteString {
    match flag {
        Some(value) => ByteString::from(value.to_owned()),
        None if !image.is_empty() => image.into(),
        None => default.into(),
    }
}
