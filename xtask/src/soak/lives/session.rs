//! One life, led.

use std::thread;
use std::time::{Duration, Instant};

use super::command::{Outcome, Running};
use super::life::{Ask, Fate, Guest, Life, Moment, STATUS, Script, Victim, Way};
use super::place::Place;
use super::processes::{descendants, of_life};
use crate::error::{Doing, Error};

/// What has to end does so sooner, on a machine on which a start takes minutes.
const PATIENCE: Duration = Duration::from_secs(600);

/// How long a command is waited for that may go on for ever, before its container is removed once more.
const PAUSE: Duration = Duration::from_millis(500);

/// From one look for a process that is not there yet to the next.
const LOOK: Duration = Duration::from_millis(1);

/// What is said of a container that is not there.
const NONE: &str = "is no container: ";

/// What the container says first.
const UP: &str = "up\n";

/// One under way.
pub struct Session<'a> {
    place: &'a Place,
    life: &'a Life,
    faults: Vec<String>,
}

/// Leads it to its end, and removes what is left as a person would. What went wrong is told.
pub fn lead(place: &Place, life: &Life) -> Result<Vec<String>, Error> {
    let mut session = Session { place, life, faults: Vec::new() };
    session.run()?;
    Ok(session.faults)
}

impl Session<'_> {
    fn run(&mut self) -> Result<(), Error> {
        let life = self.life;
        if life.way == Way::Started {
            let created = self.start_create(&["create"])?;
            self.expect(created, Some(0))?;
        }
        let command = match life.way {
            Way::Foreground => self.start_create(&["run"])?,
            Way::Detached => self.start_create(&["run", "-d"])?,
            Way::Created => self.start_create(&["create"])?,
            Way::Started => self.ask(&["start", &life.name()])?,
        };
        let began = Instant::now();
        match life.fate {
            Fate::None => self.end_by_itself(command),
            Fate::Kill(first, second, moment) => {
                self.reach(moment, &command, began)?;
                for victim in [first].into_iter().chain(second) {
                    self.strike(victim, &command)?;
                }
                let victims = [Some(first), second];
                let is_killed = victims.contains(&Some(Victim::Command))
                    || victims.contains(&Some(Victim::Any))
                    || life.way == Way::Foreground && victims.contains(&Some(Victim::Supervisor));
                // A helper's end need not be the container's.
                let ends = first != Victim::Any || life.way != Way::Foreground;
                self.finish(command, ends, is_killed)
            }
            Fate::Ask(ask, moment, killed) => {
                let is_up = self.reach(moment, &command, began)?;
                self.ask_for(ask, is_up, killed)?;
                self.finish(command, life.way != Way::Foreground, false)
            }
        }
    }

    /// `bulkhead` with these words, the flags of this life, and what its container does.
    fn start_create(&self, words: &[&str]) -> Result<Running, Error> {
        let script = match self.life.script {
            Script::Ends => &format!("echo up; exit {STATUS}"),
            Script::Sleeps => "echo up; exec sleep 100000",
            Script::Writes => "echo up; while :; do seq 20000 > /file; done",
        };
        let mut command = self.place.create(self.life, words);
        command.args(["sh", "-c", script]);
        Running::start(command)
    }

    fn ask(&self, words: &[&str]) -> Result<Running, Error> {
        let mut command = self.place.command(self.life);
        command.args(words);
        Running::start(command)
    }

    /// Waits for the moment. False: the container is not up, or not any more.
    fn reach(&self, moment: Moment, command: &Running, began: Instant) -> Result<bool, Error> {
        match (moment, self.life.way) {
            (Moment::Start(after), _) => {
                thread::sleep(after.saturating_sub(began.elapsed()));
                Ok(false)
            }
            (Moment::Up(after), Way::Foreground) => {
                let is_up = command.has_output_within(PATIENCE);
                thread::sleep(after);
                Ok(is_up)
            }
            (Moment::Up(after), _) => {
                let has_ended = command.ends_within(PATIENCE)?;
                thread::sleep(after);
                Ok(has_ended)
            }
        }
    }

    /// Kills the victim, as soon as it is there. Once the command has ended nobody comes any more.
    fn strike(&mut self, victim: Victim, command: &Running) -> Result<(), Error> {
        let own = victim == Victim::Command
            || victim == Victim::Supervisor && self.life.way == Way::Foreground;
        if own {
            return command.kill();
        }
        let doing = || "look for a victim".to_owned();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let has_ended = command.ends_within(Duration::ZERO)?;
            let all = descendants().doing(doing)?;
            let its = of_life(&all, &self.life.name());
            let found = match victim {
                Victim::Any => its.get(self.life.seed as usize % its.len().max(1)),
                _ => its.iter().find(|process| process.role(&all) == Some(victim)),
            };
            if let Some(process) = found {
                if process.kill().doing(doing)? {
                    return Ok(());
                }
            } else if has_ended {
                return Ok(());
            }
            if Instant::now() > deadline {
                let its: Vec<_> = its.iter().map(|process| process.describe()).collect();
                self.fault(&format!("there was no {victim:?} to kill, but {its:?}"));
                return Ok(());
            }
            thread::sleep(LOOK);
        }
    }

    fn ask_for(&mut self, ask: Ask, is_up: bool, killed: Option<Duration>) -> Result<(), Error> {
        let name = self.life.name();
        let words: &[&str] = match ask {
            Ask::Kill => &["kill", &name],
            // The container's process ignores what asks it to end: it is PID 1 of its namespace.
            Ask::Stop => &["stop", "--time", "1", &name],
            Ask::Remove => &["rm", "--force", &name],
            Ask::Pause => &["pause", &name],
            Ask::Exec => &["exec", &name, "sleep", "100000"],
        };
        let client = self.ask(words)?;
        match (killed, ask) {
            (Some(after), _) => {
                if !client.ends_within(after)? {
                    client.kill()?;
                }
                client.outcome().map(drop)
            }
            (None, Ask::Exec) => {
                // It ends with its container.
                client.ends_within(PAUSE)?;
                self.remove()?;
                self.expect(client, None)
            }
            (None, _) => self.expect(client, is_up.then_some(0)),
        }
    }

    fn end_by_itself(&mut self, command: Running) -> Result<(), Error> {
        let Life { way, auto_remove, guest, .. } = *self.life;
        let name = self.life.name();
        // Our own kernel is no container's.
        let runs = guest == Guest::Linux;
        let status = match way {
            Way::Created => Some(0),
            Way::Foreground => runs.then_some(STATUS),
            Way::Detached | Way::Started => runs.then_some(0),
        };
        let output = (way == Way::Foreground && runs).then_some(UP);
        self.expect_output(command, status, output)?;
        if matches!(way, Way::Detached | Way::Started) && !auto_remove && runs {
            let waiting = self.ask(&["wait", &name])?;
            self.expect_output(waiting, Some(0), Some(&format!("{STATUS}\n")))?;
        }
        // One that removes itself does so without help. What is left of it is seen afterwards.
        if !auto_remove || way == Way::Created || !runs {
            let removing = self.ask(&["rm", &name])?;
            // Whether one that could not be started removes itself depends on how far it came.
            self.expect(removing, (runs || !auto_remove).then_some(0))?;
        }
        Ok(())
    }

    /// Waits for the command's end, helps it if it does not have to end by itself, and removes the container.
    fn finish(&mut self, command: Running, ends: bool, is_killed: bool) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        while !command.ends_within(if ends { PATIENCE } else { PAUSE })? {
            self.remove()?;
            if Instant::now() > deadline {
                self.fault("the command does not end");
                command.kill()?;
            }
        }
        let outcome = command.outcome()?;
        let Life { way, fate, .. } = self.life;
        let was_up = matches!(fate, Fate::Ask(_, Moment::Up(_), _)) && *way != Way::Foreground;
        let is_wrong = outcome.is_crash() || was_up && outcome.status != 0;
        if is_wrong && !(is_killed && outcome.status == -9) {
            self.fault(&outcome.describe());
        }
        self.remove()
    }

    /// As a person does, whatever is there.
    fn remove(&mut self) -> Result<(), Error> {
        let removing = self.ask(&["rm", "--force", &self.life.name()])?;
        let outcome = self.outcome(removing)?;
        // As docker: that there is none is said, and no failure.
        let is_wordless = outcome
            .stderr
            .lines()
            .all(|line| line.contains(&format!("'{}' {NONE}", self.life.name())));
        if outcome.status != 0 || !is_wordless {
            self.fault(&outcome.describe());
        }
        Ok(())
    }

    /// Waits for a command that must end, with this status or any, and not in a crash.
    fn expect(&mut self, command: Running, status: Option<i32>) -> Result<(), Error> {
        self.expect_output(command, status, None)
    }

    fn expect_output(
        &mut self,
        command: Running,
        status: Option<i32>,
        output: Option<&str>,
    ) -> Result<(), Error> {
        let outcome = self.outcome(command)?;
        let is_wrong = status.is_some_and(|status| status != outcome.status)
            || output.is_some_and(|output| output != outcome.stdout);
        if is_wrong || outcome.is_crash() {
            self.fault(&outcome.describe());
        }
        Ok(())
    }

    fn outcome(&mut self, command: Running) -> Result<Outcome, Error> {
        if !command.ends_within(PATIENCE)? {
            self.fault("a command does not end, and is killed");
            command.kill()?;
        }
        command.outcome()
    }

    fn fault(&mut self, what: &str) {
        self.faults.push(format!("{}: {what}", self.life));
    }
}
