//! Whether a VMM ended as it had to.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::Signal;

use super::place::Left;
use super::round::{Kind, Reading, Round};
use crate::run::bare::Report;

/// What a VMM says of a console that was closed (devices/src/fixed/output.rs).
const CLOSED: &str = "serial: output is closed";

/// What is wrong with the end of a round, if anything is.
///
/// A VMM ends with status 0 when its guest does and when it is asked to, and has removed its socket and its runtime folder
/// then. Before it can hear the signals that ask it to end, these end it as they would any program: so early there is
/// neither a socket nor a guest.
pub fn fault(
    round: &Round,
    status: ExitStatus,
    output: &[u8],
    is_whole: bool,
    left: &Left,
) -> Option<String> {
    let asked = round.ask.map(|(signal, _)| signal);
    match (status.code(), status.signal()) {
        (Some(0), _) => in_order(round, output, is_whole, left).err(),
        (_, Some(number)) if asked.map(Signal::as_raw) == Some(number) => {
            let was_early = !left.vsock && output.is_empty();
            let is_right = asked == Some(Signal::KILL) || was_early;
            (!is_right).then(|| format!("it ended by signal {number}, which it has to hear"))
        }
        _ => Some(format!("it ended with {status}: {}", left.stderr.trim_end())),
    }
}

/// It has come to its end.
fn in_order(round: &Round, output: &[u8], is_whole: bool, left: &Left) -> Result<(), String> {
    if left.runtime || left.vsock {
        return Err("it has left its runtime folder or its socket".into());
    }
    let is_closed = matches!(round.reading, Reading::Closed(_));
    let said = left.stderr.lines().find(|line| !(is_closed && line.contains(CLOSED)));
    if let Some(line) = said {
        return Err(format!("it said: {line}"));
    }
    // A guest that was asked to end, or had no reader, has said the beginning of what it would have.
    let is_all = is_whole && round.kind != Kind::Kill;
    match round.output() {
        None if !is_all => Ok(()),
        None => checks(&String::from_utf8_lossy(output)),
        Some(expected) => {
            let expected: Vec<u8> = expected.take(output.len() + 1).collect();
            let (said, dots) = output.split_at(expected.len().min(output.len()));
            let (least, most) = round.dots().into_inner();
            let is_begun = expected.starts_with(said) && dots.iter().all(|byte| *byte == b'.');
            let is_whole = said == expected && dots.len() >= least;
            let is_right = is_begun && dots.len() <= most && (is_whole || !is_all);
            let text = || format!("the guest said {:?}", String::from_utf8_lossy(output));
            is_right.then_some(()).ok_or_else(text)
        }
    }
}

fn checks(output: &str) -> Result<(), String> {
    match Report::read(output) {
        Ok(report) if report.failed == 0 && report.skipped.is_empty() => Ok(()),
        Ok(_) => Err(format!("a check failed, or was skipped:\n{output}")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soak::bare::round::{Guest, Moment};
    use std::time::Duration;

    fn round(guest: Guest, signal: Option<Signal>) -> Round {
        let kind = if signal.is_some() { Kind::Kill } else { Kind::Flood };
        let ask = signal.map(|signal| (signal, Moment::Start(Duration::ZERO)));
        Round { kind, guest, ask, reading: Reading::AtOnce, ..Round::of(0) }
    }

    /// As wait(2) has it: the status in the upper byte, the signal in the lower one.
    fn fault(round: &Round, status: i32, output: &str, left: Left) -> Option<String> {
        super::fault(round, ExitStatus::from_raw(status), output.as_bytes(), true, &left)
    }

    fn left(runtime: bool, vsock: bool, stderr: &str) -> Left {
        Left { runtime, vsock, stderr: stderr.into() }
    }

    #[test]
    fn a_guest_that_ends_has_said_all_and_its_vmm_leaves_nothing() {
        let halts = round(Guest::Halt, None);
        let all = "bare-guest: halts\n";
        assert_eq!(fault(&halts, 0, all, Left::default()), None);
        assert!(fault(&halts, 0, "bare-guest", Left::default()).unwrap().contains("said"));
        assert!(fault(&halts, 0, "bare-guest: halts\n\n", Left::default()).is_some());
        assert!(fault(&halts, 0, all, left(true, false, "")).is_some());
        assert!(fault(&halts, 0, all, left(false, true, "")).is_some());
        assert!(
            fault(&halts, 0, all, left(false, false, "vm: 2 vCPUs")).unwrap().contains("2 vCPUs")
        );
        assert!(fault(&halts, 1 << 8, all, left(true, true, "why\n")).unwrap().ends_with(": why"));
        assert!(fault(&halts, 9, all, Left::default()).is_some());
    }

    #[test]
    fn a_loud_storm_sends_a_dot_for_each_time_that_a_processor_was_woken() {
        let is_right = |guest, signal, dots: usize| {
            let output = format!("bare-guest: storms\n{}", ".".repeat(dots));
            let round = Round { vcpus: 2, ..round(guest, signal) };
            fault(&round, 0, &output, Left::default()).is_none()
        };
        let storm = |input, is_loud| Guest::Storm { rounds: 3, input, is_loud };
        let loud = [2, 3, 6, 7].map(|dots| is_right(storm(0, true), None, dots));
        assert_eq!(loud, [false, true, true, false]);
        assert!(is_right(storm(1, true), None, 100), "it waits for what is typed");
        assert!(is_right(storm(0, true), Some(Signal::TERM), 0), "it was asked to end");
        assert!(is_right(storm(0, false), None, 0));
        assert!(!is_right(storm(0, false), None, 1));
    }

    #[test]
    fn only_a_vmm_that_does_not_hear_yet_ends_by_the_signal_that_asks_it() {
        let asked = round(Guest::Halt, Some(Signal::TERM));
        assert_eq!(fault(&asked, 0, "bare-", Left::default()), None);
        assert_eq!(fault(&asked, 15, "", left(true, false, "")), None);
        assert!(fault(&asked, 15, "b", left(true, false, "")).is_some());
        assert!(fault(&asked, 15, "", left(true, true, "")).is_some());
        assert!(fault(&asked, 9, "", left(true, false, "")).is_some());
        let killed = round(Guest::Halt, Some(Signal::KILL));
        assert_eq!(fault(&killed, 9, "bare-", left(true, true, "")), None);
    }

    #[test]
    fn a_console_that_was_closed_may_be_spoken_of() {
        let flood = round(Guest::Flood(2), None);
        let warning =
            left(false, false, "vm: warn: serial: output is closed, what follows is lost: why\n");
        assert!(fault(&flood, 0, "0000", warning.clone()).is_some());
        let closed = Round { reading: Reading::Closed(4), ..flood };
        let status = ExitStatus::from_raw(0);
        assert_eq!(super::fault(&closed, status, b"0000", false, &warning), None);
        assert!(super::fault(&closed, status, b"0001", false, &warning).is_some());
    }
}
