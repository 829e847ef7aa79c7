//! The socket device (virtio 1.2 §5.10): byte streams between programs in the guest and programs
//! on the host.
//!
//! A guest program connects to context identifier 2 (the host) and a port, or listens at a port
//! that a host program asks for; what a connection is on the host is the [`Backend`]'s business.
//! There are three queues: *rx* (to the guest), *tx* (from the guest) and *event*.
//!
//! | module | concept |
//! |---|---|
//! | `packet` | the header of every packet |
//! | `credit` | flow control: who may send how much |
//! | `buffer` | bytes that the host's stream did not take yet |
//! | `connection` | the state machine of one connection |
//! | `table` | all connections, whose turn it is, and the RSTs that are owed |
//! | `traffic` | between the queues and the table |
//! | `backend` | the host's side, as a trait |
//! | `handshake` | the `CONNECT port` line of a host program |
//!
//! How it is driven: a notification of the driver's makes the device do all there is to do
//! ([`Vsock::work`]). An event of the host's is first told ([`Vsock::stream_ready`],
//! [`Vsock::host_connected`]), any number of them, and then follows one `work`, through
//! [`Mmio::with_device`](super::mmio::Mmio::with_device).
//!
//! What bounds the device is in [`crate::limits`], and [`BUF_ALLOC`] for each connection. Past the limit on the RSTs
//! that wait, packets of the guest's stay in the tx queue until it takes some.
//!
//! Snapshots: connections do not outlive one, for their host's ends can't. A device restored from
//! a state that was saved with connections open tells the driver so (TRANSPORT_RESET on the event
//! queue), and the guest's sockets see a reset. A device saved without goes on as if nothing had
//! been.

mod backend;
mod buffer;
mod connection;
mod credit;
mod handshake;
mod packet;
mod table;
#[cfg(test)]
mod tests;
mod traffic;

pub use backend::{Backend, ConnectionId, Interest};
pub use credit::BUF_ALLOC;
pub use handshake::{CONNECT_LINE_MAX, ConnectLine, ConnectLineError, ConnectProgress};

use serde::{Deserialize, Serialize};

use super::queue::{Queue, QueueError};
use super::{ImmediateDevice, VirtioDevice, read_config_bytes};
use crate::{Device, GuestMemory, RestoreError};
use connection::Connection;
use table::{END_HOST_PORT, FIRST_HOST_PORT, Table};

/// Device ID of a socket device (virtio 1.2 §5.10).
const DEVICE_ID: u32 = 19;
/// Sizes of the rx, tx and event queues (virtio 1.2 §5.10.2). Linux keeps the rx queue full of
/// 4 KiB buffers.
const QUEUE_SIZES: [u16; 3] = [256, 256, 16];

/// The socket device.
pub struct Vsock<B: Backend> {
    guest_cid: u64,
    backend: B,
    table: Table<B::Stream>,
    /// Between DRIVER_OK and reset.
    running: bool,
    /// The driver is to be told that all connections are gone.
    transport_reset: bool,
    next_host_port: u32,
    /// Connections whose poll interest may have changed.
    touched: Vec<ConnectionId>,
    /// The data of the packet under way; never longer than what one side may send ahead.
    data: Box<[u8]>,
}

/// What a snapshot holds of the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VsockState {
    /// The driver has finished its set-up.
    pub running: bool,
    /// There were connections, or the driver was not yet told that earlier ones are gone.
    pub transport_reset: bool,
    /// The port at which the search for a free one goes on.
    pub next_host_port: u32,
}

impl<B: Backend> Vsock<B> {
    /// A device whose guest has this context identifier: at least 3, below 2^32 - 1 (virtio 1.2
    /// §5.10.4 reserves the others).
    pub fn new(guest_cid: u64, backend: B) -> Self {
        Self {
            guest_cid,
            backend,
            table: Table::new(),
            running: false,
            transport_reset: false,
            next_host_port: FIRST_HOST_PORT,
            touched: Vec::new(),
            data: vec![0; BUF_ALLOC as usize].into_boxed_slice(),
        }
    }

    /// Bytes that the guest has sent and the host's streams have not taken yet. A machine that
    /// stops in order goes on calling [`Vsock::stream_ready`] until there are none.
    pub fn buffered(&self) -> usize {
        self.table.buffered()
    }

    /// A program of the host's wants to talk to `guest_port`. When the guest agrees, the stream
    /// gets the line `OK host_port\n`; when not, it is closed. `None`: it is closed now, because
    /// there are too many connections or no driver. Call [`Vsock::work`] afterwards.
    pub fn host_connected(&mut self, stream: B::Stream, guest_port: u32) -> Option<ConnectionId> {
        if !self.running || self.table.is_full() {
            return None;
        }
        let (host_port, next) = self.table.free_host_port(self.next_host_port, guest_port);
        self.next_host_port = next;
        let id = ConnectionId { host_port, guest_port };
        self.table.insert(id, Connection::requested(id, stream));
        self.touched.push(id);
        Some(id)
    }

    /// A [`REQUEST_TICK`] has gone by since a program of the host's was let in, or since the last call: programs that
    /// have waited for the guest's answer for [`MAX_REQUEST_TICKS`](crate::limits::MAX_REQUEST_TICKS) are sent away.
    /// True: others wait on, call again. Call [`Vsock::work`] afterwards.
    ///
    /// [`REQUEST_TICK`]: crate::limits::REQUEST_TICK
    #[must_use = "true: some wait on"]
    pub fn tick(&mut self) -> bool {
        self.table.tick()
    }

    /// The poll of a connection's stream says this. An unknown connection is ignored: an event may
    /// come late. Call [`Vsock::work`] afterwards.
    pub fn stream_ready(&mut self, id: ConnectionId, ready: Interest) {
        let Some(connection) = self.table.get_mut(id) else { return };
        let fate = connection.ready(ready, &mut self.backend);
        self.table.settle(id, fate);
        // At once: a paused or broken device has no `work` that would do it, and the poll would
        // say the same again and again.
        self.touched.push(id);
        self.sync_interest();
    }

    /// Does all there is to do.
    pub fn work(&mut self, queues: &mut [Queue], mem: &GuestMemory) -> Result<(), QueueError> {
        let [rx, tx, event] = queues else { return Ok(()) };
        let result = self.exchange(rx, tx, event, mem);
        if result.is_err() {
            // The transport stops the device; nothing may be polled that it can't serve.
            self.stop();
        }
        self.sync_interest();
        result
    }

    fn stop(&mut self) {
        self.running = false;
        self.touched = self.table.forget_all();
        self.sync_interest();
    }

    fn sync_interest(&mut self) {
        for id in self.touched.drain(..) {
            if let Some(connection) = self.table.get_mut(id) {
                connection.sync_interest(&mut self.backend);
            }
        }
    }
}

impl<B: Backend> Device for Vsock<B> {
    type State = VsockState;

    fn reset(&mut self) {
        self.stop();
        self.transport_reset = false;
        self.next_host_port = FIRST_HOST_PORT;
    }

    fn save(&self) -> VsockState {
        VsockState {
            running: self.running,
            transport_reset: self.transport_reset || self.table.is_known_to_guest(),
            next_host_port: self.next_host_port,
        }
    }

    fn restore(&mut self, state: &VsockState) -> Result<(), RestoreError> {
        if !(FIRST_HOST_PORT..END_HOST_PORT).contains(&state.next_host_port) {
            return Err(RestoreError::new(
                "vsock",
                "next_host_port",
                state.next_host_port,
                format_args!("from {FIRST_HOST_PORT} up to {}", END_HOST_PORT - 1),
            ));
        }
        self.stop();
        self.running = state.running;
        self.transport_reset = state.transport_reset;
        self.next_host_port = state.next_host_port;
        Ok(())
    }
}

impl<B: Backend> VirtioDevice for Vsock<B> {
    fn device_id(&self) -> u32 {
        DEVICE_ID
    }

    fn queue_max_sizes(&self) -> &[u16] {
        &QUEUE_SIZES
    }

    /// None: a device without feature bits has stream sockets (virtio 1.2 §5.10.3).
    fn features(&self) -> u64 {
        0
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        read_config_bytes(&self.guest_cid.to_le_bytes(), offset, data);
    }

    fn activate(&mut self, _features: u64, _queues: &[Queue]) {
        self.running = true;
    }
}

impl<B: Backend> ImmediateDevice for Vsock<B> {
    fn process(
        &mut self,
        _index: usize,
        queues: &mut [Queue],
        mem: &GuestMemory,
    ) -> Result<(), QueueError> {
        self.work(queues, mem)
    }
}
