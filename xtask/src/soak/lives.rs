//! `cargo xtask soak --lives N`: containers that are created, run, killed at any moment and removed, after which
//! nothing of them is left on their host.
//!
//! What a life is follows from its seed: how it is started, whether as root or as an ordinary user, and who is killed
//! when: the command, the supervisor, the VMM's outer process, the VM, or two of them. One to three are led beside each
//! other. Then all their processes have to have ended, and there must be no file, lock, mount, socket, namespace or
//! control group that was not there before.
//!
//! Containers run where KVM runs Linux, else in emulated hosts. With `--bare` VMs boot our own kernel, on this
//! machine's KVM: no container runs then, but what is on the host is the same, and a life takes a tenth of a second.

mod command;
pub mod inside;
mod kind;
mod life;
mod place;
mod plan;
mod processes;
mod session;
mod tally;
mod traces;

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio as ProcessStdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rustix::pipe::{PipeFlags, pipe_with};

use crate::arch::Arch;
use crate::build::{self, Binaries};
use crate::error::{Doing, Error};
use crate::host::{self, Host, Options, Stdio};
use crate::progress::{self, Step};
use crate::run::demo;
use crate::toolchain;
use inside::INNER_COMMAND;
use life::Guest;
use plan::{Plan, Told};
use tally::Tally;

/// What went wrong in a host is lost with it.
const LIVES_OF_A_HOST: u32 = 250;

/// What is to be done.
pub struct Lives {
    /// What comes to each process that leads some.
    plan: Plan,
    arch: Arch,
    /// Where KVM can't run these guests: the hosts that can, and how many beside each other.
    hosts: Option<(Options, u32)>,
}

impl Lives {
    /// With Linux, its kernel given: on the KVM that is here.
    pub fn linux(
        arch: Arch,
        binaries: Binaries,
        kernel: PathBuf,
        (seed, lives): (u64, u32),
    ) -> Result<Lives, Error> {
        let plan = plan(arch, binaries, kernel, Guest::Linux, (seed, lives))?;
        Ok(Lives { plan, arch, hosts: None })
    }

    /// The same in so many emulated hosts.
    pub fn in_hosts(self, options: Options, hosts: u32) -> Lives {
        Lives { plan: Plan { alone: true, ..self.plan }, hosts: Some((options, hosts)), ..self }
    }

    /// With our own kernel, given, on this machine's KVM.
    pub fn bare(
        binaries: Binaries,
        kernel: PathBuf,
        (seed, lives): (u64, u32),
    ) -> Result<Lives, Error> {
        let arch = Arch::NATIVE;
        let plan = plan(arch, binaries, kernel, Guest::Bare, (seed, lives))?;
        Ok(Lives { plan, arch, hosts: None })
    }

    /// How many they are to be.
    pub fn count(&self) -> u32 {
        self.plan.lives
    }

    /// The command that leads them, on a machine where nothing else is done, or not.
    pub fn command(&self, alone: bool) -> Result<Vec<OsString>, Error> {
        let plan = Plan { alone, ..self.plan.clone() };
        Ok(vec![build::xtask(self.arch)?.into(), INNER_COMMAND.into(), json(&plan)?.into()])
    }

    /// What came of them by that command's output, and what a person is told.
    pub fn understand(&self, output: &str) -> (Tally, String) {
        let (mut tally, mut text) = (Tally::new(self.plan.guest), String::new());
        // There are complaints between.
        for told in output.lines().filter_map(|line| serde_json::from_str::<Told>(line).ok()) {
            tally.add(&told);
            text.extend(describe(&told, self.plan.guest).map(|text| text + "\n"));
        }
        (tally, text)
    }

    /// Leads them, and prints what came of them.
    pub fn run(self) -> Result<u8, Error> {
        let Plan { lives, seed, .. } = self.plan;
        println!("{lives} lives from seed {seed}");
        let step = Step::start("leading lives");
        let tally = Mutex::new(Tally::new(self.plan.guest));
        let locked = || tally.lock().unwrap_or_else(PoisonError::into_inner);
        let tell = |told: &Told| {
            if let Some(text) = describe(told, self.plan.guest) {
                progress::say(&text);
            }
            let mut tally = locked();
            tally.add(told);
            step.tell(&tally.progress(lives));
        };
        match &self.hosts {
            None => self.lead_here(&tell)?,
            Some((options, hosts)) => {
                self.lead_in_hosts(options, *hosts, &tell, &|| locked().stood_still())?
            }
        }
        drop(step);
        let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        print!("{tally}");
        Ok(u8::from(tally.has_failed()))
    }

    fn lead_here(&self, tell: &(dyn Fn(&Told) + Sync)) -> Result<(), Error> {
        let doing = || format!("start {INNER_COMMAND}");
        let mut command = Command::new(build::xtask(self.arch)?);
        command.arg(INNER_COMMAND).arg(json(&self.plan)?).stdin(ProcessStdio::null());
        let mut child = command.stdout(ProcessStdio::piped()).spawn().doing(doing)?;
        let stdout = child.stdout.take().map(OwnedFd::from).map(File::from);
        let read = stdout.map_or(Ok(()), |stdout| read(stdout, tell));
        let status = child.wait().doing(doing)?;
        read?;
        match status.success() {
            true => Ok(()),
            false => Err(Error::Content(format!("{INNER_COMMAND} ended with {status}"))),
        }
    }

    fn lead_in_hosts(
        &self,
        options: &Options,
        hosts: u32,
        tell: &(dyn Fn(&Told) + Sync),
        stood_still: &(dyn Fn() + Sync),
    ) -> Result<(), Error> {
        let next = Mutex::new(0);
        // Where they begin, and how many.
        let take = || {
            let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
            let first: u32 = *next;
            let count = (self.plan.lives - first).min(LIVES_OF_A_HOST);
            *next += count;
            (count > 0).then_some((first, count))
        };
        let work = || {
            while let Some((mut first, count)) = take() {
                let end = first + count;
                while first < end {
                    let seed = self.plan.seed.wrapping_add(first.into());
                    let plan = Plan { seed, lives: end - first, ..self.plan.clone() };
                    let led = Mutex::new(0);
                    let count_and_tell = |told: &Told| {
                        *led.lock().unwrap_or_else(PoisonError::into_inner) += told.lives;
                        tell(told);
                    };
                    let result = self.lead_in_host(options, &plan, &count_and_tell);
                    first += led.into_inner().unwrap_or_else(PoisonError::into_inner);
                    match result {
                        Err(Error::StoodStill(_)) => stood_still(),
                        result => result?,
                    }
                }
            }
            Ok(())
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..hosts).map(|_| scope.spawn(work)).collect();
            let panicked = || Err(Error::Host("a thread panicked".into()));
            let results = workers.into_iter().map(|it| it.join().unwrap_or_else(|_| panicked()));
            results.collect::<Result<(), Error>>()
        })
    }

    fn lead_in_host(
        &self,
        options: &Options,
        plan: &Plan,
        tell: &(dyn Fn(&Told) + Sync),
    ) -> Result<(), Error> {
        let words = [build::xtask(self.arch)?.into(), INNER_COMMAND.into(), json(plan)?.into()];
        let folder = toolchain::quick_folder(self.arch);
        let process = host::process(self.arch, &[&folder], words.to_vec())?;
        let mut host = Host::start(options)?;
        let doing = || "pass a host's words on".to_owned();
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).doing(doing)?;
        let stdin = File::open("/dev/null").doing(doing)?.into();
        let stdio = Stdio { stdin, stdout: writer, ..Stdio::inherit().doing(doing)? };
        let (ran, read) = thread::scope(|scope| {
            let reading = scope.spawn(|| read(File::from(reader), tell));
            (host.run(process, stdio), reading.join())
        });
        let panicked = |_| Error::Host("the reading thread panicked".into());
        read.map_err(panicked)??;
        match ran? {
            0 => Ok(()),
            status => Err(Error::Content(format!("{INNER_COMMAND} ended with status {status}"))),
        }
    }
}

fn plan(
    arch: Arch,
    binaries: Binaries,
    kernel: PathBuf,
    guest: Guest,
    (seed, lives): (u64, u32),
) -> Result<Plan, Error> {
    let image = demo::archive(arch)?;
    let Binaries { bulkhead, vmm, guest_init } = binaries;
    let programs = vec![bulkhead, vmm, guest_init];
    Ok(Plan { programs, kernel, image, guest, seed, lives, alone: false })
}

fn json(plan: &Plan) -> Result<String, Error> {
    serde_json::to_string(plan).map_err(|error| Error::Content(format!("the plan: {error}")))
}

/// Reads lines of JSON to their end.
fn read(lines: File, tell: &dyn Fn(&Told)) -> Result<(), Error> {
    for line in BufReader::new(lines).lines() {
        let line = line.doing(|| "read what became of lives".into())?;
        let told = serde_json::from_str(&line);
        tell(&told.map_err(|error| Error::Content(format!("{error} in: {line}")))?);
    }
    Ok(())
}

/// What a person is told of some lives, if there is anything to tell.
fn describe(told: &Told, guest: Guest) -> Option<String> {
    let Told { seed, lives, faults, .. } = told;
    let bare = if guest == Guest::Bare { " --bare" } else { "" };
    let again = format!("cargo xtask soak{bare} --lives {lives} --seed {seed}");
    (!faults.is_empty()).then(|| format!("wrong:\n{}\nagain: {again}", faults.join("\n")))
}
