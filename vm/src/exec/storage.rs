//! Storage and transient storage. Prices are static and cold; what an access turns out to cost less is refunded.

use crate::decode::Instruction;
use crate::exec::{Cx, Done, Fault, Next};
use crate::host::{Answer, Host};
use crate::observer::Observer;
use crate::storage::StorageKey;
use crate::value::Value;

/// `dst0 := storage[this, src0]`.
pub(super) fn read<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let key = key(cx, i);
    let (value, refund) = cx.host.storage_read(key, cx.observer).map_err(Fault::outside)?;
    cx.observer.answered(&Answer::StorageRead { value, refund });
    cx.ex.frame.ergs += refund;
    cx.set_register(i.dst0, Value::integer(value));
    Ok(Next::Continue)
}

/// `storage[this, src0] := src1`.
pub(super) fn write<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let key = key(cx, i);
    let value = cx.register(i.src1).word;
    let refund = cx
        .host
        .storage_write(key, value, cx.observer)
        .map_err(Fault::outside)?;
    cx.observer.answered(&Answer::StorageWrite { refund });
    cx.ex.frame.ergs += refund;
    Ok(Next::Continue)
}

/// `dst0 := transient_storage[this, src0]`.
pub(super) fn transient_read<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let key = key(cx, i);
    let value = cx.host.transient_read(key, cx.observer).map_err(Fault::outside)?;
    cx.observer.answered(&Answer::TransientRead { value });
    cx.set_register(i.dst0, Value::integer(value));
    Ok(Next::Continue)
}

/// `transient_storage[this, src0] := src1`.
pub(super) fn transient_write<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    i: &Instruction,
) -> Done<H::Error> {
    let key = key(cx, i);
    let value = cx.register(i.src1).word;
    cx.host.transient_write(key, value, cx.observer);
    Ok(Next::Continue)
}

fn key<H: Host, O: Observer>(cx: &Cx<'_, H, O>, i: &Instruction) -> StorageKey {
    StorageKey {
        address: cx.ex.frame.this,
        key: cx.register(i.src0).word,
    }
}
