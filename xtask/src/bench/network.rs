//! What a guest's network costs, over a TAP beside the peers' and through passt, inside the emulated host.
//!
//! The same guest, for all, does what it is told over a TCP connection (`network-load` of `tests/bare-guest`): it sends, receives,
//! or connects. The other end is this process, at the host's end of the TAP and at the loopback interface, where passt takes
//! the guest's connections to its gateway. Every load is had in two sizes from each guest, and what counts is the difference: the
//! boot, and what each load begins and ends with, fall out.
//!
//! The clock counts the guest's instructions and this process's too. They are the same for all, more or less: a ratio of
//! two figures is nearer to 1 than that of two VMMs' own shares. What the clock leaps while the host is idle, as when one end
//! delays an acknowledgement, is no instructions, and is not counted.
//!
//! The scheduler does not share the processor among sessions here. bulkhead-vmm has one of its own, as a VMM has that is
//! started by its jailer, which the peer is not. On one processor its end and ours then took turns for each frame, with an
//! acknowledgement each time: 8 % more from the guest, a few more to it, 15 % more for a connection, by no VMM's doing.

use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::home::end_well;
use super::nanoseconds;
use super::plan::Plan;
use super::start::Running;
use super::vmm::{Guest, Kind, Vmm, copy};
use crate::error::{Doing, Error};

/// The host's address and the guest's (RFC 5737: of no network there is).
const HOST: &str = "192.0.2.1";
const GUEST: &str = "192.0.2.2";
const PREFIX: &str = "24";
/// Where the guest connects to.
const PORT: u16 = 5201;
const MAC: &str = "06:00:c0:00:02:02";
/// The TAP of all VMMs, one after the other.
const TAP: &str = "bench0";
/// What `bulkhead` gives to a guest behind passt.
const PASST_MTU: u16 = 65_520;

/// A guest that says nothing for so long is lost. Waiting for it costs no time: an idle host's clock leaps.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the kernel says how long each processor was idle (Linux, kernel/time/timer_list.c).
const TIMERS: &str = "/proc/timer_list";

/// Whether sessions have shares of the processor (sched(7), "The autogroup feature").
const AUTOGROUP: &str = "/proc/sys/kernel/sched_autogroup_enabled";

/// Bytes that are sent and received at once.
const BLOCK: usize = 64 << 10;
const MIB: usize = 1 << 20;

/// What was measured, of each run, in instructions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cost {
    /// For each MiB from the guest.
    pub sent: Vec<u64>,
    /// For each MiB to it.
    pub received: Vec<u64>,
    /// For each of its connections.
    pub connected: Vec<u64>,
}

/// Of all that were measured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Costs {
    /// Over a TAP, of the plan's VMMs, in their order; of some nothing.
    pub taps: Vec<Cost>,
    /// Of ours through passt.
    pub passt: Cost,
}

/// What a guest is told to do.
#[derive(Clone, Copy)]
enum Load {
    Send,
    Receive,
    Connect,
}

impl Load {
    /// What it is called in an order, and both of its sizes.
    fn order(self) -> (u8, [u32; 2]) {
        match self {
            Load::Send => (b's', [8, 72]),
            Load::Receive => (b'r', [8, 72]),
            Load::Connect => (b'c', [10, 110]),
        }
    }
}

/// Those that take turns.
pub struct Contest {
    taps: Vec<Option<Vec<std::ffi::OsString>>>,
    passt: Passt,
    listener: TcpListener,
}

/// passt, and a VMM whose guest has it at the other end of its interface.
struct Passt {
    program: PathBuf,
    socket: PathBuf,
    vmm: Vec<std::ffi::OsString>,
}

impl Contest {
    /// Puts all into `folder`, and makes the TAP.
    pub fn prepare(plan: &Plan, kernel: &Path, folder: &Path) -> Result<Contest, Error> {
        match fs::write(AUTOGROUP, "0") {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).doing(|| format!("write to {AUTOGROUP}"));
            }
            _ => {}
        }
        let initramfs = copy(&plan.network_initramfs, folder, "network-initramfs")?;
        let guest = |name: &str, interface| {
            let words = &plan.boot_arguments.own;
            let guest = Guest::new(kernel, Some(&initramfs), words, folder.join(name))?;
            guest.with_interface(interface)
        };
        let interface = json!({ "iface_id": "eth0", "guest_mac": MAC, "host_dev_name": TAP });
        let on_tap = guest("tap.json", interface)?;
        let vmms = plan.vmms.iter().map(|vmm| vmm.copy(folder));
        let vmms = vmms.collect::<Result<Vec<Vmm>, Error>>()?;
        let is_measured = |vmm: &Vmm| matches!(vmm.kind, Kind::Bulkhead | Kind::Firecracker);
        let taps = vmms.iter().map(|vmm| is_measured(vmm).then(|| vmm.arguments(&on_tap)));
        let taps = taps.collect();

        // passt makes it once it is nobody any more.
        let passt = folder.join("passt-socket");
        let doing = || format!("create {}", passt.display());
        fs::create_dir(&passt).doing(doing)?;
        fs::set_permissions(&passt, Permissions::from_mode(0o1777)).doing(doing)?;
        let socket = passt.join("socket");
        let interface = json!({
            "iface_id": "eth0", "guest_mac": MAC, "socket": socket, "mtu": PASST_MTU
        });
        let behind_passt = guest("passt.json", interface)?;
        let ours = vmms.first().map(|vmm| vmm.arguments(&behind_passt)).unwrap_or_default();
        let program = copy(&plan.passt, folder, "passt")?;
        let passt = Passt { program, socket, vmm: ours };

        ip(&["tuntap", "add", TAP, "mode", "tap"])?;
        ip(&["address", "add", &format!("{HOST}/{PREFIX}"), "dev", TAP])?;
        ip(&["link", "set", TAP, "up"])?;
        // Without one passt says that there is no network, and ends.
        ip(&["route", "add", "default", "via", GUEST, "dev", TAP])?;
        let doing = || format!("listen at port {PORT}");
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).doing(doing)?;
        let set = set_socket_timeout(&listener, Timeout::Recv, Some(PATIENCE));
        set.map_err(io::Error::from).doing(doing)?;
        Ok(Contest { taps, passt, listener })
    }

    /// All take turns. The first turn of each is not counted.
    pub fn measure(&self, runs: u32) -> Result<Costs, Error> {
        let taps = self.taps.iter().map(|_| Cost::default()).collect();
        let mut costs = Costs { taps, passt: Cost::default() };
        for turn in 0..=runs {
            for (vmm, cost) in self.taps.iter().zip(&mut costs.taps) {
                if let Some(vmm) = vmm {
                    self.turn(vmm, cost)?;
                }
            }
            self.passt.start()?;
            self.turn(&self.passt.vmm, &mut costs.passt)?;
            if turn == 0 {
                costs.passt = Cost::default();
                costs.taps.fill(Cost::default());
            }
        }
        Ok(costs)
    }

    fn turn(&self, vmm: &[std::ffi::OsString], cost: &mut Cost) -> Result<(), Error> {
        let mut running = Running::start(vmm)?;
        running.wait_for_call(&self.listener)?;
        let mut guest = Caller { control: self.accept()?, contest: self };
        cost.sent.push(guest.costs(Load::Send)?);
        cost.received.push(guest.costs(Load::Receive)?);
        cost.connected.push(guest.costs(Load::Connect)?);
        running.stop().map(drop)
    }

    fn accept(&self) -> Result<TcpStream, Error> {
        let doing = || "wait for a guest's connection".to_owned();
        let (stream, _) = self.listener.accept().doing(doing)?;
        stream.set_read_timeout(Some(PATIENCE)).doing(doing)?;
        stream.set_write_timeout(Some(PATIENCE)).doing(doing)?;
        Ok(stream)
    }
}

/// A guest that has called.
struct Caller<'a> {
    control: TcpStream,
    contest: &'a Contest,
}

impl Caller<'_> {
    /// What one MiB or one connection more costs.
    fn costs(&mut self, load: Load) -> Result<u64, Error> {
        let (_, [small, large]) = load.order();
        let [less, more] = [self.time(load, small)?, self.time(load, large)?].map(nanoseconds);
        Ok(more.saturating_sub(less) / u64::from(large - small))
    }

    fn time(&mut self, load: Load, count: u32) -> Result<Duration, Error> {
        let (letter, _) = load.order();
        let doing = || "exchange data with a guest".to_owned();
        let idle = idle_time()?;
        let began = Instant::now();
        let order = u64::from(letter) | u64::from(count) << 32;
        self.control.write_all(&order.to_le_bytes()).doing(doing)?;
        match load {
            Load::Send => {
                let received = discard(&mut self.contest.accept()?).doing(doing)?;
                if received != count as usize * MIB {
                    return Err(Error::Content(format!("{received} bytes from a guest")));
                }
            }
            Load::Receive => {
                let mut stream = self.contest.accept()?;
                let blocks = count as usize * MIB / BLOCK;
                (0..blocks).try_for_each(|_| stream.write_all(&[0; BLOCK])).doing(doing)?;
            }
            Load::Connect => {
                for _ in 0..count {
                    let mut stream = self.contest.accept()?;
                    let mut byte = [0];
                    stream.read_exact(&mut byte).doing(doing)?;
                    stream.write_all(&byte).doing(doing)?;
                }
            }
        }
        self.control.read_exact(&mut [0]).doing(doing)?;
        let elapsed = began.elapsed();
        Ok(elapsed.saturating_sub(idle_time()?.saturating_sub(idle)))
    }
}

/// How long this machine's processor has had nothing to do, to the nanosecond.
pub fn idle_time() -> Result<Duration, Error> {
    let list = fs::read_to_string(TIMERS).doing(|| format!("read {TIMERS}"))?;
    let times = list.lines().filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        let is_idle = [".idle_sleeptime", ".iowait_sleeptime"].contains(&name.trim());
        let count: u64 = rest.trim().strip_suffix(" nsecs")?.parse().ok()?;
        is_idle.then_some(count)
    });
    let times: Vec<u64> = times.collect();
    if times.is_empty() {
        return Err(Error::Content(format!("{TIMERS} does not say how long a processor was idle")));
    }
    Ok(Duration::from_nanos(times.iter().sum()))
}

/// Reads to the end; how many bytes that was.
fn discard(stream: &mut TcpStream) -> io::Result<usize> {
    let mut buffer = [0; BLOCK];
    let mut all = 0;
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(all),
            count => all += count,
        }
    }
}

impl Passt {
    /// It goes into the background once it listens, and ends with its first connection.
    fn start(&self) -> Result<(), Error> {
        match fs::remove_file(&self.socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).doing(|| format!("remove {}", self.socket.display()));
            }
            _ => {}
        }
        let mut command = Command::new(&self.program);
        command.args(["--one-off", "--quiet", "--socket"]).arg(&self.socket);
        command.args(["--address", GUEST, "--netmask", PREFIX, "--gateway", HOST]);
        command.args(["--mtu", &PASST_MTU.to_string(), "--no-dhcp", "--no-dhcpv6", "--no-ra"]);
        end_well(&mut command)
    }
}

/// Has iproute2 do something.
pub fn ip(words: &[&str]) -> Result<(), Error> {
    end_well(Command::new("ip").args(words))
}
