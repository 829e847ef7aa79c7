//! The packet header that stands at the start of every buffer of the rx and tx queues
//! (virtio 1.2 §5.10.6).

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::ConnectionId;

/// The host's well-known context identifier (virtio 1.2 §5.10.4).
pub const HOST_CID: u64 = 2;
/// The only socket type this device offers (virtio 1.2 §5.10.6, `VIRTIO_VSOCK_TYPE_STREAM`).
pub const TYPE_STREAM: u16 = 1;
/// Size of [`Header`] in bytes.
pub const HEADER_LEN: u32 = size_of::<Header>() as u32;

/// What a packet asks for (virtio 1.2 §5.10.6, `VIRTIO_VSOCK_OP_*`).
pub mod op {
    /// Opens a connection.
    pub const REQUEST: u16 = 1;
    /// Accepts a connection.
    pub const RESPONSE: u16 = 2;
    /// Refuses or ends a connection, at once.
    pub const RST: u16 = 3;
    /// Ends one or both directions of a connection; see [`super::shutdown`].
    pub const SHUTDOWN: u16 = 4;
    /// Carries bytes of the stream.
    pub const RW: u16 = 5;
    /// Tells the sender's `buf_alloc` and `fwd_cnt`.
    pub const CREDIT_UPDATE: u16 = 6;
    /// Asks for a `CREDIT_UPDATE`.
    pub const CREDIT_REQUEST: u16 = 7;
}

/// Flags of an [`op::SHUTDOWN`] packet (virtio 1.2 §5.10.6.5). A set bit is a promise that can't be
/// taken back.
pub mod shutdown {
    /// The sender will receive no more data.
    pub const RECEIVE: u32 = 1;
    /// The sender will send no more data.
    pub const SEND: u32 = 2;
    /// Both directions.
    pub const BOTH: u32 = RECEIVE | SEND;
}

/// `struct virtio_vsock_hdr` (virtio 1.2 §5.10.6).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// Context identifier of the sender.
    pub src_cid: U64,
    /// Context identifier of the receiver.
    pub dst_cid: U64,
    /// Port of the sender.
    pub src_port: U32,
    /// Port of the receiver.
    pub dst_port: U32,
    /// Bytes that follow the header.
    pub len: U32,
    /// Socket type; see [`TYPE_STREAM`].
    pub socket_type: U16,
    /// One of [`op`].
    pub op: U16,
    /// Meaning depends on `op`; see [`shutdown`].
    pub flags: U32,
    /// Size of the sender's receive buffer for this connection.
    pub buf_alloc: U32,
    /// Bytes the sender has taken out of that buffer so far, modulo 2^32.
    pub fwd_cnt: U32,
}

impl Header {
    /// A packet from the host to the guest's end of connection `id`, without data.
    pub fn to_guest(guest_cid: u64, id: ConnectionId, op: u16) -> Self {
        Self {
            src_cid: HOST_CID.into(),
            dst_cid: guest_cid.into(),
            src_port: id.host_port.into(),
            dst_port: id.guest_port.into(),
            socket_type: TYPE_STREAM.into(),
            op: op.into(),
            ..Self::default()
        }
    }

    /// The connection that a packet *from the guest* belongs to.
    pub fn connection(&self) -> ConnectionId {
        ConnectionId { host_port: self.dst_port.get(), guest_port: self.src_port.get() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_the_layout_of_the_specification() {
        let header = Header {
            src_cid: 0x0102.into(),
            dst_cid: 2.into(),
            src_port: 0x0304.into(),
            dst_port: 5.into(),
            len: 6.into(),
            socket_type: 7.into(),
            op: 8.into(),
            flags: 9.into(),
            buf_alloc: 10.into(),
            fwd_cnt: 11.into(),
        };
        let bytes = header.as_bytes();
        assert_eq!(bytes.len(), 44);
        assert_eq!(bytes[0..8], [2, 1, 0, 0, 0, 0, 0, 0]);
        let at = |offset: usize| bytes[offset];
        assert_eq!((at(8), at(16), at(20), at(24)), (2, 4, 5, 6));
        assert_eq!((at(28), at(30), at(32), at(36), at(40)), (7, 8, 9, 10, 11));
    }
}
