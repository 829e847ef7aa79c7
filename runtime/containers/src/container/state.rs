//! Where a container is in its life.

use serde::{Deserialize, Serialize};

use crate::network::NetworkState;
use crate::vm::Limits;

/// What changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Where it is.
    pub status: Status,
    /// The process that has it.
    pub supervisor: Option<u32>,
    /// That one's socket: its abstract address (unix(7)).
    pub control: Option<String>,
    /// In nanoseconds since 1970.
    pub started_at: Option<u64>,
    /// In nanoseconds since 1970.
    pub finished_at: Option<u64>,
    /// Of its last end.
    pub exit_code: u8,
    /// Why it could not be started, or its VM failed.
    pub error: Option<String>,
    /// Whether a process was killed for want of memory.
    pub out_of_memory: bool,
    /// How often it was started again.
    pub restart_count: u32,
    /// What its VM may use of its host, the last time that it ran.
    #[serde(default)]
    pub limits: Limits,
    /// What it had of a network, the last time that it ran.
    #[serde(default)]
    pub network: NetworkState,
}

/// The stations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Never started.
    #[default]
    Created,
    /// Its process runs.
    Running,
    /// Nothing in it runs.
    Paused,
    /// It has ended, and is about to be started again.
    Restarting,
    /// It has ended.
    Exited,
}

impl Status {
    /// As docker calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
        }
    }

    /// Whether a supervisor has it.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Restarting)
    }
}

/// 128 + SIGKILL: whoever is gone without a word was killed.
const KILLED: u8 = 137;

impl State {
    /// What it is when nobody has the container.
    pub fn abandoned(mut self, now: u64) -> Self {
        // Also one that was about to run for the first time.
        if self.status.is_live() || self.control.is_some() {
            self.status = Status::Exited;
            self.exit_code = KILLED;
            self.finished_at = Some(now);
        }
        (self.supervisor, self.control) = (None, None);
        self
    }
}
