//! The features and the configuration space of a network device (virtio 1.2 §5.1.3, §5.1.4).

/// Buffers of each queue, as Firecracker has them.
pub(super) const QUEUE_SIZE: u16 = 256;

/// VIRTIO_NET_F_CSUM: the device completes checksums.
pub const F_CSUM: u64 = 1 << 0;
/// VIRTIO_NET_F_GUEST_CSUM: the driver completes checksums.
pub const F_GUEST_CSUM: u64 = 1 << 1;
/// VIRTIO_NET_F_MTU: `mtu` is valid.
pub const F_MTU: u64 = 1 << 3;
/// VIRTIO_NET_F_MAC: `mac` is valid.
pub const F_MAC: u64 = 1 << 5;
/// VIRTIO_NET_F_GUEST_TSO4: the driver takes TCP segments over IPv4 that are larger than a frame.
pub const F_GUEST_TSO4: u64 = 1 << 7;
/// VIRTIO_NET_F_GUEST_TSO6: the same over IPv6.
pub const F_GUEST_TSO6: u64 = 1 << 8;
/// VIRTIO_NET_F_HOST_TSO4: the device takes TCP segments over IPv4 that are larger than a frame.
pub const F_HOST_TSO4: u64 = 1 << 11;
/// VIRTIO_NET_F_HOST_TSO6: the same over IPv6.
pub const F_HOST_TSO6: u64 = 1 << 12;
/// VIRTIO_NET_F_MRG_RXBUF: a frame may be spread over several buffers.
pub const F_MRG_RXBUF: u64 = 1 << 15;
/// VIRTIO_NET_F_STATUS: `status` is valid.
pub const F_STATUS: u64 = 1 << 16;

/// What depends on the back end.
pub const OFFLOADS: u64 =
    F_CSUM | F_GUEST_CSUM | F_GUEST_TSO4 | F_GUEST_TSO6 | F_HOST_TSO4 | F_HOST_TSO6;

/// VIRTIO_NET_S_LINK_UP, of `status`.
const S_LINK_UP: u16 = 1;

/// Of the offloads that a driver accepted, those that it may make use of: large segments need checksums (virtio 1.2
/// §5.1.3.1).
pub(super) fn usable(features: u64) -> u64 {
    let mut usable = features;
    if features & F_CSUM == 0 {
        usable &= !(F_HOST_TSO4 | F_HOST_TSO6);
    }
    if features & F_GUEST_CSUM == 0 {
        usable &= !(F_GUEST_TSO4 | F_GUEST_TSO6);
    }
    usable
}

/// Lays out the configuration space as far as the features reach.
pub(super) fn layout(mac: [u8; 6], link_up: bool, mtu: u16) -> [u8; 12] {
    let mut config = [0; 12];
    let status = if link_up { S_LINK_UP } else { 0 };
    config[..6].copy_from_slice(&mac);
    config[6..8].copy_from_slice(&status.to_le_bytes());
    config[8..10].copy_from_slice(&1u16.to_le_bytes()); // max_virtqueue_pairs
    config[10..].copy_from_slice(&mtu.to_le_bytes());
    config
}
