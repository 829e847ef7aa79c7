//! Where lives are led: the programs, and what each of their owners has.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::life::Life;
use super::plan::Plan;
use super::processes::{MARK, wait_for_all};
use super::traces::{Traces, files};
use crate::error::{Doing, Error};
use crate::run::demo;

/// Where a container's host keeps everything, as the environment says it, and the folder of that.
const FOLDERS: [(&str, &str); 4] = [
    ("XDG_CACHE_HOME", "cache"),
    ("XDG_DATA_HOME", "data"),
    ("XDG_RUNTIME_DIR", "run"),
    ("TMPDIR", "tmp"),
];

/// The folders of running VMs, in an owner's.
const RUNS: &str = "run/bulkhead";

/// Whoever has no rights on the host.
const USER: u32 = 1000;

/// The device, and what whoever may use it may do with it.
const KVM: &str = "/dev/kvm";
const READ_AND_WRITE: u32 = 0o6;

/// How long what was killed may take until the last of its processes has gone: a VM that is stopped in order, on a busy
/// machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// All that lives need.
pub struct Place {
    folder: PathBuf,
    owners: Vec<Owner>,
    alone: bool,
    before: Traces,
}

/// One whose containers they are.
struct Owner {
    home: PathBuf,
    /// Of an ordinary user, who may use KVM by this group.
    group: Option<u32>,
}

impl Place {
    /// Makes it in `folder`: the programs, a kernel, and an image for each owner.
    pub fn prepare(plan: &Plan, folder: &Path) -> Result<Place, Error> {
        let doing = || format!("make {}", folder.display());
        fs::create_dir_all(folder.join("bin")).doing(doing)?;
        fs::set_permissions(folder, Permissions::from_mode(0o755)).doing(doing)?;
        for program in &plan.programs {
            copy(program, &folder.join("bin").join(program.file_name().unwrap_or_default()))?;
        }
        copy(&plan.kernel, &folder.join("bin/kernel"))?;
        copy(&plan.image, &folder.join("bin/image"))?;
        if plan.alone {
            let all = Permissions::from_mode(0o666);
            fs::set_permissions(KVM, all).doing(|| format!("let everybody use {KVM}"))?;
        }
        let mut owners = vec![Owner { home: folder.join("own"), group: None }];
        if let (true, Some(group)) = (rustix::process::geteuid().is_root(), group_of_kvm()?) {
            owners.push(Owner { home: folder.join("user"), group: Some(group) });
        }
        let alone = plan.alone;
        let place = Place { folder: folder.to_owned(), owners, alone, before: Traces::default() };
        place.owners.iter().try_for_each(|owner| place.furnish(owner))?;
        Ok(place)
    }

    fn furnish(&self, owner: &Owner) -> Result<(), Error> {
        let folders = FOLDERS.map(|(_, name)| owner.home.join(name));
        for folder in [&owner.home].into_iter().chain(&folders) {
            let doing = || format!("make {}", folder.display());
            fs::create_dir(folder).doing(doing)?;
            if owner.group.is_some() {
                chown(folder, Some(USER), Some(USER)).doing(doing)?;
            }
        }
        let mut load = self.bulkhead(owner);
        load.args(["load", "--input"]).arg(self.folder.join("bin/image"));
        let output = load.output().doing(|| "load an image".into())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(Error::Content(String::from_utf8_lossy(&output.stderr).into_owned())),
        }
    }

    /// `bulkhead` of this life's owner, as a process of this life.
    pub fn command(&self, life: &Life) -> Command {
        let mut command = self.bulkhead(self.owner(life.as_user));
        command.env(MARK, life.name());
        command
    }

    /// The beginning of the command that makes this life's container; what it runs follows.
    pub fn create(&self, life: &Life, words: &[&str]) -> Command {
        let mut command = self.command(life);
        command.args(words).args(["--name", &life.name(), "--memory", "64M", "--kernel"]);
        command.arg(self.folder.join("bin/kernel"));
        command.args(life.auto_remove.then_some("--rm"));
        command.args(life.restarts.then_some(["--restart", "always"]).into_iter().flatten());
        command.arg(demo::NAME);
        command
    }

    fn bulkhead(&self, owner: &Owner) -> Command {
        let mut command = Command::new(self.folder.join("bin/bulkhead"));
        command.envs(FOLDERS.map(|(name, folder)| (name, owner.home.join(folder))));
        // An image's name could be a path in it.
        command.env("HOME", &owner.home).current_dir(&owner.home);
        if let Some(group) = owner.group {
            command.uid(USER).gid(group);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn owner(&self, as_user: bool) -> &Owner {
        let user = self.owners.last().filter(|_| as_user);
        user.unwrap_or(&self.owners[0])
    }

    /// Whether an ordinary user has containers here too.
    pub fn has_user(&self) -> bool {
        self.owners.len() > 1
    }

    /// Takes what there is now for what stays.
    pub fn note(&mut self) {
        self.before = self.look();
    }

    /// What is left of lives that have ended, a line each.
    pub fn left(&mut self) -> Result<Vec<String>, Error> {
        let mut left = Vec::new();
        self.settle(&mut left)?;
        let now = self.look();
        left.extend(now.since(&self.before));
        // Told once.
        self.before = now;
        Ok(left)
    }

    /// Waits until nothing of them runs any more, and ends what does all the same. That, and containers that there are,
    /// comes to what is `left`.
    pub fn settle(&self, left: &mut Vec<String>) -> Result<(), Error> {
        let doing = || "wait for what was killed".to_owned();
        let alive = wait_for_all(PATIENCE).doing(doing)?;
        left.extend(alive.iter().map(|process| process.describe()));
        for process in alive {
            process.kill().doing(doing)?;
        }
        wait_for_all(PATIENCE).doing(doing)?;
        for owner in &self.owners {
            let output = self.bulkhead(owner).args(["ps", "-aq"]).output().doing(doing)?;
            let said =
                String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            for line in said.lines() {
                left.push(format!("bulkhead ps -aq says: {line}"));
                // Told once.
                self.bulkhead(owner).args(["rm", "--force", line]).output().doing(doing)?;
            }
        }
        Ok(())
    }

    /// Owners who have folders of VMs that are no more: whether they are ordinary users. The next run removes those.
    pub fn unswept(&self) -> Vec<bool> {
        let is_unswept = |owner: &&Owner| !files(&owner.home.join(RUNS), &[]).is_empty();
        self.owners.iter().filter(is_unswept).map(|owner| owner.group.is_some()).collect()
    }

    fn look(&self) -> Traces {
        let runs: Vec<_> = self.owners.iter().map(|owner| owner.home.join(RUNS)).collect();
        Traces::look(&self.folder, &runs, self.alone)
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let doing = || format!("copy {}", from.display());
    fs::copy(from, to).doing(doing)?;
    fs::set_permissions(to, Permissions::from_mode(0o755)).doing(doing)
}

/// The group in which an ordinary user may use KVM: perhaps any is.
fn group_of_kvm() -> Result<Option<u32>, Error> {
    let metadata = fs::metadata(KVM).doing(|| format!("look at {KVM}"))?;
    let may = |shift: u32| metadata.mode() >> shift & READ_AND_WRITE == READ_AND_WRITE;
    Ok(match (may(0), may(3)) {
        (true, _) => Some(USER),
        (false, true) => Some(metadata.gid()),
        (false, false) => None,
    })
}
