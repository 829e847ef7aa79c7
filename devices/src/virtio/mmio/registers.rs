//! Where the control registers stand (virtio 1.2 §4.2.2, table 4.1). All are 32 bits wide, little-endian.

/// R: "virt".
pub(super) const MAGIC_VALUE: u64 = 0x000;
/// R: the version of the register layout.
pub(super) const VERSION: u64 = 0x004;
/// R: the kind of device (virtio 1.2 §5).
pub(super) const DEVICE_ID: u64 = 0x008;
/// R: who made it.
pub(super) const VENDOR_ID: u64 = 0x00c;
/// R: 32 of the offered feature bits.
pub(super) const DEVICE_FEATURES: u64 = 0x010;
/// W: which 32.
pub(super) const DEVICE_FEATURES_SEL: u64 = 0x014;
/// W: 32 of the accepted feature bits.
pub(super) const DRIVER_FEATURES: u64 = 0x020;
/// W: which 32.
pub(super) const DRIVER_FEATURES_SEL: u64 = 0x024;
/// W: which queue the queue registers mean.
pub(super) const QUEUE_SEL: u64 = 0x030;
/// R: the largest size of the queue; 0 where there is none.
pub(super) const QUEUE_NUM_MAX: u64 = 0x034;
/// W: the size of the queue.
pub(super) const QUEUE_NUM: u64 = 0x038;
/// RW: whether the queue is in use.
pub(super) const QUEUE_READY: u64 = 0x044;
/// W: chains were made available in the queue of this number.
pub const QUEUE_NOTIFY: u64 = 0x050;
/// R: why the device interrupted.
pub(super) const INTERRUPT_STATUS: u64 = 0x060;
/// W: the reasons that the driver has seen.
pub(super) const INTERRUPT_ACK: u64 = 0x064;
/// RW: how far driver and device are; see [`super::status`].
pub(super) const STATUS: u64 = 0x070;
/// W: address of the descriptor table, in two halves.
pub(super) const QUEUE_DESC_LOW: u64 = 0x080;
pub(super) const QUEUE_DESC_HIGH: u64 = 0x084;
/// W: address of the driver area, in two halves.
pub(super) const QUEUE_DRIVER_LOW: u64 = 0x090;
pub(super) const QUEUE_DRIVER_HIGH: u64 = 0x094;
/// W: address of the device area, in two halves.
pub(super) const QUEUE_DEVICE_LOW: u64 = 0x0a0;
pub(super) const QUEUE_DEVICE_HIGH: u64 = 0x0a4;
/// R: length and address of the selected shared memory region; all ones where there is none.
pub(super) const SHM_LEN_LOW: u64 = 0x0b0;
pub(super) const SHM_LEN_HIGH: u64 = 0x0b4;
pub(super) const SHM_BASE_LOW: u64 = 0x0b8;
pub(super) const SHM_BASE_HIGH: u64 = 0x0bc;
/// R: changes whenever the configuration space does, so that a driver can tell a torn read.
pub(super) const CONFIG_GENERATION: u64 = 0x0fc;
/// RW: the device-specific configuration space, with accesses of any width.
pub(super) const CONFIG: u64 = 0x100;
/// How long a device's register range is.
pub const LEN: u64 = 0x1000;

/// `MAGIC_VALUE`: "virt".
pub(super) const MAGIC: u32 = u32::from_le_bytes(*b"virt");
/// `VERSION`: not the legacy layout.
pub(super) const VERSION_2: u32 = 2;
/// `VENDOR_ID`: "BULK". The specification assigns no numbers.
pub(super) const VENDOR: u32 = u32::from_le_bytes(*b"BULK");

/// `INTERRUPT_STATUS`: a chain was used.
pub(super) const INTERRUPT_USED: u32 = 1;
/// `INTERRUPT_STATUS`: the configuration space changed, or the device needs a reset.
pub(super) const INTERRUPT_CONFIG: u32 = 2;
