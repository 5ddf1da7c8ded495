//! Events and L2->L1 logs.

use crate::decode::Instruction;
use crate::events::{L2ToL1Log, RawEvent};
use crate::exec::{Cx, Done, Next};
use crate::host::Host;
use crate::observer::Observer;

/// Emits one piece of an event.
pub(super) fn event<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let event = RawEvent {
        shard_id: 0,
        is_first: i.flag0,
        tx_number: cx.ex.tx_number,
        address: cx.ex.frame.this,
        key: cx.register(i.src0).word,
        value: cx.register(i.src1).word,
    };
    cx.host.event(event, cx.observer);
    Ok(Next::Continue)
}

/// Emits an L2->L1 log; the flag marks it as a service message.
pub(super) fn to_l1<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let log = L2ToL1Log {
        shard_id: 0,
        is_service: i.flag0,
        tx_number: cx.ex.tx_number,
        address: cx.ex.frame.this,
        key: cx.register(i.src0).word,
        value: cx.register(i.src1).word,
    };
    cx.host.l2_to_l1_log(log, cx.observer);
    Ok(Next::Continue)
}
