//! One VM, put together from its configuration and run to its end.

mod boot;
mod clock;
mod devices;
mod opened;
mod platform;
mod vm;

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ::devices::virtio::mmio::RegisterPages;
use kvm_ioctls::VcpuFd;

use self::devices::{Devices, Places};
use crate::bus::Buses;
use crate::config::Config;
use crate::console::Input;
use crate::error::VmmError;
use crate::event::{Poll, Signals, Source, Wake};
use crate::jail::filters::{self, RollCall};
use crate::kvm::Vm;
use crate::limits::LAST_WORDS;
use crate::memory::{self, Loaded, Loader};
use crate::native::{self, layout};
use crate::stop::{Stop, StopRequest};
use crate::vcpu::{Counters, Shared, Vcpus};
use platform::Platform;

pub use self::devices::HostEntropy;
pub(crate) use self::devices::InterfaceError;
pub use boot::Boot;
pub use opened::Opened;
pub use vm::{Assembled, assemble};

/// A VM that is ready to run.
pub struct Machine {
    /// Keeps the VM, its memory and its interrupt lines alive.
    _vm: Vm,
    vcpus: Vec<VcpuFd>,
    shared: Arc<Shared>,
    poll: Poll,
    /// What is waited for after the guest's end. Made at the start: a machine that has no descriptors left still ends
    /// in order.
    last_poll: Poll,
    wake: Wake,
    input: Input,
    platform: Platform,
    devices: Devices,
    loaded: Loaded,
    /// Blocked, and readable, as long as this lives.
    _signals: Signals,
}

/// How a VM ended, and what it cost.
pub struct End {
    /// Why.
    pub stop: Stop,
    /// Exits of all its vCPUs.
    pub exits: Counters,
    /// Bytes put into its memory before it ran.
    pub loaded: Loaded,
}

impl Machine {
    /// Puts a VM together. The order matters: guest memory is filled before KVM watches it, and
    /// see [`assemble`].
    pub fn build(config: &Config, opened: Opened) -> Result<Machine, VmmError> {
        let signals = Signals::new().map_err(VmmError::system("signalfd"))?;
        let poll = Poll::new().map_err(VmmError::system("epoll"))?;
        let wake = Wake::new().map_err(VmmError::system("eventfd"))?;
        let last_poll = Poll::new().map_err(VmmError::system("epoll"))?;
        for poll in [&poll, &last_poll] {
            poll.add(&signals, Source::Signal).map_err(VmmError::system("epoll"))?;
        }
        poll.add(&wake, Source::Wake).map_err(VmmError::system("epoll"))?;

        let ram = layout::ram_ranges(config.machine.memory);
        let slots = devices::slots(config)?;
        let memory = memory::create(&ram, config.machine.huge_pages)?;
        let mut loader = Loader::new(&memory, config.machine.huge_pages);
        let boot = boot::load(config, &opened, &mut loader, ram.clone())?;
        let count = config.machine.vcpus;
        let registers = RegisterPages::new(slots.len());
        let start = native::start(&boot.kernel);
        let assembled = assemble(memory.clone(), &registers, count, &start)?;
        let Assembled { vm, vcpus, interrupt_controller } = assembled;
        let mut buses = Buses::default();
        let platform = Platform::new(&vm, &mut buses, &poll, &wake)?;
        let places = Places { slots: &slots, registers: &registers };
        let devices = Devices::new(config, opened, places, &vm, &mut buses.mmio, &poll)?;
        for (gpa, bytes) in native::tables(&boot, count, &slots, interrupt_controller)? {
            loader.write(gpa, &bytes)?;
        }
        let loaded = loader.loaded();
        memory::keep_out_of_core_dumps(&memory, &ram)?;
        #[cfg(feature = "traitor")]
        crate::traitor::plug(&mut buses, &wake);
        let input = Input::new(&poll).map_err(VmmError::system("stdin"))?;
        let shared = Arc::new(Shared {
            buses,
            memory,
            stop: StopRequest::new(wake.clone()),
            halt: AtomicBool::new(false),
        });
        Ok(Machine {
            _vm: vm,
            vcpus,
            shared,
            poll,
            last_poll,
            wake,
            input,
            platform,
            devices,
            loaded,
            _signals: signals,
        })
    }

    /// The length of the longest file that it writes to.
    pub fn longest_file(&self) -> u64 {
        self.devices.longest_file()
    }

    /// Runs the VM until something ends it. `filtered`: every thread has a filter of system calls from then on, this one
    /// too, for the rest of the process.
    pub fn run(self, filtered: bool) -> Result<End, VmmError> {
        // What is dropped would be closed, unmapped and removed, some of which a filter forbids; the process ends anyway.
        let mut machine = ManuallyDrop::new(self);
        let result = machine.run_to_the_end(filtered);
        if filters::own().is_none() {
            drop(ManuallyDrop::into_inner(machine));
        }
        result
    }

    fn run_to_the_end(&mut self, filtered: bool) -> Result<End, VmmError> {
        let mut roll = match filtered {
            true => RollCall::with_filters().map_err(VmmError::system("filter of system calls"))?,
            false => RollCall::without_filters(),
        };
        self.devices.start(&mut roll).map_err(VmmError::system("thread of a device"))?;
        let vcpus = std::mem::take(&mut self.vcpus);
        let running = Vcpus::start(vcpus, Arc::clone(&self.shared), &mut roll)?;
        roll.complete().map_err(VmmError::system("filter of system calls"))?;
        let stop = self.wait_for_the_end();
        let exits = running.stop();
        let stop = stop?;
        if matches!(stop, Stop::PowerOff | Stop::Reset | Stop::TripleFault) {
            let drained = self.devices.drain(&mut self.last_poll, LAST_WORDS);
            drained.map_err(VmmError::system("a device's descriptor"))?;
        }
        self.devices.pause();
        Ok(End { stop, exits, loaded: self.loaded })
    }

    /// The event loop.
    fn wait_for_the_end(&mut self) -> Result<Stop, VmmError> {
        // A plain file on stdin never announces itself.
        self.input_room()?;
        let mut ready = Vec::new();
        loop {
            self.poll.wait(&mut ready, self.input.retry()).map_err(VmmError::system("epoll"))?;
            if ready.is_empty() {
                self.input_room()?;
            }
            for source in &ready {
                match *source {
                    Source::Signal => return Ok(Stop::Signal),
                    Source::Wake => {
                        self.wake.clear();
                        #[cfg(feature = "traitor")]
                        crate::traitor::act(filters::Thread::EventLoop);
                        if let Some(stop) = self.shared.stop.reason() {
                            return Ok(stop);
                        }
                        self.input_room()?;
                    }
                    Source::Input => self
                        .input
                        .readable(&self.poll, &*self.platform.uart)
                        .map_err(VmmError::system("stdin"))?,
                    Source::Clock => self.platform.clock_due(),
                    Source::Queue { device, queue } => self.devices.notify(device, queue),
                    Source::Device(device) => self.device_ready(device)?,
                }
            }
        }
    }

    fn device_ready(&mut self, device: u16) -> Result<(), VmmError> {
        self.devices.ready(device).map_err(VmmError::system("a device's descriptor"))
    }

    /// Console input may have somewhere to go.
    fn input_room(&mut self) -> Result<(), VmmError> {
        let uart = &*self.platform.uart;
        self.input.room(&self.poll, uart).map_err(VmmError::system("stdin"))
    }
}
