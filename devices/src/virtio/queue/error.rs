//! How a driver can break the rules of a queue.

use vm_memory::GuestMemoryError;

/// The driver broke a rule: the device needs a reset (virtio 1.2 §2.1.2).
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// A size that is no power of two or above the device's maximum.
    #[error("queue size {size}: must be a power of two up to {max}")]
    Size {
        /// What the driver chose.
        size: u16,
        /// What the device offers.
        max: u16,
    },
    /// A ring or table that is not aligned as virtio 1.2 §2.7 demands.
    #[error("queue area at {address:#x}: must be a multiple of {alignment}")]
    Alignment {
        /// Where the driver put it.
        address: u64,
        /// What its address must be a multiple of.
        alignment: u64,
    },
    /// An area or buffer that is not wholly inside guest memory.
    #[error("{len} bytes at {address:#x}: must be inside guest memory")]
    Outside {
        /// Where it starts.
        address: u64,
        /// Its length.
        len: u64,
    },
    /// An address that wraps past the end of the address space.
    #[error("queue area at {address:#x}: wraps around the address space")]
    Wraps {
        /// Where it starts.
        address: u64,
    },
    /// The available index is further ahead than the queue is long.
    #[error("available index {idx}: must be at most {size} ahead of {next}")]
    AvailableIndex {
        /// The driver's index.
        idx: u16,
        /// The device's next position.
        next: u16,
        /// The size of the queue.
        size: u16,
    },
    /// A chain head outside the descriptor table.
    #[error("chain head {head}: must be below the queue size {size}")]
    Head {
        /// The head.
        head: u16,
        /// The size of the queue.
        size: u16,
    },
    /// A `next` field outside the table it stands in.
    #[error("next descriptor {next}: must be below the table's length {len}")]
    Next {
        /// The field.
        next: u16,
        /// How many descriptors the table has.
        len: u32,
    },
    /// More descriptors than the queue is long: perhaps a loop.
    #[error("descriptor chain at head {head}: must have at most {size} descriptors")]
    TooManyDescriptors {
        /// Where the chain starts.
        head: u16,
        /// The size of the queue.
        size: u16,
    },
    /// More bytes than virtio 1.2 §2.7.5 allows.
    #[error("descriptor chain at head {head}: must hold at most 2^32 bytes")]
    TooManyBytes {
        /// Where the chain starts.
        head: u16,
    },
    /// A readable descriptor after a writable one.
    #[error("descriptor chain at head {head}: readable buffers must come before writable ones")]
    Order {
        /// Where the chain starts.
        head: u16,
    },
    /// An indirect descriptor inside an indirect table, or one with a `next`.
    #[error(
        "descriptor chain at head {head}: an indirect descriptor must be the last one and not nested"
    )]
    Indirect {
        /// Where the chain starts.
        head: u16,
    },
    /// An indirect descriptor, of a driver that did not accept VIRTIO_F_INDIRECT_DESC (virtio 1.2 §2.7.5.3.1).
    #[error("descriptor chain at head {head}: indirect descriptors need VIRTIO_F_INDIRECT_DESC")]
    IndirectNotAgreed {
        /// Where the chain starts.
        head: u16,
    },
    /// A table that is empty, no multiple of a descriptor's size, or longer than `next` can count.
    #[error("indirect table of {len} bytes: must be a multiple of 16, from 16 to 1048560")]
    IndirectLength {
        /// Its length.
        len: u32,
    },
    /// The chain is not what this kind of device asks for.
    #[error("descriptor chain at head {head}: {problem}")]
    Layout {
        /// Where the chain starts.
        head: u16,
        /// What is wrong, and what would be right.
        problem: &'static str,
    },
    /// An access past the end of a chain.
    #[error(
        "bytes {offset}..+{len} of a descriptor chain part: must be inside its {available} bytes"
    )]
    PastEnd {
        /// Where the access starts.
        offset: u64,
        /// How long it is.
        len: u64,
        /// How long the part is.
        available: u64,
    },
    /// Guest memory refused the access.
    #[error("queue memory: {0}")]
    Memory(#[from] GuestMemoryError),
}
