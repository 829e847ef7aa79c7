//! Descriptors over a Unix socket (unix(7), SCM_RIGHTS), with one byte, without which none arrive.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::network_names::attachment::MAX_NETWORKS;

/// Sends them: [`MAX_NETWORKS`] at most, or none.
pub fn send(socket: BorrowedFd<'_>, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    if descriptors.len() > MAX_NETWORKS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_NETWORKS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(socket, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes what one such call has sent.
pub fn receive(socket: BorrowedFd<'_>) -> io::Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_NETWORKS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut buffer = [IoSliceMut::new(&mut byte)];
    let message = loop {
        match recvmsg(socket, &mut buffer, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            message => break message?,
        }
    };
    let mut all = Vec::new();
    for one in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = one {
            all.extend(descriptors);
        }
    }
    match message.bytes == 1 && !message.flags.contains(ReturnFlags::CTRUNC) {
        true => Ok(all),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn descriptors_arrive_in_their_order() {
        let (one, other) = UnixStream::pair().unwrap();
        let mut pipes: Vec<_> = (0..MAX_NETWORKS).map(|_| io::pipe().unwrap()).collect();
        let sent: Vec<_> = pipes.iter().map(|(_, writer)| writer.as_fd()).collect();
        send(one.as_fd(), &sent).unwrap();
        send(one.as_fd(), &[]).unwrap();
        let arrived = receive(other.as_fd()).unwrap();
        assert_eq!(arrived.len(), MAX_NETWORKS);
        for (number, (end, (reader, _))) in arrived.into_iter().zip(&mut pipes).enumerate() {
            File::from(end).write_all(&[number as u8]).unwrap();
            let mut byte = [99];
            reader.read_exact(&mut byte).unwrap();
            assert_eq!(byte, [number as u8]);
        }
        assert!(receive(other.as_fd()).unwrap().is_empty());
        // Who sends too many sends none, and who has ended sends nothing.
        let many = vec![one.as_fd(); MAX_NETWORKS + 1];
        assert!(send(one.as_fd(), &many).is_err());
        drop(one);
        assert_eq!(receive(other.as_fd()).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
