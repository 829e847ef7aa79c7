//! The process: what the image says, and what the flags say instead, as `docker run` has it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use protocol::{ByteString, Limit, Process, Setting, Tmpfs};

use crate::capabilities;
use crate::error::CommandError;
use crate::flags::Flags;
use crate::security::SecurityOption;
use crate::variables;
use images::image::ImageConfig;

/// The process to run, and how many of its words are the entrypoint. `host` gives this process's environment variables.
pub fn process(
    flags: &Flags,
    image: &ImageConfig,
    host: impl Fn(&OsStr) -> Option<OsString>,
) -> Result<(Process, usize), CommandError> {
    let (entrypoint, command) = words(flags.entrypoint.as_deref(), flags.command(), image);
    let count = entrypoint.len();
    let of_image = image.env.iter().cloned().map(ByteString::from);
    let mut process = Process {
        args: [entrypoint, command].concat(),
        env: environment(of_image, &flags.env_file, &flags.env, host)?,
        cwd: text(flags.workdir.as_deref(), &image.working_dir, "/"),
        user: text(flags.user.as_deref(), &image.user, ""),
        capabilities: capabilities::allowed(&flags.cap_add, &flags.cap_drop),
        limits: limits(&flags.ulimit),
        no_new_privileges: false,
        seccomp: true,
    };
    for option in &flags.security_opt {
        match *option {
            SecurityOption::NoNewPrivileges(value) => process.no_new_privileges = value,
            SecurityOption::Seccomp(value) => process.seccomp = value,
            SecurityOption::AsItIs => {}
        }
    }
    if process.args.is_empty() {
        let image = flags.image().unwrap_or_default().display().to_string();
        return Err(CommandError::NoCommand { image });
    }
    check_image(flags, image)?;
    process.check().map_err(CommandError::Process)?;
    Ok((process, count))
}

/// What the image says and no flag overrules has to make sense.
fn check_image(flags: &Flags, image: &ImageConfig) -> Result<(), CommandError> {
    let refused = |why: String| {
        let name = flags.image().unwrap_or_default().display().to_string();
        Err(CommandError::Usage(format!("image {name}: {why}")))
    };
    let directory = &image.working_dir;
    if said(flags.workdir.as_deref()).is_none()
        && !directory.is_empty()
        && !directory.starts_with('/')
    {
        let directory = directory.escape_debug();
        return refused(format!(
            "its WorkingDir '{directory}' is not an absolute path: give one with --workdir"
        ));
    }
    let words = [("Entrypoint", &image.entrypoint), ("Cmd", &image.cmd)];
    let said = words.into_iter().find(|(_, words)| !words.is_empty());
    let is_said = |field: &str| field == "Entrypoint" || flags.command().is_empty();
    match said {
        Some((field, words))
            if flags.entrypoint.is_none() && is_said(field) && words[0].is_empty() =>
        {
            refused(format!(
                "the first word of its {field} is empty: give a program with --entrypoint"
            ))
        }
        _ => Ok(()),
    }
}

/// The host name of what has no ID yet to be called by, as in a bundle of `prepare`.
const NAMELESS: &str = "bulkhead";

/// What a flag says. As in docker one that is empty says nothing: scripts give them from variables that may not be set.
pub fn said(flag: Option<&OsStr>) -> Option<&OsStr> {
    flag.filter(|value| !value.is_empty())
}

/// Where it runs.
pub fn setting(flags: &Flags) -> Result<Setting, CommandError> {
    // Mounted over the one that each container has.
    let shared_memory = flags.shm_size.map(|size| Tmpfs {
        path: "/dev/shm".into(),
        size: Some(size),
        mode: 0o1777,
        executable: false,
    });
    let setting = Setting {
        hostname: said(flags.hostname.as_deref()).unwrap_or(NAMELESS.as_ref()).to_owned().into(),
        read_only: flags.read_only,
        tmpfs: shared_memory.into_iter().chain(flags.tmpfs.iter().cloned()).collect(),
        memory: flags.memory,
    };
    setting.check().map_err(CommandError::Process)?;
    Ok(setting)
}

/// The entrypoint and the command. The image's entrypoint stays, and a command takes the place of the image's; another
/// entrypoint takes the place of both.
fn words(
    entrypoint: Option<&OsStr>,
    command: &[OsString],
    image: &ImageConfig,
) -> (Vec<ByteString>, Vec<ByteString>) {
    let of_image = |words: &[String]| words.iter().cloned().map(ByteString::from).collect();
    let own = || command.iter().cloned().map(ByteString::from).collect();
    match entrypoint {
        None if command.is_empty() => (of_image(&image.entrypoint), of_image(&image.cmd)),
        None => (of_image(&image.entrypoint), own()),
        Some(program) if program.is_empty() => (Vec::new(), own()),
        Some(program) => (vec![ByteString::from(program.to_owned())], own()),
    }
}

/// The later of two for one resource.
fn limits(flags: &[Limit]) -> Vec<Limit> {
    let mut limits: Vec<Limit> = Vec::new();
    for flag in flags {
        limits.retain(|limit| limit.resource != flag.resource);
        limits.push(*flag);
    }
    limits
}

/// Variables, overruled by the files', overruled by the flags'. One that this process does not have either is left out.
pub fn environment(
    base: impl IntoIterator<Item = ByteString>,
    files: &[PathBuf],
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
    let mut of_files = Vec::new();
    for path in files {
        of_files.extend(variables::read(path)?.into_iter().map(OsString::from));
    }
    for variable in of_files.iter().chain(flags) {
        let bytes = variable.as_bytes();
        let name = name_of(bytes);
        if name.is_empty() {
            let message =
                format!("--env '{}' has no name: give NAME=VALUE or NAME", variable.display());
            return Err(CommandError::Usage(message));
        }
        if name.len() < bytes.len() {
            set(bytes);
        } else if let Some(value) = host(variable) {
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
    match said(flag) {
        Some(value) => ByteString::from(value.to_owned()),
        None if !image.is_empty() => image.into(),
        None => default.into(),
    }
}
