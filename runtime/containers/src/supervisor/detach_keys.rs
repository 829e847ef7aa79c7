//! The keys with which a person leaves a terminal and lets its process go on: Ctrl-P, then Ctrl-Q, as docker has it.

const CTRL_P: u8 = 0x10;
const CTRL_Q: u8 = 0x11;

/// What has been typed of them.
#[derive(Default)]
pub(super) struct DetachKeys {
    held_back: bool,
}

impl DetachKeys {
    /// What of these bytes goes through. `None`: the keys were pressed.
    pub(super) fn filter(&mut self, typed: &[u8]) -> Option<Vec<u8>> {
        let mut through = Vec::with_capacity(typed.len() + 1);
        for &byte in typed {
            if std::mem::take(&mut self.held_back) {
                if byte == CTRL_Q {
                    return None;
                }
                through.push(CTRL_P);
            }
            match byte {
                CTRL_P => self.held_back = true,
                byte => through.push(byte),
            }
        }
        Some(through)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_two_keys_leave() {
        let mut keys = DetachKeys::default();
        assert_eq!(keys.filter(b"ls\x10").as_deref(), Some(&b"ls"[..]));
        assert_eq!(keys.filter(b"\x10\x10x").as_deref(), Some(&b"\x10\x10\x10x"[..]));
        assert_eq!(keys.filter(b"\x11\x10").as_deref(), Some(&b"\x11"[..]));
        assert_eq!(keys.filter(b"\x11"), None);
    }

    proptest! {
        #[test]
        fn other_keys_go_through_in_whatever_portions(
            typed: Vec<Vec<u8>>,
        ) {
            let all: Vec<u8> = typed.concat();
            prop_assume!(!all.windows(2).any(|two| two == [CTRL_P, CTRL_Q]));
            let mut keys = DetachKeys::default();
            let mut through = Vec::new();
            for part in &typed {
                through.extend(keys.filter(part).unwrap());
            }
            if keys.held_back {
                through.push(CTRL_P);
            }
            prop_assert_eq!(through, all);
        }
    }
}
