//! A UART as the host sees it: the far end of its line, which is the guest's console.
//!
//! ```
//! use bulkhead_devices::fixed::{serial::Serial, uart::Uart};
//! use bulkhead_devices::{Interrupt, Registers};
//!
//! struct Line;
//! impl Interrupt for Line {
//!     fn raise(&self) {}
//! }
//!
//! // What the guest sends goes to a file, a pipe or, here, nowhere.
//! let mut serial = Serial::new(Box::new(std::io::sink()), Box::new(Line));
//! serial.write(0, b"A");
//! // What a person types waits until the guest reads it; what does not fit stays with the host.
//! assert_eq!(serial.enqueue(&[b'y'; 100]), 64);
//! let mut byte = [0];
//! serial.read(5, &mut byte); // line status: bit 0, a byte is there
//! assert_eq!(byte[0] & 1, 1);
//! serial.read(0, &mut byte);
//! assert_eq!((byte, serial.input_room()), (*b"y", 1));
//! ```

use crate::{Interrupt, Registers};

/// The receiving half of a UART; the sending half goes to the output it was built with.
///
/// Its buffer is bounded. What does not fit stays with the host, so nothing that a person types or pipes in gets lost.
pub trait Uart: Registers {
    /// Takes as much of `bytes` as fits, and says how much that was.
    fn enqueue(&mut self, bytes: &[u8]) -> usize;

    /// How many bytes [`enqueue`](Self::enqueue) takes now: none while the guest has cut off the line or not yet switched on
    /// the receiver.
    fn input_room(&self) -> usize;

    /// Has `wake` raised whenever the guest has emptied the input buffer, or reconnected an empty one: time to call
    /// [`enqueue`](Self::enqueue) again.
    fn on_input_drained(&mut self, wake: Box<dyn Interrupt>);
}
