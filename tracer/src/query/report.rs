//! Steps that match, as plain data that commands print and tests compare.

use eradbg_vm::bootloader::Hook;
use eradbg_vm::disasm::disassemble;
use eradbg_vm::outcome::RetKind;
use eradbg_vm::state::Restored;
use eradbg_vm::{CallKind, U256, Value};
use serde::Serialize;

use crate::ledger::{CallRow, StateRow};
use crate::query::access::Access;
use crate::query::facts::Effect;
use crate::query::search::Hit;
use crate::recording::Recording;
use crate::symbols;

/// A step that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HitReport {
    /// The step.
    pub step: u64,
    /// The transaction that it belongs to, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx: Option<u32>,
    /// Near and far frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    /// Address that the code belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Program counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pc: Option<u16>,
    /// The instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// Ergs of the frame before the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ergs: Option<u32>,
    /// What it did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<EffectReport>,
}

/// Something that a step did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct EffectReport {
    /// What: `write`, `read`, `restore`, `event`, `call`, `hook` and so on.
    pub kind: String,
    /// To what: a place, an address, a hash, a name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub at: String,
    /// Value before, or the key of an event or log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// Value after, or the value of an event or log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// Ergs refunded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund: Option<u32>,
    /// Pubdata bytes added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pubdata: Option<i32>,
    /// Whether the slot was accessed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm: Option<bool>,
}

impl Hit {
    /// The step as plain data. The recording's overview is loaded.
    pub fn report(&self, recording: &Recording) -> HitReport {
        let transactions = recording.transactions();
        let at = transactions.partition_point(|row| row.first_step <= self.step);
        let row = at.checked_sub(1).map(|at| &transactions[at]);
        let row = row.filter(|row| self.step < row.first_step + row.steps);
        HitReport {
            step: self.step,
            tx: row.map(|row| row.index),
            depth: self.site.map(|site| site.depth),
            address: self.site.map(|site| format!("{:#x}", site.address)),
            pc: self.site.and_then(|site| site.pc),
            instruction: self.site.map(|site| disassemble(&site.instruction)),
            ergs: self.site.map(|site| site.ergs),
            effects: self.effects.iter().map(EffectReport::of).collect(),
        }
    }
}

impl EffectReport {
    fn new(kind: &str, at: String) -> Self {
        Self {
            kind: kind.to_owned(),
            at,
            ..Self::default()
        }
    }

    fn of(effect: &Effect) -> Self {
        match effect {
            Effect::Access(access) => Self::of_access(access),
            Effect::State(row) => Self::of_state(row),
            Effect::Call(CallRow::Entered {
                kind, code_address, ..
            }) => {
                let kind = match kind {
                    CallKind::Normal => "call",
                    CallKind::Delegate => "delegate call",
                    CallKind::Mimic => "mimic call",
                };
                Self::new(kind, format!("{code_address:#x}"))
            }
            Effect::Call(CallRow::Left { entered_at, .. }) => {
                Self::new("leave", format!("frame {entered_at}"))
            }
            Effect::Failure(row) => {
                let kind = if row.kind == RetKind::Revert {
                    "revert"
                } else {
                    "panic"
                };
                let cause = row.cause.map(|cause| cause.name().to_owned());
                Self::new(kind, cause.unwrap_or_default())
            }
            Effect::Hook(id, _) => {
                let name = Hook::new(*id).map_or_else(|| id.to_string(), |hook| hook.name().to_owned());
                Self::new("hook", name)
            }
        }
    }

    fn of_access(access: &Access) -> Self {
        let text = |value: Option<Value>| value.map(|value| word(value.word));
        Self {
            old: text(access.old),
            new: text(access.new),
            ..Self::new(access.kind.name(), access.place.to_string())
        }
    }

    fn of_state(row: &StateRow) -> Self {
        match row {
            StateRow::Storage(access) => {
                let kind = if access.new.is_some() { "write" } else { "read" };
                let (address, slot) = (access.key.address, access.key.key);
                Self {
                    old: Some(word(access.old)),
                    new: access.new.map(word),
                    refund: Some(access.refund),
                    pubdata: access.new.map(|_| access.pubdata),
                    warm: Some(access.was_read || access.was_written),
                    ..Self::new(kind, format!("storage {address:#x} {slot:#x}"))
                }
            }
            StateRow::Transient { key, old, new } => {
                let kind = if new.is_some() { "write" } else { "read" };
                Self {
                    old: Some(word(*old)),
                    new: new.map(word),
                    ..Self::new(kind, format!("transient {:#x} {:#x}", key.address, key.key))
                }
            }
            StateRow::Decommit(decommit) => Self::new("decommit", word(decommit.hash)),
            StateRow::Pubdata(bytes) => Self {
                pubdata: Some(*bytes),
                ..Self::new("pubdata", String::new())
            },
            StateRow::Event(event) => Self {
                old: Some(word(event.key)),
                new: Some(word(event.value)),
                ..Self::new("event", format!("{:#x}", event.address))
            },
            StateRow::Log(log) => Self {
                old: Some(word(log.key)),
                new: Some(word(log.value)),
                ..Self::new("log", format!("{:#x}", log.address))
            },
            StateRow::NextTransaction(cleared) => Self::new(
                "next transaction",
                format!("clears {} transient slots", cleared.len()),
            ),
            StateRow::Restored(restored) => Self::of_restored(restored),
        }
    }

    /// What a rollback restored.
    pub(crate) fn of_restored(restored: &Restored) -> Self {
        let count = |what: &str, count: usize| Self::new("restore", format!("{count} {what}"));
        match restored {
            Restored::Storage {
                key,
                from,
                to,
                initial,
                ..
            } => Self {
                old: Some(word(*from)),
                new: Some(word(to.unwrap_or(*initial))),
                ..Self::new("restore", format!("storage {:#x} {:#x}", key.address, key.key))
            },
            Restored::Transient { key, from, to } => Self {
                old: Some(word(*from)),
                new: Some(word(to.unwrap_or_default())),
                ..Self::new("restore", format!("transient {:#x} {:#x}", key.address, key.key))
            },
            Restored::TransientCleared(slots) => count("transient slots", slots.len()),
            Restored::Events(events) => count("pieces of events", events.len()),
            Restored::L2ToL1Logs(logs) => count("L2->L1 logs", logs.len()),
            Restored::Pubdata { from, to } => Self {
                pubdata: Some(to.wrapping_sub(*from)),
                ..Self::new("restore", "pubdata".to_owned())
            },
            Restored::ReadSlot(key) => {
                Self::new("restore", format!("unread {:#x} {:#x}", key.address, key.key))
            }
            Restored::WrittenSlot(key) => {
                Self::new("restore", format!("unwritten {:#x} {:#x}", key.address, key.key))
            }
            Restored::Decommitted { hash, .. } => Self::new("restore", format!("decommit {}", word(*hash))),
            Restored::Refunds(refunds) => count("refunds", refunds.len()),
            Restored::PubdataCosts(costs) => count("pubdata costs", costs.len()),
        }
    }

    /// One line for a table.
    pub fn text(&self) -> String {
        let words = self.at.split_whitespace();
        let at = words.fold(String::new(), |text, word| text + " " + &short(word));
        let values = match (&self.old, &self.new) {
            (Some(old), Some(new)) => format!(": {} → {}", short(old), short(new)),
            (Some(old), None) => format!(": {}", short(old)),
            (None, Some(new)) => format!(" → {}", short(new)),
            (None, None) => String::new(),
        };
        let refund = self.refund.filter(|&refund| refund > 0);
        let refund = refund.map_or_else(String::new, |refund| format!(", refund {refund}"));
        let pubdata = self.pubdata.filter(|&pubdata| pubdata != 0);
        let pubdata = pubdata.map_or_else(String::new, |pubdata| format!(", pubdata {pubdata:+}"));
        format!("{}{at}{values}{refund}{pubdata}", self.kind)
    }
}

fn word(word: U256) -> String {
    format!("{word:#x}")
}

/// A number of a width: an address by its name, a word cut in its middle.
fn short(word: &str) -> String {
    let is_address = word.len() == 42 && word.starts_with("0x");
    if let Some(address) = is_address.then(|| word.parse().ok()).flatten() {
        symbols::address_text(address)
    } else if word.len() > 20 && word.is_ascii() {
        format!("{}…{}", &word[..10], &word[word.len() - 8..])
    } else {
        word.to_owned()
    }
}
