//! A VM's snapshot, which may be damaged, forged or another machine's.

use hypervisor::snapshot::{Snapshot, with_header};

use crate::kernel::check_refusal;

/// A file, and the content of one: it is refused, or can be written again.
pub fn snapshot(bytes: &[u8]) {
    check(bytes);
    // Hardly any change comes past the checksum, and whoever forges a file makes it right.
    check(&with_header(bytes));
}

fn check(file: &[u8]) {
    match Snapshot::decode(file) {
        Ok(snapshot) => {
            let again = snapshot.encode().expect("what was read");
            // But for the last digit of a number that no device has: a fraction.
            Snapshot::decode(&again).expect("what was written");
        }
        Err(error) => check_refusal(&error),
    }
}
