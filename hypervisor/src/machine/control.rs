//! What whoever has started the VM asks of it while it is there.

use super::Machine;
use crate::control::{Received, Request};
use crate::error::VmmError;
use crate::limits::DISK_PAUSE;
use crate::stop::Stop;
use crate::vcpu::Vcpus;

impl Machine {
    /// Does what is asked. A reason to stop: nobody will ever let a machine go on that is held.
    pub(super) fn serve(&mut self, running: &mut Vcpus) -> Result<Option<Stop>, VmmError> {
        let Some(control) = &self.control else { return Ok(None) };
        let request = match control.receive() {
            Ok(Received::Nothing) => return Ok(None),
            Ok(Received::Request(request)) => request,
            Ok(Received::Wrong(problem)) => {
                control.answer(Err(problem));
                return Ok(None);
            }
            Ok(Received::End) | Err(_) => return self.control_ended(),
        };
        let answer = match request {
            Request::Pause => self.pause(running),
            Request::Resume => self.resume(running),
            Request::Save(_) if !self.paused => {
                Err("the VM runs: expected {\"state\": \"Paused\"} first".to_owned())
            }
            Request::Save(files) => self.save(running.held(), &files),
        };
        if let Some(control) = &self.control {
            control.answer(answer);
        }
        Ok(None)
    }

    fn control_ended(&mut self) -> Result<Option<Stop>, VmmError> {
        if let Some(control) = self.control.take() {
            self.poll.remove(&control).map_err(VmmError::system("epoll"))?;
        }
        let reason = "the control socket was closed while the VM was paused";
        Ok(self.paused.then(|| Stop::Failure(reason.to_owned())))
    }

    /// Makes the machine stand still: first the vCPUs, so that nothing new is asked of the devices.
    fn pause(&mut self, running: &mut Vcpus) -> Result<(), String> {
        if self.paused {
            return Ok(());
        }
        if !running.hold() {
            running.release();
            return Err("a vCPU has ended, or does not leave the guest".to_owned());
        }
        if !self.devices.pause() {
            running.release();
            let limit = DISK_PAUSE.as_secs();
            return Err(format!("a disk's request takes longer than {limit} s"));
        }
        self.paused = true;
        Ok(())
    }

    /// Lets it go on: last the vCPUs.
    fn resume(&mut self, running: &mut Vcpus) -> Result<(), String> {
        if self.paused {
            self.paused = false;
            self.platform.resume();
            self.devices.resume();
            running.release();
        }
        Ok(())
    }
}
