//! One VM, put together from its configuration and run to its end.

mod boot;
mod clock;
mod control;
mod devices;
mod opened;
mod platform;
mod snapshot;
mod vm;

use std::fs::File;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use ::devices::virtio::mmio::RegisterPages;
use kvm_ioctls::VcpuFd;

use self::devices::{Devices, Places};
use crate::bus::Buses;
use crate::config::Config;
use crate::console::Input;
use crate::control::Control;
use crate::error::VmmError;
use crate::event::{Poll, Signals, Source as Event, Wake};
use crate::jail::filters::{self, RollCall};
use crate::kvm::Vm;
use crate::limits::LAST_WORDS;
use crate::memory::{self, Loaded, Loader};
use crate::native::state::Saver;
use crate::native::{self, InterruptController, layout};
use crate::snapshot::MAX_LENGTH;
use crate::stop::{Stop, StopRequest};
use crate::vcpu::{Counters, Shared, Vcpus, Wishes};
use platform::Platform;

pub use self::devices::HostEntropy;
pub(crate) use self::devices::InterfaceError;
pub use boot::Boot;
use opened::Source;
pub use opened::{Handed, Opened};
pub use vm::{Assembled, assemble};

/// A VM that is ready to run.
pub struct Machine {
    /// Keeps the VM, its memory and its interrupt lines alive.
    vm: Vm,
    interrupt_controller: InterruptController,
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
    /// Who holds the VM, and lets it go on; none any more once that is gone.
    control: Option<Control>,
    /// It does not run, or is not to begin by itself.
    paused: bool,
    /// What it takes to save it, if anybody can ask for that.
    saver: Option<Saver>,
    /// The state that it is to be put into.
    state: Option<File>,
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
    pub fn build(config: &Config, mut opened: Opened) -> Result<Machine, VmmError> {
        let signals = Signals::new().map_err(VmmError::system("signalfd"))?;
        let poll = Poll::new().map_err(VmmError::system("epoll"))?;
        let wake = Wake::new().map_err(VmmError::system("eventfd"))?;
        let last_poll = Poll::new().map_err(VmmError::system("epoll"))?;
        for poll in [&poll, &last_poll] {
            poll.add(&signals, Event::Signal).map_err(VmmError::system("epoll"))?;
        }
        poll.add(&wake, Event::Wake).map_err(VmmError::system("epoll"))?;
        let control = opened.control.take();
        if let Some(control) = &control {
            poll.add(control, Event::Control).map_err(VmmError::system("epoll"))?;
        }

        let ram = layout::ram_ranges(config.machine.memory);
        let slots = devices::slots(config)?;
        let memory = memory::create(&ram, config.machine.huge_pages)?;
        let mut loader = Loader::new(&memory, config.machine.huge_pages);
        let (boot, state) = match &opened.source {
            Source::Boot(files) => {
                (Some(boot::load(config, files, &mut loader, ram.clone())?), None)
            }
            Source::Snapshot(files) => {
                snapshot::map_memory(config, &memory, files)?;
                (None, Some(files.state.try_clone().map_err(VmmError::system("dup"))?))
            }
        };
        let count = config.machine.vcpus;
        let registers = RegisterPages::new(slots.len());
        let start = boot.as_ref().map(|boot| native::start(&boot.kernel));
        let assembled = assemble(memory.clone(), &registers, count, start.as_ref())?;
        let Assembled { vm, vcpus, interrupt_controller, kvm } = assembled;
        let saver = Saver::new(&kvm, vm.fd(), &interrupt_controller);
        let saver = (control.is_some() || state.is_some()).then_some(saver).transpose()?;
        let mut buses = Buses::default();
        let platform = Platform::new(&vm, &mut buses, &poll, &wake)?;
        let places = Places { slots: &slots, registers: &registers };
        let devices = Devices::new(config, opened, places, &vm, &mut buses.mmio, &poll)?;
        if let Some(boot) = &boot {
            for (gpa, bytes) in native::tables(boot, count, &slots, &interrupt_controller)? {
                loader.write(gpa, &bytes)?;
            }
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
            wishes: Wishes::new(),
        });
        Ok(Machine {
            vm,
            interrupt_controller,
            vcpus,
            shared,
            poll,
            last_poll,
            wake,
            input,
            platform,
            devices,
            control,
            paused: false,
            saver,
            state,
            loaded,
            _signals: signals,
        })
    }

    /// The length of the longest file that it writes to.
    pub fn longest_file(&self) -> u64 {
        let saved = memory::snapshot::length(self.vm.memory()).max(MAX_LENGTH);
        let saved = if self.control.is_some() { saved } else { 0 };
        self.devices.longest_file().max(saved)
    }

    /// Runs the VM until something ends it. `filtered`: every thread has a filter of system calls from then on, this one
    /// too, for the rest of the process.
    /// `paused`: it begins when it is told so.
    pub fn run(mut self, filtered: bool, paused: bool) -> Result<End, VmmError> {
        self.paused = paused;
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
        let mut running = Vcpus::start(vcpus, Arc::clone(&self.shared), &mut roll)?;
        if !self.paused {
            // Their threads find them when they have their filters.
            running.release();
        }
        roll.complete(self.main_thread()).map_err(VmmError::system("filter of system calls"))?;
        let stop = self.wait_for_the_end(&mut running);
        let exits = running.stop();
        let stop = stop?;
        if matches!(stop, Stop::PowerOff | Stop::Reset | Stop::TripleFault) {
            let drained = self.devices.drain(&mut self.last_poll, LAST_WORDS);
            drained.map_err(VmmError::system("a device's descriptor"))?;
        }
        self.devices.end();
        Ok(End { stop, exits, loaded: self.loaded })
    }

    /// What the main thread does.
    fn main_thread(&self) -> filters::Thread {
        match self.control {
            Some(_) => filters::Thread::ControlledLoop,
            None => filters::Thread::EventLoop,
        }
    }

    /// The event loop.
    fn wait_for_the_end(&mut self, running: &mut Vcpus) -> Result<Stop, VmmError> {
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
                    Event::Signal => return Ok(Stop::Signal),
                    Event::Wake => {
                        self.wake.clear();
                        #[cfg(feature = "traitor")]
                        crate::traitor::act(self.main_thread());
                        if let Some(stop) = self.shared.stop.reason() {
                            return Ok(stop);
                        }
                        running.settle();
                        self.input_room()?;
                    }
                    Event::Input => self
                        .input
                        .readable(&self.poll, &*self.platform.uart)
                        .map_err(VmmError::system("stdin"))?,
                    Event::Clock => self.platform.clock_due(),
                    Event::Control => {
                        if let Some(stop) = self.serve(running)? {
                            return Ok(stop);
                        }
                    }
                    Event::Queue { device, queue } => self.devices.notify(device, queue),
                    Event::Device(device) => self.device_ready(device)?,
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
