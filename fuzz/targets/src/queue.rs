//! A virtqueue over memory that its driver scribbles on.

use devices::GuestMemory;
use devices::virtio::queue::{Area, Buffer, Queue};
use vm_memory::{Address, Bytes, GuestAddress, GuestMemoryBackend};

use crate::input::Input;
use devices::testing::memory;

/// So small that any two bytes hit a ring now and then.
const MEMORY: usize = 0x4000;

/// The largest queue that the device offers.
const MAX_SIZE: u16 = 64;

/// Everything that a device does with a queue, in any order.
pub fn queue(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mem = memory(MEMORY);
    let mut queue = Queue::new(MAX_SIZE);
    queue.set_indirect(true);
    let mut popped = Vec::new();
    while step(&mut input, &mut queue, &mem, &mut popped).is_some() {}
}

fn step(
    input: &mut Input,
    queue: &mut Queue,
    mem: &GuestMemory,
    popped: &mut Vec<u16>,
) -> Option<()> {
    match input.u8()? % 14 {
        0 => drop(queue.set_size(input.u8()?.into())),
        1 => set_up(input, queue, mem)?,
        2 => {
            queue.reset();
            popped.clear();
        }
        3 => {
            let features = input.u8()?;
            queue.set_event_index(features & 1 != 0);
            queue.set_indirect(features & 2 == 0);
        }
        4..=6 => scribble(input, mem)?,
        7 | 8 => pop(queue, mem, popped),
        9 => {
            let head = if input.bool()? { popped.pop() } else { Some(input.u16()?) };
            if let Some(head) = head {
                let pushed = queue.push(mem, head, input.u32()?);
                assert!(pushed.is_err() || head < queue.state().size);
            }
        }
        10 => {
            let _ = queue.needs_interrupt(mem);
            // Nothing was pushed since.
            assert!(!matches!(queue.needs_interrupt(mem), Ok(true)));
        }
        11 => drop(queue.enable_notification(mem)),
        _ => offer(input, queue, mem)?,
    }
    if queue.is_ready() {
        let restored = Queue::from_state(queue.state().clone(), mem);
        assert_eq!(restored.expect("a queue that is in use").state(), queue.state());
    }
    Some(())
}

/// As a driver does, with places that are mostly good ones.
fn set_up(input: &mut Input, queue: &mut Queue, mem: &GuestMemory) -> Option<()> {
    drop(queue.set_ready(false, mem));
    for (area, alignment) in [(Area::Descriptors, 16), (Area::Driver, 2), (Area::Device, 4)] {
        queue.set_address(area, input.number()?.wrapping_mul(alignment));
    }
    let ready = queue.set_ready(true, mem);
    assert_eq!(ready.is_ok(), queue.is_ready());
    Some(())
}

/// A descriptor's number in the next place of the available ring, as a driver does it.
fn offer(input: &mut Input, queue: &Queue, mem: &GuestMemory) -> Option<()> {
    let ring = GuestAddress(queue.address(Area::Driver));
    let head = input.u16()?;
    let index =
        ring.checked_add(2).and_then(|at| mem.read_obj::<u16>(at).ok().map(|old| (at, old)));
    if let Some((at, old)) = index {
        let slot = 2 + 2 * u64::from(old % queue.state().size);
        let _ = at.checked_add(slot).map(|slot| mem.write_obj(head, slot));
        let _ = mem.write_obj(old.wrapping_add(1), at);
    }
    Some(())
}

/// A descriptor, an index, or any bytes.
fn scribble(input: &mut Input, mem: &GuestMemory) -> Option<()> {
    let at = u64::from(input.u16()?) % MEMORY as u64;
    let len = usize::from(input.u8()? % 17);
    // What does not fit is lost.
    let _ = mem.write_slice(input.bytes(len)?, GuestAddress(at));
    Some(())
}

fn pop(queue: &mut Queue, mem: &GuestMemory, popped: &mut Vec<u16>) {
    let before = queue.state().clone();
    let Ok(Some(chain)) = queue.pop(mem) else {
        assert_eq!(*queue.state(), before, "nothing was taken");
        return;
    };
    let size = usize::from(before.size);
    assert!(before.ready && usize::from(chain.head) < size);
    assert!(chain.readable.len() + chain.writable.len() <= size);
    assert!(chain.readable_len() + chain.writable_len() <= 1 << 32);
    let inside = |buffer: &Buffer| mem.check_range(buffer.addr, buffer.len as usize);
    assert!(chain.readable.iter().chain(&chain.writable).all(inside));
    let mut data = [0; 64];
    let len = usize::try_from(chain.readable_len()).unwrap_or(usize::MAX).min(data.len());
    chain.read_at(mem, 0, &mut data[..len]).expect("checked bytes");
    // What is put back is what comes next.
    queue.undo_pop();
    assert_eq!(*queue.state(), before);
    assert_eq!(queue.pop(mem).expect("as before"), Some(chain.clone()));
    popped.push(chain.head);
    popped.truncate(size);
}
