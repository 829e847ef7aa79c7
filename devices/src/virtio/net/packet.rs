//! What stands in a buffer of either queue: a header, and an Ethernet frame (virtio 1.2 §5.1.6).

use zerocopy::little_endian::U16;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::egress::{Offload, Segments};

/// Length of the header in bytes.
pub const HEADER_LEN: usize = size_of::<Header>();
/// The longest frame in bytes: an IP packet of 65,535 bytes and an Ethernet header, rounded as virtio 1.2 §5.1.6.3.1 does.
pub const MAX_FRAME: usize = 65_550;
/// The longest packet in bytes.
pub const MAX_PACKET: usize = HEADER_LEN + MAX_FRAME;
/// An Ethernet header: two addresses and a type (IEEE 802.3 §3.1). What is shorter is no frame.
const ETHERNET_HEADER: usize = 14;
/// What a VLAN adds to it (IEEE 802.1Q).
const VLAN_TAG: usize = 4;

/// VIRTIO_NET_HDR_F_NEEDS_CSUM: a checksum is to be completed.
const NEEDS_CSUM: u8 = 1;
/// VIRTIO_NET_HDR_F_DATA_VALID: checksums were found right.
const DATA_VALID: u8 = 2;
/// VIRTIO_NET_HDR_GSO_NONE.
const GSO_NONE: u8 = 0;
/// VIRTIO_NET_HDR_GSO_TCPV4.
const GSO_TCPV4: u8 = 1;
/// VIRTIO_NET_HDR_GSO_TCPV6.
const GSO_TCPV6: u8 = 4;
/// The length of what a checksum is, in bytes.
const CHECKSUM: usize = 2;
/// Where TCP's header has its own (RFC 9293 §3.1).
const TCP_CHECKSUM: u16 = 16;

/// `struct virtio_net_hdr` (virtio 1.2 §5.1.6).
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    flags: u8,
    gso_type: u8,
    hdr_len: U16,
    gso_size: U16,
    csum_start: U16,
    csum_offset: U16,
    num_buffers: U16,
}

/// What the headers of one direction may ask for, as it was agreed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) csum: bool,
    pub(super) tso4: bool,
    pub(super) tso6: bool,
    /// Whether a checksum may be said to be right.
    pub(super) valid: bool,
    /// The most that a frame carries which is no larger segment, in bytes.
    pub(super) mtu: Option<u16>,
}

/// Checks a packet whose frame has this length, in bytes, and writes its header anew: so that it holds nothing that was not
/// agreed, and nothing that nobody has looked at. The frame's bytes don't matter. False: no such packet may go.
pub(super) fn check(packet: &mut [u8], frame: usize, agreed: &Agreed) -> bool {
    let Ok((header, _)) = Header::mut_from_prefix(packet) else { return false };
    if !(ETHERNET_HEADER..=MAX_FRAME).contains(&frame) {
        return false;
    }
    let Some(checked) = header.checked(frame, agreed) else { return false };
    *header = checked;
    let most = |mtu| usize::from(mtu) + ETHERNET_HEADER + VLAN_TAG;
    header.gso_type != GSO_NONE || agreed.mtu.is_none_or(|mtu| frame <= most(mtu))
}

/// What the host is to do for a packet, and its frame. `None`: no filter knows such an offload, or it is no packet.
pub(super) fn offload(packet: &[u8]) -> Option<(Offload, &[u8])> {
    let (header, frame) = Header::ref_from_prefix(packet).ok()?;
    let place = (header.csum_start.get(), header.csum_offset.get());
    let checksum = (header.flags & NEEDS_CSUM != 0).then_some(place);
    let segments = match header.gso_type {
        GSO_NONE => Segments::None,
        GSO_TCPV4 => Segments::TcpV4,
        GSO_TCPV6 => Segments::TcpV6,
        _ => return None,
    };
    Some((Offload { checksum, segments }, frame))
}

/// Says over how many buffers a packet is spread.
pub(super) fn set_buffers(packet: &mut [u8], count: u16) {
    if let Ok((header, _)) = Header::mut_from_prefix(packet) {
        header.num_buffers = count.into();
    }
}

impl Header {
    /// What of it is meant for a frame of this length, in bytes; `None`: it makes no sense.
    fn checked(&self, frame: usize, agreed: &Agreed) -> Option<Header> {
        let mut checked = Header::new_zeroed();
        if self.flags & NEEDS_CSUM != 0 {
            let end = usize::from(self.csum_start.get()) + usize::from(self.csum_offset.get());
            if !agreed.csum || end + CHECKSUM > frame {
                return None;
            }
            checked.flags = NEEDS_CSUM;
            (checked.csum_start, checked.csum_offset) = (self.csum_start, self.csum_offset);
        } else if agreed.valid {
            checked.flags = self.flags & DATA_VALID;
        }
        let may_be_large = match self.gso_type {
            GSO_NONE => return Some(checked),
            GSO_TCPV4 => agreed.tso4,
            GSO_TCPV6 => agreed.tso6,
            _ => false,
        };
        // Each of the segments needs a checksum (virtio 1.2 §5.1.6.2.1), which is TCP's: kernels that were told another
        // place have computed it outside of the packet.
        if !may_be_large
            || checked.flags & NEEDS_CSUM == 0
            || usize::from(self.csum_start.get()) < ETHERNET_HEADER
            || self.csum_offset.get() != TCP_CHECKSUM
            || self.gso_size.get() == 0
            || usize::from(self.hdr_len.get()) > frame
        {
            return None;
        }
        (checked.gso_type, checked.gso_size) = (self.gso_type, self.gso_size);
        checked.hdr_len = self.hdr_len;
        Some(checked)
    }
}
