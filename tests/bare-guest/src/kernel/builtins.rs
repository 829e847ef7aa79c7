//! What compiled code expects of a C library, where the compiler's target does not bring it along.

use core::ffi::c_int;

/// Copies bytes between places that don't overlap.
///
/// # Safety
/// As for C's function of this name, like that of all others here.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // Volatile, here and below: otherwise the compiler would make a call of memcpy of it.
    // SAFETY: the caller vouches for both places.
    (0..len).for_each(|i| unsafe { to.add(i).write_volatile(from.add(i).read()) });
    to
}

/// Copies bytes between places that may overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller vouches for both places.
    let copy = |i| unsafe { to.add(i).write_volatile(from.add(i).read()) };
    if to.addr() <= from.addr() {
        (0..len).for_each(copy)
    } else {
        (0..len).rev().for_each(copy)
    }
    to
}

/// Fills with a byte.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: c_int, len: usize) -> *mut u8 {
    // SAFETY: the caller vouches for the place.
    (0..len).for_each(|i| unsafe { to.add(i).write_volatile(byte as u8) });
    to
}

/// Compares bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> c_int {
    // SAFETY: the caller vouches for both places.
    let pair = |i| unsafe { (a.add(i).read_volatile(), b.add(i).read_volatile()) };
    let difference = (0..len).map(pair).find(|(a, b)| a != b);
    difference.map_or(0, |(a, b)| c_int::from(a) - c_int::from(b))
}

/// Tells whether bytes differ.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> c_int {
    // SAFETY: the caller vouches for both places.
    unsafe { memcmp(a, b, len) }
}
