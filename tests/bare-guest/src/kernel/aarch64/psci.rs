//! Calls of the firmware, which the hypervisor answers (Arm DEN0022F).

use core::arch::asm;

pub const VERSION: u32 = 0x8400_0000;
pub const CPU_ON: u32 = 0xc400_0003;
pub const AFFINITY_INFO: u32 = 0xc400_0004;
pub const SYSTEM_OFF: u32 = 0x8400_0008;

/// Calls a function by HVC, and gives its result; below zero are errors.
pub fn call(function: u32, arguments: [u64; 3]) -> i32 {
    let result: u64;
    // SAFETY: no function changes memory of this program. Registers are kept as in a call of the C ABI (Arm DEN0028 §2.6).
    unsafe {
        asm!("hvc #0", inlateout("x0") u64::from(function) => result,
            in("x1") arguments[0], in("x2") arguments[1], in("x3") arguments[2], clobber_abi("C"))
    }
    result as i32
}
