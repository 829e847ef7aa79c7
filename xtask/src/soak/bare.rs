//! `cargo xtask soak --bare`: starts the bare guest by the thousand on this machine's own KVM, where no emulator is in the
//! way: whatever does not end there is ours.
//!
//! Rounds of four kinds follow from a seed each: that of the soak for its first, one more for each that follows. So a round
//! that went wrong is repeated alone, by its own seed.

mod patience;
mod place;
mod round;
mod session;
mod tally;
mod threads;
mod verdict;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use ::host::kvm::Kvm;
use clap::Args;

use crate::arch::Arch;
use crate::build;
use crate::error::Error;
use crate::progress::{self, Step};
use crate::soak::OF_HOSTS;
use place::Place;
use round::Round;
use session::{End, Session};
pub use tally::{Outcome, Tally};

/// The flags of `--bare`.
#[derive(Args)]
pub struct BareArgs {
    /// Start the bare guest, on this machine's own KVM
    #[arg(long, conflicts_with_all = OF_HOSTS)]
    pub bare: bool,
    /// Starts of the bare guest
    #[arg(long, value_name = "N", requires = "bare", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Starts of the bare guest beside each other
    #[arg(long, value_name = "N", requires = "bare", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: u32,
}

impl BareArgs {
    /// Starts, and prints the table.
    pub fn run(&self, seed: u64) -> Result<u8, Error> {
        let vmm = build::quick_vmm(Arch::NATIVE)?;
        if let Kvm::None(why) = Kvm::probe(&vmm)? {
            return Err(Error::Missing(format!("--bare: there is no KVM to use: {why}")));
        }
        let kernel = build::bare_guest(Arch::NATIVE)?;
        println!("{} rounds from seed {seed}", self.rounds);
        let soak = Soak { vmm, kernel, seed, rounds: self.rounds, jobs: self.jobs };
        let tally = soak.run(&progress::say)?;
        print!("{tally}");
        Ok(u8::from(tally.has_failed()))
    }
}

/// What is to be done.
pub struct Soak {
    /// The VMM.
    pub vmm: PathBuf,
    /// The bare guest.
    pub kernel: PathBuf,
    /// That of the first round.
    pub seed: u64,
    /// How many rounds.
    pub rounds: u32,
    /// How many at a time.
    pub jobs: u32,
}

impl Soak {
    /// Takes all rounds; `tell` gets a text for each that went wrong.
    pub fn run(&self, tell: &(dyn Fn(&str) + Sync)) -> Result<Tally, Error> {
        let step = Step::start("starting the bare guest");
        let next = AtomicU32::new(0);
        let tally = Mutex::new(Tally::default());
        let work = || -> Result<(), Error> {
            let place = Place::new(&self.vmm, &self.kernel)?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= self.rounds {
                    return Ok(());
                }
                let round = Round::of(self.seed.wrapping_add(number.into()));
                let outcome = take(&round, &place).inspect_err(|_| {
                    // The others need not go on.
                    next.store(self.rounds, Ordering::Relaxed);
                })?;
                if let Some(text) = outcome.describe(&round) {
                    tell(&text);
                }
                let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                tally.add(round.kind, &outcome);
                step.tell(&tally.progress(self.rounds));
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.jobs).map(|_| scope.spawn(work)).collect();
            let results = workers.into_iter().map(|worker| {
                worker.join().unwrap_or_else(|_| Err(Error::Host("a thread panicked".into())))
            });
            results.collect::<Result<(), Error>>()
        })?;
        Ok(tally.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

fn take(round: &Round, place: &Place) -> Result<Outcome, Error> {
    place.prepare(round.vcpus, &round.words())?;
    let end = Session::start(round, place)?.run()?;
    let left = place.clear()?;
    Ok(match end {
        End::Lost(threads) => Outcome::Lost(threads),
        End::Ended { status, output, is_whole } => {
            match verdict::fault(round, status, &output, is_whole, &left) {
                Some(fault) => Outcome::Wrong(fault),
                None => Outcome::Right,
            }
        }
    })
}
