//! A network card as the configuration of `bulkhead-vmm` has it, which is Firecracker's with more to it.

use egress_rules::Policy;
use serde::{Deserialize, Serialize};

/// A network card. Its back end and its report are descriptors that the VMM inherits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NetworkInterface {
    pub iface_id: String,
    pub fd: i32,
    pub guest_mac: String,
    pub mtu: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<Policy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_fd: Option<i32>,
}
