//! The emulator as seen from outside: what it does, what its processor stands at, and its end. For any thread, also while
//! another one waits for a command in the host.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::{Value, json};

use super::activity::Activity;
use crate::error::{Doing, Error};

/// An answer takes the time of a few instructions, on a machine that has a processor for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The bit of the flags that lets interrupts in (Intel SDM volume 1, 3.4.3).
const INTERRUPT_FLAG: u64 = 1 << 9;

/// A running emulator and its monitor, which speaks QMP (QEMU's docs/interop/qmp-spec.rst): a JSON object a line.
#[derive(Clone)]
pub struct Monitor {
    pid: Pid,
    process: Arc<OwnedFd>,
    session: Arc<Mutex<Session>>,
}

/// The talk with the monitor, which begins when there is something to ask.
struct Session {
    stream: BufReader<UnixStream>,
    began: bool,
}

/// Where the processor stands, be that in the host or in a guest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    /// The address of its instruction, or of one that it was at a moment ago.
    pub instruction: u64,
    /// It takes interrupts.
    pub interrupts: bool,
    /// It waits for one.
    pub halted: bool,
}

impl Monitor {
    /// The monitor of `emulator`, at the other end of `stream`.
    pub(super) fn new(emulator: &Child, stream: UnixStream) -> Result<Monitor, Error> {
        let doing = || "watch the emulator".to_owned();
        let pid = Pid::from_child(emulator);
        let process = Arc::new(pidfd_open(pid, PidfdFlags::empty()).doing(doing)?);
        stream.set_read_timeout(Some(PATIENCE)).doing(doing)?;
        let session = Session { stream: BufReader::new(stream), began: false };
        Ok(Monitor { pid, process, session: Arc::new(Mutex::new(session)) })
    }

    /// What the emulator has done so far.
    pub fn activity(&self) -> Result<Activity, Error> {
        Activity::of(self.pid).doing(|| "watch the emulator".into())
    }

    /// Ends the emulator, and the host with it.
    pub fn kill(&self) {
        // It may have ended.
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
    }

    /// Where the processor of an x86_64 host stands.
    pub fn processor(&self) -> Result<Processor, Error> {
        let command = json!({ "command-line": "info registers" });
        let question = json!({ "execute": "human-monitor-command", "arguments": command });
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = session.ask(&question)?;
        let text = answer.as_str().unwrap_or_default();
        processor(text).ok_or_else(|| Error::Content(format!("the emulator's registers: {text}")))
    }
}

impl Session {
    fn ask(&mut self, question: &Value) -> Result<Value, Error> {
        if !self.began {
            // These words have to come first.
            self.exchange(&json!({ "execute": "qmp_capabilities" }))?;
            self.began = true;
        }
        self.exchange(question)
    }

    fn exchange(&mut self, question: &Value) -> Result<Value, Error> {
        let doing = || "ask the emulator's monitor".to_owned();
        self.stream.get_mut().write_all(format!("{question}\n").as_bytes()).doing(doing)?;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).doing(doing)?;
            let said: Value = serde_json::from_str(&line)
                .map_err(|error| Error::Content(format!("the emulator's monitor: {error}")))?;
            // What else comes is a greeting or an event.
            if let Some(answer) = said.get("return") {
                return Ok(answer.clone());
            }
            if let Some(error) = said.get("error") {
                return Err(Error::Content(format!("the emulator's monitor: {error}")));
            }
        }
    }
}

/// A loop that waits for a word in memory fits in so many bytes.
const PLACE: u64 = 256;

/// The place at which the processor spins with interrupts off, by many looks at it in a row. The host's own ticks, with
/// which it leaves a guest that spins, take some of them.
pub fn spinning_at(looks: &[Processor]) -> Option<u64> {
    let mut places: HashMap<u64, usize> = HashMap::new();
    for look in looks.iter().filter(|look| !look.interrupts && !look.halted) {
        // A loop across the border of two places counts in both.
        let place = look.instruction / PLACE;
        for place in [Some(place), place.checked_sub(1)].into_iter().flatten() {
            *places.entry(place).or_default() += 1;
        }
    }
    let (place, count) = places.into_iter().max_by_key(|&(place, count)| (count, place))?;
    (count * 4 >= looks.len() * 3).then_some(place * PLACE)
}

/// Reads what `info registers` prints: `NAME=HEX` among other things.
fn processor(text: &str) -> Option<Processor> {
    let value = |name: &str| {
        let (_, rest) = text.split_once(&format!("{name}="))?;
        let digits = rest.split(|character: char| !character.is_ascii_hexdigit()).next()?;
        u64::from_str_radix(digits, 16).ok()
    };
    Some(Processor {
        instruction: value("RIP")?,
        interrupts: value("RFL")? & INTERRUPT_FLAG != 0,
        halted: value("HLT")? != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_with_interrupts_off_is_where_it_spins() {
        let look = |instruction, interrupts| Processor { instruction, interrupts, halted: false };
        let looks = |at: &dyn Fn(u64) -> Processor| (0..40).map(at).collect::<Vec<_>>();
        let tick = look(0x9_0000, false);
        let spin = |n| look(0x10f8 + n % 16, false);
        assert_eq!(spinning_at(&looks(&|n| if n % 5 == 0 { tick } else { spin(n) })), Some(0x1000));
        assert_eq!(spinning_at(&looks(&|n| if n % 2 == 0 { tick } else { spin(n) })), None);
        assert_eq!(spinning_at(&looks(&|n| look(n << 20, false))), None, "it works");
        assert_eq!(spinning_at(&looks(&|_| look(8, true))), None, "it takes interrupts");
        assert_eq!(spinning_at(&[]), None);
    }

    #[test]
    fn the_processor_is_read_from_the_monitors_text() {
        let text = "\r\nCPU#0\r\nRAX=000000000000001e RBX=0\r\nRIP=ffffffff8111a923 RFL=00000202 [-------] \
                    CPL=0 II=0 A20=1 SMM=0 HLT=1\r\nES =0000 0000000000000000 ffffffff 00c00000\r\n";
        let expected =
            Processor { instruction: 0xffff_ffff_8111_a923, interrupts: true, halted: true };
        assert_eq!(processor(text), Some(expected));
        let off = text.replace("RFL=00000202", "RFL=00000006").replace("HLT=1", "HLT=0");
        assert_eq!(
            processor(&off),
            Some(Processor { interrupts: false, halted: false, ..expected })
        );
        assert_eq!(processor("RIP=1"), None);
    }
}
