//! Lives, led on the KVM that is here: in the emulated host, or on this machine.

use std::io::Write;
use std::thread;

use clap::Args;

use super::life::{Fate, Guest, Life, Moment, Script, Victim, Way, together};
use super::place::Place;
use super::plan::{Plan, Told};
use super::processes::adopt;
use super::session::lead;
use crate::error::{Doing, Error};

/// The hidden command that does it.
pub const INNER_COMMAND: &str = "lives-inside";

/// A tmpfs of the emulated host's own: locks on its other files would not be its own.
const TMPFS: &str = "/run";

/// Lead lives on the KVM that is here
#[derive(Args)]
pub struct InnerArgs {
    plan: String,
}

impl InnerArgs {
    /// Prints a line of JSON, [`Told`], for each few lives.
    pub fn run(self) -> Result<u8, Error> {
        let plan: Plan = serde_json::from_str(&self.plan).map_err(json)?;
        adopt().doing(|| "adopt what children leave behind".into())?;
        let folder = if plan.alone { TMPFS.into() } else { std::env::temp_dir() };
        let folder = tempfile::tempdir_in(folder).doing(|| "make a temporary folder".into())?;
        let mut place = Place::prepare(&plan, folder.path())?;
        warm_up(&mut place, &plan)?;
        let mut seed = plan.seed;
        let mut left = plan.lives;
        while left > 0 {
            let lives = together(seed).min(left);
            tell(&lead_together(&mut place, plan.guest, seed, lives)?)?;
            seed = seed.wrapping_add(lives.into());
            left -= lives;
        }
        Ok(0)
    }
}

fn json(error: serde_json::Error) -> Error {
    Error::Content(format!("the plan: {error}"))
}

fn tell(told: &Told) -> Result<(), Error> {
    let line = serde_json::to_string(told).map_err(json)?;
    let mut out = std::io::stdout();
    writeln!(out, "{line}").and_then(|()| out.flush()).doing(|| "tell of lives".into())
}

/// One life of each way makes what stays: the cache, and empty folders.
fn warm_up(place: &mut Place, plan: &Plan) -> Result<(), Error> {
    let mut faults = Vec::new();
    for as_user in if place.has_user() { &[false, true][..] } else { &[false] } {
        for way in [Way::Foreground, Way::Started] {
            let fate = Fate::None;
            let life = Life { as_user: *as_user, way, fate, ..quick(plan.guest, Script::Ends) };
            faults.extend(lead(place, &life)?);
        }
    }
    place.settle(&mut faults)?;
    place.note();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Error::Content(faults.join("\n"))),
    }
}

/// One in the foreground that is not removed by itself.
fn quick(guest: Guest, script: Script) -> Life {
    Life {
        seed: 0,
        guest,
        as_user: false,
        way: Way::Foreground,
        auto_remove: false,
        restarts: false,
        script,
        fate: Fate::None,
    }
}

fn lead_together(place: &mut Place, guest: Guest, seed: u64, count: u32) -> Result<Told, Error> {
    let lives: Vec<_> =
        (0..count).map(|number| Life::of(seed.wrapping_add(number.into()), guest)).collect();
    let shared = &*place;
    let led = thread::scope(|scope| {
        let led: Vec<_> = lives.iter().map(|life| scope.spawn(|| lead(shared, life))).collect();
        let panicked = || Err(Error::Host("a thread panicked".into()));
        led.into_iter().map(|led| led.join().unwrap_or_else(|_| panicked())).collect::<Vec<_>>()
    });
    let mut faults = led.into_iter().collect::<Result<Vec<_>, Error>>()?.concat();
    faults.extend(place.left()?);
    let swept = sweep(place, guest, &mut faults)?;
    if swept {
        faults.extend(place.left()?);
    }
    for is_user in place.unswept() {
        let whose = if is_user { "a user's" } else { "root's" };
        faults.push(format!("{whose} next run has not removed the folders of VMs that are gone"));
    }
    Ok(Told { seed, lives: count, faults, swept })
}

/// Where folders of VMs are left, the next run removes them: it is killed once that is done. False: there are none.
fn sweep(place: &Place, guest: Guest, faults: &mut Vec<String>) -> Result<bool, Error> {
    let unswept = place.unswept();
    for &as_user in &unswept {
        let fate = Fate::Kill(Victim::Vm, None, Moment::Start(Default::default()));
        faults.extend(lead(place, &Life { as_user, fate, ..quick(guest, Script::Sleeps) })?);
    }
    Ok(!unswept.is_empty())
}
