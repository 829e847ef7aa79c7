//! A network device's life in snapshots: what is saved of it, and what must be right of that.

use serde::{Deserialize, Serialize};

use super::backend::Backend;
use super::{NAME, Net, VirtioDevice};
use crate::{Device, RestoreError};

/// The guest-visible state of a network device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetState {
    /// The driver has finished its set-up.
    pub running: bool,
    /// The negotiated features; 0 when not running.
    pub features: u64,
    /// Whether the driver was told that the link is up.
    pub link_up: bool,
}

impl<B: Backend> Device for Net<B> {
    type State = NetState;

    /// Nothing is waited for.
    fn pause(&mut self) {
        self.paused = true;
        self.sync_waits();
    }

    fn resume(&mut self) {
        self.paused = false;
        self.sync_waits();
    }

    fn reset(&mut self) {
        self.stop();
    }

    fn save(&self) -> NetState {
        let link_up = self.link_up != self.config_changed;
        NetState { running: self.running, features: self.features, link_up }
    }

    fn restore(&mut self, state: &NetState) -> Result<(), RestoreError> {
        if state.features != 0 && !state.running {
            let expected = "0 of a device that does not run";
            let value = format_args!("{:#x}", state.features);
            return Err(RestoreError::new(NAME, "features", value, expected));
        }
        let (offered, common) = (self.features(), !((1 << 24) - 1));
        if state.features & !(offered | common) != 0 {
            let value = format_args!("{:#x}", state.features);
            let expected = format_args!("a subset of {offered:#x}");
            return Err(RestoreError::new(NAME, "features", value, expected));
        }
        self.stop();
        if state.running {
            self.start(state.features);
        }
        self.config_changed = state.link_up != self.link_up;
        Ok(())
    }
}
