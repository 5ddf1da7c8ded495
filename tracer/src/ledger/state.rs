//! Rows about `VMState`: every change with old and new value, so that the state can be walked both ways.

use eradbg_vm::U256;
use eradbg_vm::events::{L2ToL1Log, RawEvent};
use eradbg_vm::state::{Decommit, Restored, StorageAccess};
use eradbg_vm::storage::StorageKey;

use crate::ledger::{LedgerKind, Row};
use crate::store::codec::{Decoder, Encoder, Malformed};

/// A change of `VMState`, or an access to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateRow {
    /// A storage access.
    Storage(StorageAccess),
    /// A transient access; `new` is `None` for a read.
    Transient {
        /// The slot.
        key: StorageKey,
        /// Value before.
        old: U256,
        /// Value written.
        new: Option<U256>,
    },
    /// Code that was asked for or loaded.
    Decommit(Decommit),
    /// Pubdata that a precompile call declared.
    Pubdata(i32),
    /// A piece of an event.
    Event(RawEvent),
    /// An L2->L1 log.
    Log(L2ToL1Log),
    /// Something that a rollback took back.
    Restored(Restored),
    /// The next transaction started: transient storage was cleared of these slots.
    NextTransaction(Vec<(StorageKey, U256)>),
}

impl StateRow {
    /// Bytes that it adds to the pubdata counter; `None` where it is not about pubdata.
    pub fn pubdata(&self) -> Option<i32> {
        match self {
            Self::Storage(access) if access.new.is_some() => Some(access.pubdata),
            Self::Pubdata(bytes) => Some(*bytes),
            Self::Restored(Restored::Pubdata { from, to }) => Some(to.wrapping_sub(*from)),
            _ => None,
        }
    }
}

impl Row for StateRow {
    const KIND: LedgerKind = LedgerKind::State;

    fn encode(&self, e: &mut Encoder) {
        match self {
            Self::Storage(access) => {
                e.u8(0);
                encode_access(e, access);
            }
            Self::Transient { key, old, new } => {
                e.u8(1);
                encode_key(e, *key);
                e.word(*old);
                e.option(*new, Encoder::word);
            }
            Self::Decommit(decommit) => {
                e.u8(2);
                e.word(decommit.hash);
                encode_known(e, decommit.before);
                e.option(decommit.page, Encoder::number);
            }
            Self::Pubdata(bytes) => {
                e.u8(3);
                e.signed((*bytes).into());
            }
            Self::Event(event) => {
                e.u8(4);
                encode_event(e, event);
            }
            Self::Log(log) => {
                e.u8(5);
                encode_log(e, log);
            }
            Self::Restored(restored) => {
                e.u8(6);
                encode_restored(e, restored);
            }
            Self::NextTransaction(cleared) => {
                e.u8(7);
                encode_slots(e, cleared);
            }
        }
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(match d.u8()? {
            0 => Self::Storage(decode_access(d)?),
            1 => Self::Transient {
                key: decode_key(d)?,
                old: d.word()?,
                new: d.option(Decoder::word)?,
            },
            2 => Self::Decommit(Decommit {
                hash: d.word()?,
                before: decode_known(d)?,
                page: d.option(Decoder::number)?,
            }),
            3 => Self::Pubdata(d.signed()?),
            4 => Self::Event(decode_event(d)?),
            5 => Self::Log(decode_log(d)?),
            6 => Self::Restored(decode_restored(d)?),
            7 => Self::NextTransaction(decode_slots(d)?),
            _ => return Err(Malformed),
        })
    }
}

fn encode_key(e: &mut Encoder, key: StorageKey) {
    e.address(key.address);
    e.word(key.key);
}

fn decode_key(d: &mut Decoder<'_>) -> Result<StorageKey, Malformed> {
    Ok(StorageKey {
        address: d.address()?,
        key: d.word()?,
    })
}

fn encode_access(e: &mut Encoder, a: &StorageAccess) {
    encode_key(e, a.key);
    e.bits([
        a.new.is_some(),
        a.by_far_call,
        a.was_read,
        a.was_written,
        a.is_free,
        a.is_initial,
        a.paid_before.is_some(),
    ]);
    e.word(a.old);
    e.word(a.initial_value);
    e.word(a.new.unwrap_or_default());
    e.number(a.refund);
    e.number(a.price);
    e.number(a.paid_before.unwrap_or(0));
    e.signed(a.pubdata.into());
}

fn decode_access(d: &mut Decoder<'_>) -> Result<StorageAccess, Malformed> {
    let key = decode_key(d)?;
    let [
        is_write,
        by_far_call,
        was_read,
        was_written,
        is_free,
        is_initial,
        was_paid,
    ] = d.bits()?;
    let (old, initial_value, new) = (d.word()?, d.word()?, d.word()?);
    let (refund, price, paid_before, pubdata) = (d.number()?, d.number()?, d.number()?, d.signed()?);
    Ok(StorageAccess {
        key,
        old,
        new: is_write.then_some(new),
        by_far_call,
        was_read,
        was_written,
        is_free,
        is_initial,
        initial_value,
        refund,
        price,
        paid_before: was_paid.then_some(paid_before),
        pubdata,
    })
}

/// What was known about a code hash: nothing, that it was asked for, or its page.
fn encode_known(e: &mut Encoder, known: Option<Option<u32>>) {
    e.option(known, |e, page| e.option(page, Encoder::number));
}

fn decode_known(d: &mut Decoder<'_>) -> Result<Option<Option<u32>>, Malformed> {
    d.option(|d| d.option(Decoder::number))
}

fn encode_event(e: &mut Encoder, event: &RawEvent) {
    e.u8(event.shard_id);
    e.u8(u8::from(event.is_first));
    e.number(event.tx_number);
    e.address(event.address);
    e.word(event.key);
    e.word(event.value);
}

fn decode_event(d: &mut Decoder<'_>) -> Result<RawEvent, Malformed> {
    let shard_id = d.u8()?;
    let [is_first] = d.bits()?;
    let (tx_number, address) = (d.number()?, d.address()?);
    Ok(RawEvent {
        shard_id,
        is_first,
        tx_number,
        address,
        key: d.word()?,
        value: d.word()?,
    })
}

fn encode_log(e: &mut Encoder, log: &L2ToL1Log) {
    e.u8(log.shard_id);
    e.u8(u8::from(log.is_service));
    e.number(log.tx_number);
    e.address(log.address);
    e.word(log.key);
    e.word(log.value);
}

fn decode_log(d: &mut Decoder<'_>) -> Result<L2ToL1Log, Malformed> {
    let shard_id = d.u8()?;
    let [is_service] = d.bits()?;
    let (tx_number, address) = (d.number()?, d.address()?);
    Ok(L2ToL1Log {
        shard_id,
        is_service,
        tx_number,
        address,
        key: d.word()?,
        value: d.word()?,
    })
}

fn encode_slots(e: &mut Encoder, slots: &[(StorageKey, U256)]) {
    encode_list(e, slots, |e, (key, value)| {
        encode_key(e, *key);
        e.word(*value);
    });
}

fn decode_slots(d: &mut Decoder<'_>) -> Result<Vec<(StorageKey, U256)>, Malformed> {
    decode_list(d, |d| Ok((decode_key(d)?, d.word()?)))
}

fn encode_list<T>(e: &mut Encoder, items: &[T], mut write: impl FnMut(&mut Encoder, &T)) {
    e.number(items.len() as u64);
    for item in items {
        write(e, item);
    }
}

fn decode_list<'a, T>(
    d: &mut Decoder<'a>,
    mut read: impl FnMut(&mut Decoder<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = d.count()?;
    (0..count).map(|_| read(d)).collect()
}

fn encode_restored(e: &mut Encoder, restored: &Restored) {
    match restored {
        Restored::Storage {
            key,
            from,
            to,
            initial,
            is_initial,
            paid_from,
            paid_to,
        } => {
            e.u8(0);
            encode_key(e, *key);
            e.word(*from);
            e.option(*to, Encoder::word);
            e.word(*initial);
            e.u8(u8::from(*is_initial));
            e.number(*paid_from);
            e.option(*paid_to, Encoder::number);
        }
        Restored::Transient { key, from, to } => {
            e.u8(1);
            encode_key(e, *key);
            e.word(*from);
            e.option(*to, Encoder::word);
        }
        Restored::TransientCleared(slots) => {
            e.u8(2);
            encode_slots(e, slots);
        }
        Restored::Events(events) => {
            e.u8(3);
            encode_list(e, events, encode_event);
        }
        Restored::L2ToL1Logs(logs) => {
            e.u8(4);
            encode_list(e, logs, encode_log);
        }
        Restored::Pubdata { from, to } => {
            e.u8(5);
            e.signed((*from).into());
            e.signed((*to).into());
        }
        Restored::ReadSlot(key) => {
            e.u8(6);
            encode_key(e, *key);
        }
        Restored::WrittenSlot(key) => {
            e.u8(7);
            encode_key(e, *key);
        }
        Restored::Decommitted { hash, from, to } => {
            e.u8(8);
            e.word(*hash);
            e.option(*from, Encoder::number);
            encode_known(e, *to);
        }
        Restored::Refunds(refunds) => {
            e.u8(9);
            encode_list(e, refunds, |e, &refund| e.number(refund));
        }
        Restored::PubdataCosts(costs) => {
            e.u8(10);
            encode_list(e, costs, |e, &cost| e.signed(cost.into()));
        }
    }
}

fn decode_restored(d: &mut Decoder<'_>) -> Result<Restored, Malformed> {
    Ok(match d.u8()? {
        0 => Restored::Storage {
            key: decode_key(d)?,
            from: d.word()?,
            to: d.option(Decoder::word)?,
            initial: d.word()?,
            is_initial: d.bits().map(|[is_initial]| is_initial)?,
            paid_from: d.number()?,
            paid_to: d.option(Decoder::number)?,
        },
        1 => Restored::Transient {
            key: decode_key(d)?,
            from: d.word()?,
            to: d.option(Decoder::word)?,
        },
        2 => Restored::TransientCleared(decode_slots(d)?),
        3 => Restored::Events(decode_list(d, decode_event)?),
        4 => Restored::L2ToL1Logs(decode_list(d, decode_log)?),
        5 => Restored::Pubdata {
            from: d.signed()?,
            to: d.signed()?,
        },
        6 => Restored::ReadSlot(decode_key(d)?),
        7 => Restored::WrittenSlot(decode_key(d)?),
        8 => Restored::Decommitted {
            hash: d.word()?,
            from: d.option(Decoder::number)?,
            to: decode_known(d)?,
        },
        9 => Restored::Refunds(decode_list(d, Decoder::number)?),
        10 => Restored::PubdataCosts(decode_list(d, Decoder::signed)?),
        _ => return Err(Malformed),
    })
}
