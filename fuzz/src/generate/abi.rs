//! ABI words of far calls and returns, well-formed and not.

use eradbg_vm::{FatPointer, U256};

use crate::generate::Writer;

/// Forwarding mode in which a word must be a pointer.
pub(super) const FORWARD_POINTER: u8 = 1;

/// An ABI word of a far call, with its forwarding mode.
pub(super) fn far_call(w: &mut Writer<'_, '_>) -> (U256, u8) {
    let mode = mode(w);
    let slice = slice(w);
    let ergs = match w.choices.below(8) {
        0..=3 => u32::MAX,
        4 => 0,
        5 => w.choices.below(500) as u32,
        _ => w.choices.below(100_000) as u32,
    };
    let c = &mut *w.choices;
    let shard = u8::from(c.once_in(200));
    let [constructor, system] = [8, 2].map(|times| {
        if c.once_in(times) {
            c.pick(&[1, 1, 0x80])
        } else {
            0
        }
    });
    let marks = u32::from_le_bytes([mode, shard, constructor, system]);
    (join(slice, u64::from(ergs) | u64::from(marks) << 32), mode)
}

/// An ABI word of a return, with its forwarding mode.
pub(super) fn ret(w: &mut Writer<'_, '_>) -> (U256, u8) {
    let mode = mode(w);
    let slice = slice(w);
    (join(slice, u64::from(mode) << 32), mode)
}

/// The part of an ABI word that is packed onto a pointer.
pub(super) fn upper_half(word: U256) -> U256 {
    let U256([_, _, low, high]) = word;
    U256([0, 0, low, high])
}

fn join(slice: FatPointer, high: u64) -> U256 {
    slice.to_word() | U256([0, 0, 0, high])
}

fn mode(w: &mut Writer<'_, '_>) -> u8 {
    w.choices
        .pick(&[0, 0, 0, FORWARD_POINTER, FORWARD_POINTER, 2, 2, 3])
}

/// Mostly a slice of memory that is paid for; sometimes one that has to be paid, or no slice at all.
fn slice(w: &mut Writer<'_, '_>) -> FatPointer {
    let c = &mut *w.choices;
    let odd = c.once_in(6);
    let start = if odd {
        c.pick(&[4096, 57_344, 1 << 21, u32::MAX, 5000])
    } else {
        c.pick(&[0, 0, 4, 32, 64, 100])
    };
    let length = if odd {
        c.pick(&[0, 1, 4097, 60_000, u32::MAX])
    } else {
        c.pick(&[0, 32, 36, 64, 200, 1])
    };
    FatPointer {
        offset: if c.once_in(24) { 1 + c.below(40) as u32 } else { 0 },
        page: if c.once_in(24) { c.below(3000) as u32 } else { 0 },
        start,
        length,
    }
}
