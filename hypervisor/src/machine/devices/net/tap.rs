//! A TAP of the host's kernel (linux/Documentation/networking/tuntap.rst): each read is a packet, and each write.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use devices::virtio::net::{
    F_GUEST_CSUM, F_GUEST_TSO4, F_GUEST_TSO6, HEADER_LEN, OFFLOADS, Refusal, Sent,
};
use rustix::io::Errno;
use rustix::ioctl::{Getter, IntegerSetter, Opcode, Setter, ioctl, opcode};
use vm_memory::VolatileSlice;

use super::gather::Gather;

/// linux/if_tun.h.
const TUNSETIFF: Opcode = opcode::write::<i32>(b'T', 202);
const TUNSETOFFLOAD: Opcode = opcode::write::<u32>(b'T', 208);
const TUNGETIFF: Opcode = opcode::read::<u32>(b'T', 210);
const TUNSETVNETHDRSZ: Opcode = opcode::write::<i32>(b'T', 216);

/// linux/if_tun.h: Ethernet frames.
const IFF_TAP: i16 = 0x0002;
/// linux/if_tun.h: with no header of the kernel's own.
const IFF_NO_PI: i16 = 0x1000;
/// linux/if_tun.h: with a header as of virtio.
const IFF_VNET_HDR: i16 = 0x4000;
/// What a TAP must be.
const FLAGS: i16 = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;

/// linux/if_tun.h: TUN_F_CSUM, TUN_F_TSO4 and TUN_F_TSO6, and the features of the driver's that they stand for.
const TUN_OFFLOADS: [(usize, u64); 3] = [(1, F_GUEST_CSUM), (2, F_GUEST_TSO4), (4, F_GUEST_TSO6)];

/// `struct ifreq` with flags (linux/if.h).
#[repr(C)]
#[derive(Default)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

/// An open TAP.
pub struct Tap {
    descriptor: OwnedFd,
    offloads: u64,
    gather: Gather,
}

impl Tap {
    /// Attaches a descriptor of `/dev/net/tun` to the interface of this name, of at most 15 bytes.
    pub fn attach(descriptor: &OwnedFd, name: &str) -> io::Result<()> {
        let mut request = InterfaceRequest { flags: FLAGS, ..InterfaceRequest::default() };
        let len = name.len().min(request.name.len() - 1);
        request.name[..len].copy_from_slice(&name.as_bytes()[..len]);
        // SAFETY: TUNSETIFF reads a `struct ifreq`, and writes one to the same place, which is the setter's own.
        unsafe { ioctl(descriptor, Setter::<TUNSETIFF, _>::new(request)) }?;
        Ok(())
    }

    /// Whether a descriptor is an attached TAP's, and has packets with headers. An error: it is no TAP's.
    pub fn is_usable(descriptor: impl AsFd) -> io::Result<bool> {
        // SAFETY: TUNGETIFF writes a `struct ifreq`, of plain numbers; other kinds of files don't know it.
        let request = unsafe { ioctl(descriptor, Getter::<TUNGETIFF, InterfaceRequest>::new()) }?;
        Ok(request.flags & FLAGS == FLAGS)
    }

    /// One whose packets have headers as the device's have, and no offloads. It does not block.
    pub fn new(descriptor: OwnedFd) -> io::Result<Tap> {
        rustix::io::ioctl_fionbio(&descriptor, true)?;
        // SAFETY: TUNSETVNETHDRSZ reads an `int`.
        unsafe { ioctl(&descriptor, Setter::<TUNSETVNETHDRSZ, _>::new(HEADER_LEN as i32)) }?;
        let mut tap = Tap { descriptor, offloads: 0, gather: Gather::default() };
        if tap.set_offloads(OFFLOADS).is_ok() {
            tap.offloads = OFFLOADS;
        }
        tap.set_offloads(0)?;
        Ok(tap)
    }

    /// Which offloads it can do.
    pub fn offloads(&self) -> u64 {
        self.offloads
    }

    /// Has the kernel make use of those that go to the guest, and of no others.
    pub fn set_offloads(&mut self, offloads: u64) -> io::Result<()> {
        let wanted = TUN_OFFLOADS.iter().filter(|(_, feature)| offloads & feature != 0);
        let flags = wanted.map(|(flag, _)| flag).sum();
        // SAFETY: TUNSETOFFLOAD takes a number.
        unsafe { ioctl(&self.descriptor, IntegerSetter::<TUNSETOFFLOAD>::new_usize(flags)) }?;
        Ok(())
    }

    /// Sends a packet, of which a part may lie in the guest's memory. What the kernel does not take (the interface is
    /// down, the headers are no TCP's) is lost, as on any wire.
    pub fn send(&mut self, copied: &[u8], rest: &[VolatileSlice<'_>]) -> Result<Sent, Refusal> {
        let written = match rest {
            [] => rustix::io::write(&self.descriptor, copied),
            rest => self.gather.write(&self.descriptor, copied, rest),
        };
        match written {
            Ok(_) => Ok(Sent::Taken),
            Err(Errno::AGAIN | Errno::INTR) => Err(Refusal::WouldBlock),
            Err(Errno::BADFD) => Err(Refusal::Gone),
            Err(_) => Ok(Sent::Dropped),
        }
    }

    /// Receives a packet, of which a part may come to the guest's memory: the one behind the header. What follows comes to
    /// the place that it would have in `packet` otherwise.
    pub fn receive(
        &mut self,
        packet: &mut [u8],
        lent: &[VolatileSlice<'_>],
    ) -> Result<usize, Refusal> {
        let read = match (lent, packet.split_at_mut_checked(HEADER_LEN)) {
            ([_, ..], Some((header, frame))) => {
                let room: usize = lent.iter().map(|slice| slice.len()).sum();
                let rest = frame.get_mut(room..).unwrap_or_default();
                self.gather.read(&self.descriptor, header, lent, rest)
            }
            _ => rustix::io::read(&self.descriptor, packet),
        };
        match read {
            Ok(len) => Ok(len),
            Err(Errno::AGAIN | Errno::INTR) => Err(Refusal::WouldBlock),
            // Of a packet for which the kernel finds no header, if there is a next one, or for which the guest has no memory.
            Err(Errno::INVAL | Errno::FAULT) => Ok(0),
            Err(_) => Err(Refusal::Gone),
        }
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
