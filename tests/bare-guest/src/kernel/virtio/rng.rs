//! The entropy device (virtio 1.2 §5.4).

use super::Device;
use super::queue::By;
use crate::kernel::dma::Page;
use crate::kernel::machine::interrupts::LINE;
use crate::kernel::report::{Fault, Line, put};

const LEN: u32 = 16;

/// Two requests give bytes, and not the same.
pub fn check(line: &mut Line, device: &Device) -> Result<(), Fault> {
    device.negotiate(0)?;
    let mut queue = device.queue(0)?;
    device.start();
    let page = Page::take().ok_or("out of pages")?;
    let mut values = [0u128; 2];
    for value in &mut values {
        queue.offer(&[(page.address(), LEN, By::Device)]);
        device.notify(&queue);
        let len = device.wait(&mut queue)?;
        if len == 0 || len > LEN {
            return Err("a request gives no bytes, or too many");
        }
        *value = u128::from_le_bytes(page.get(0));
        put!(line, "{len} bytes by {LINE} {}, ", device.line);
    }
    if values[0] == values[1] || values.contains(&0) {
        return Err("the bytes are not random");
    }
    put!(line, "all different");
    Ok(())
}
