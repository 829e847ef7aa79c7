//! For tests: network namespaces of their own, against this machine's kernel.

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};

use super::netns::Netns;

/// However slow a machine is.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// Waits for something that comes, however slowly.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not so");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Makes one of all that attaching takes: veth, qdisc, filter and action.
const TRIAL: [&str; 4] = [
    "ip link add try0 type veth peer name try1",
    "tc qdisc add dev try0 ingress",
    "tc filter add dev try0 parent ffff: u32 match u8 0 0 action mirred egress redirect dev try1",
    "ip link delete try0",
];

/// A network namespace with nothing in it but what a test makes. It goes away with this.
pub(crate) struct TestNet {
    pub(crate) netns: Netns,
}

impl TestNet {
    /// Some of them, where this user may make such, and the kernel has what it takes; else says that `test` is skipped.
    pub(crate) fn some<const N: usize>(test: &str) -> Option<[Self; N]> {
        let nets = [(); N].map(|()| Self::new());
        let mut all = Vec::new();
        for net in nets {
            let tried = net.and_then(|net| {
                net.try_all()?;
                Ok(net)
            });
            match tried {
                Ok(net) => all.push(net),
                Err(why) => {
                    println!("SKIPPED: {test}: no network namespace of its own: {why}");
                    return None;
                }
            }
        }
        all.try_into().ok()
    }

    fn new() -> Result<Self, String> {
        let netns = Netns::new().map_err(|error| error.to_string())?;
        // Without it each address of IPv6 changes for a while. Not every kernel has IPv6.
        let faster = || std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
        let _ = netns.inside(faster).map_err(|error| error.to_string())?;
        Ok(Self { netns })
    }

    fn try_all(&self) -> Result<(), String> {
        for line in TRIAL {
            self.inside(|| command(line, "")).map_err(|error| format!("{line}: {error}"))?;
        }
        let tun = open("/dev/net/tun", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
        tun.map_err(|error| format!("/dev/net/tun: {error}"))?;
        Ok(())
    }

    /// Where it is, also for other processes, as long as this is there.
    pub(crate) fn path(&self) -> PathBuf {
        self.netns.path()
    }

    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.netns.inside(work).unwrap()
    }

    /// A command of iproute2 in it, which may fail; what it says.
    pub(crate) fn try_run(&self, line: &str) -> Result<String, String> {
        self.inside(|| command(line, ""))
    }

    /// A command of iproute2 in it, with `input`; what it says.
    pub(crate) fn run_with(&self, line: &str, input: &str) -> String {
        self.inside(|| command(line, input)).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// A command of iproute2 in it; what it says.
    pub(crate) fn run(&self, line: &str) -> String {
        self.run_with(line, "")
    }

    /// Waits until a device has carrier and has given itself an address of IPv6, and uses it, which takes the kernel a
    /// moment.
    pub(crate) fn await_link(&self, name: &str) {
        let link = format!("ip -o link show dev {name}");
        let address = format!("ip -o -6 address show dev {name} scope link");
        let has_address = |shown: String| !shown.is_empty() && !shown.contains("tentative");
        until(name, || self.run(&link).contains("state UP") && has_address(self.run(&address)));
    }

    /// Checks that there is nothing else in it than `expected` any more. What another test starts has all descriptors until it is
    /// another program, TAPs among them.
    #[track_caller]
    pub(crate) fn becomes(&self, expected: &str) {
        let begin = Instant::now();
        while self.dump() != expected && begin.elapsed() < LONG {
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(self.dump(), expected);
    }

    /// All there is to know about it.
    pub(crate) fn dump(&self) -> String {
        let links = self.run("ip -o link");
        let names = links.lines().map(|line| line.split([' ', '@']).nth(1).unwrap());
        let mut commands: Vec<String> = [
            "ip -d link",
            "ip address",
            "ip -4 route show table all",
            "ip -6 route show table all",
            "ip neighbour show nud permanent",
            "tc qdisc show",
        ]
        .map(str::to_owned)
        .into();
        commands.extend(
            names.map(|name| format!("tc filter show dev {} ingress", name.trim_end_matches(':'))),
        );
        commands.iter().map(|line| format!("{line}\n{}", self.run(line))).collect()
    }
}

fn command(line: &str, input: &str) -> Result<String, String> {
    let mut words = line.split(' ');
    let child = Command::new(words.next().unwrap())
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|error| error.to_string())?;
    // Who ends early says why.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; "))
    }
}

/// Carries frames between two TAPs, until this is gone.
pub(crate) struct Wire {
    stop: Option<OwnedFd>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Wire {
    pub(crate) fn between(one: OwnedFd, other: OwnedFd) -> Self {
        let (stopped, stop) = rustix::pipe::pipe().unwrap();
        let carry = move || {
            let mut frame = vec![0; 1 << 17];
            loop {
                let mut polled = [
                    PollFd::new(&one, PollFlags::IN),
                    PollFd::new(&other, PollFlags::IN),
                    PollFd::new(&stopped, PollFlags::empty()),
                ];
                poll(&mut polled, None).unwrap();
                if !polled[2].revents().is_empty() {
                    return;
                }
                for (from, to) in [(&one, &other), (&other, &one)] {
                    while let Ok(length) = rustix::io::read(from, &mut frame[..]) {
                        // What is too long, or comes too early, is lost as on any wire.
                        let _ = rustix::io::write(to, &frame[..length]);
                    }
                }
            }
        };
        Self { stop: Some(stop), thread: Some(thread::spawn(carry)) }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.stop.take();
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Waits until there is something to read, for a long time.
pub(crate) fn await_readable(descriptor: impl AsFd) {
    let minute = rustix::event::Timespec { tv_sec: 60, tv_nsec: 0 };
    let mut polled = [PollFd::new(&descriptor, PollFlags::IN)];
    assert_eq!(poll(&mut polled, Some(&minute)), Ok(1), "nothing has come within a minute");
}
