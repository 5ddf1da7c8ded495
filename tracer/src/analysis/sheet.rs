//! The sheet of a transaction: each number on the way from its gas limit to the gas that it pays, with the place that it
//! comes from.
//!
//! Source of the rules: `matter-labs/era-contracts` `system-contracts/bootloader/bootloader.yul` (`processL2Tx`,
//! `getGasLimitForTx`, `refundCurrentL2Transaction`) and `SystemConfig.json`; of the operator's formula:
//! [`eradbg_vm::operator::refund`].

use std::ops::Range;

use eradbg_vm::batch::MAX_COMPUTE_GAS;
use eradbg_vm::bootloader::Hook;
use serde::Serialize;

use crate::analysis::encoded::{Encoded, word_of};
use crate::analysis::phase::Phase;
use crate::analysis::preparation::Preparation;
use crate::analysis::pubdata::counter;
use crate::analysis::used::ergs_used;
use crate::analysis::{before, hooks};
use crate::error::Result;
use crate::ledger::TransactionRow;
use crate::numbers::{grouped, signed};
use crate::recording::{HookRow, Recording};

/// What each L2 transaction costs besides its code: gas, and bytes of pubdata.
const L2_INTRINSIC: (u64, u64) = (14_070, 0);
/// The same of a transaction from the base layer.
const L1_INTRINSIC: (u64, u64) = (167_157, 88);
/// Slots of the batch's prices in the bootloader's heap.
const FAIR_PUBDATA_PRICE: usize = 4;
const FAIR_L2_GAS_PRICE: usize = 5;
const BASE_FEE: usize = 6;

/// A number of the sheet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Entry {
    /// The part of the sheet that it belongs to.
    pub part: &'static str,
    /// What it is.
    pub name: String,
    /// The number.
    pub value: i128,
    /// `gas`, `bytes`, `wei`, `wei/gas`, `wei/byte`, `gas/byte`, or nothing.
    pub unit: &'static str,
    /// How it comes about, with the numbers put in; empty for one that stands somewhere.
    pub how: String,
    /// The step at which it was written, paid or told; of one that is computed, that of the last number before it.
    pub step: Option<u64>,
    /// The slot of the bootloader's heap in which it stands.
    pub slot: Option<u32>,
}

/// Part, name and unit of a number.
type Name<'a> = (&'static str, &'a str, &'static str);

/// What a sheet is made of.
struct Sheet<'a> {
    recording: &'a Recording,
    row: &'a TransactionRow,
    /// The transaction, and the machine when its run starts.
    encoded: Encoded,
    entries: Vec<Entry>,
}

/// The sheet of a transaction.
///
/// # Errors
/// When there is no such transaction, the recording cannot be stepped, or a chunk that tells of it is damaged.
pub fn sheet(recording: &Recording, tx: u32) -> Result<Vec<Entry>> {
    recording.check_machine()?;
    recording.load_overview();
    let row = recording.transaction(tx)?;
    let mut sheet = Sheet {
        recording,
        row,
        encoded: Encoded::of(recording, row)?,
        entries: Vec::new(),
    };
    sheet.fill()?;
    Ok(sheet.entries)
}

impl Sheet<'_> {
    fn fill(&mut self) -> Result<()> {
        let prices = self.prices()?;
        let limits = self.limits(&prices);
        let used = self.used()?;
        let Some(asked) = self.hook(Hook::AskOperatorForRefund) else {
            self.note("refund", "the bootloader did not come to the refund");
            return Ok(());
        };
        self.refund(asked, &limits, used, &prices)
    }

    /// Prices of the batch, and what a byte of pubdata costs.
    fn prices(&mut self) -> Result<Prices> {
        // The bootloader uses these slots for other things once it has read them.
        let at_first = before(self.recording, 0)?;
        let mut of_batch = |name, unit, slot| {
            let value = word_of(&at_first, slot).low_u64();
            self.stands(("prices", name, unit), value, slot, 0);
            value
        };
        let fair_gas = of_batch("fair L2 gas price", "wei/gas", FAIR_L2_GAS_PRICE);
        let fair_pubdata = of_batch("fair pubdata price", "wei/byte", FAIR_PUBDATA_PRICE);
        let base_fee = of_batch("base fee", "wei/gas", BASE_FEE);
        let is_of_l1 = self.encoded.is_of_l1();
        let limit = self.encoded.gas_per_pubdata_slot();
        let limit = self.slot("prices", "most gas per pubdata byte", "gas/byte", limit);
        let gas_per_pubdata = if is_of_l1 {
            limit
        } else {
            fair_pubdata.div_ceil(base_fee.max(1))
        };
        let how = if is_of_l1 {
            "what the transaction says".to_owned()
        } else {
            format!("{} / {}, rounded up", grouped(fair_pubdata), grouped(base_fee))
        };
        self.computed(
            "prices",
            "gas per pubdata byte",
            gas_per_pubdata.into(),
            "gas/byte",
            how,
        );
        let gas_price = if is_of_l1 {
            self.slot("prices", "gas price", "wei/gas", self.encoded.gas_price_slot())
        } else {
            base_fee
        };
        Ok(Prices {
            fair_gas,
            fair_pubdata,
            base_fee,
            gas_price,
            gas_per_pubdata,
            is_of_l1,
        })
    }

    /// From the gas limit to what is left for the transaction's own work.
    fn limits(&mut self, prices: &Prices) -> Limits {
        let part = "limits";
        let layout = *self.recording.layout();
        let limit = self.slot(part, "gas limit", "gas", self.encoded.gas_limit_slot());
        let trusted = layout.trusted_gas_limits + self.encoded.place;
        let trusted = self.slot(part, "trusted gas limit", "gas", trusted);
        // So much it may use whatever the operator trusts it with.
        let guaranteed = u64::from(MAX_COMPUTE_GAS);
        let total = limit.min(guaranteed.max(trusted));
        let reserved = limit - total;
        let how = format!(
            "{} - min(it, max({}, {}))",
            grouped(limit),
            grouped(guaranteed),
            grouped(trusted)
        );
        self.computed(part, "reserved, not for computation", reserved.into(), "gas", how);
        let overhead = self.slot(part, "overhead", "gas", layout.overheads + self.encoded.place);
        let (gas, bytes) = if prices.is_of_l1 {
            L1_INTRINSIC
        } else {
            L2_INTRINSIC
        };
        let intrinsic = bytes.saturating_mul(prices.gas_per_pubdata).saturating_add(gas);
        let how = format!(
            "{} + {bytes} bytes * {}",
            grouped(gas),
            grouped(prices.gas_per_pubdata)
        );
        self.computed(part, "intrinsic", intrinsic.into(), "gas", how);
        let body = total.saturating_sub(overhead).saturating_sub(intrinsic);
        let how = format!(
            "{} - {} - {}",
            grouped(total),
            grouped(overhead),
            grouped(intrinsic)
        );
        self.computed(part, "left for the transaction", body.into(), "gas", how);
        Limits {
            limit,
            reserved,
            body,
        }
    }

    /// What each phase used, as the machine counts; the sum.
    fn used(&mut self) -> Result<u64> {
        let end = self.row.attempt().end.min(self.recording.steps());
        let mut cuts: Vec<u64> = vec![self.encoded.start, end];
        let hooks = self.recording.hooks().iter().map(|hook| hook.step);
        cuts.extend(hooks.filter(|step| (self.encoded.start..end).contains(step)));
        let preparation = Preparation::of(self.recording, self.encoded.start..end)?;
        cuts.extend(preparation.end);
        cuts.sort_unstable();
        cuts.dedup();
        let stretches: Vec<Range<u64>> = cuts.windows(2).map(|pair| pair[0]..pair[1]).collect();
        let mut phases: Vec<(&str, u64, u64)> = Vec::new();
        for (steps, used) in stretches.iter().zip(ergs_used(self.recording, &stretches)?) {
            let phase = preparation.name(Phase::at(self.recording, steps.start), steps.start);
            match phases.last_mut() {
                Some((last, _, ergs)) if *last == phase => *ergs += used,
                _ => phases.push((phase, steps.start, used)),
            }
        }
        let sum: u64 = phases.iter().map(|(.., used)| used).sum();
        for (phase, step, used) in phases {
            self.told("ergs used", phase, used.into(), "gas", step);
        }
        self.computed(
            "ergs used",
            "all of it",
            sum.into(),
            "gas",
            "what the machine took".to_owned(),
        );
        Ok(sum)
    }

    /// What the bootloader proposes, and what the operator makes of it.
    fn refund(&mut self, asked: HookRow, limits: &Limits, used: u64, prices: &Prices) -> Result<()> {
        let &Limits {
            limit,
            reserved,
            body,
        } = limits;
        let part = "pubdata";
        let [proposed, on_pubdata, gas_per_pubdata] =
            self.recording.hook_parameters(asked)?.map(|word| word.low_u64());
        let [first, last] =
            [self.encoded.start, asked.step].map(|position| counter(self.recording, position));
        let (first, last) = (first?, last?);
        let published = u64::from((last as u32).saturating_sub(first as u32));
        self.told(
            part,
            "counter at the start",
            first.into(),
            "bytes",
            self.encoded.start,
        );
        self.told(
            part,
            "counter when the refund is asked for",
            last.into(),
            "bytes",
            asked.step,
        );
        let how = format!("max(0, {last} - {first})");
        self.computed(part, "bytes published", published.into(), "bytes", how);
        self.told(part, "gas spent on pubdata", on_pubdata.into(), "gas", asked.step);

        let part = "refund";
        self.told(
            part,
            "proposed by the bootloader",
            proposed.into(),
            "gas",
            asked.step,
        );
        if proposed == 0 {
            self.note(
                part,
                "how much it counted as used is not known: nothing was left to propose",
            );
        } else {
            self.counted(&[body, reserved, proposed, on_pubdata], used);
        }
        let computation = limit.saturating_sub(proposed).saturating_sub(on_pubdata);
        let how = format!(
            "{} - {} - {}",
            grouped(limit),
            grouped(proposed),
            grouped(on_pubdata)
        );
        self.computed(part, "computation", computation.into(), "gas", how);
        let paid_price = i128::from(prices.base_fee).saturating_mul(gas_per_pubdata.into());
        let price = paid_price.min(prices.fair_pubdata.into());
        let how = format!(
            "min({} * {}, {})",
            grouped(prices.base_fee),
            grouped(gas_per_pubdata),
            grouped(prices.fair_pubdata)
        );
        self.computed(part, "price of a byte", price, "wei/byte", how);
        let fair = i128::from(computation).saturating_mul(prices.fair_gas.into());
        let fair = fair.saturating_add(i128::from(published).saturating_mul(price));
        let how = format!(
            "{} * {} + {} * {}",
            grouped(computation),
            grouped(prices.fair_gas),
            grouped(published),
            grouped(price)
        );
        self.computed(part, "fair fee", fair, "wei", how);
        let paid = i128::from(limit).saturating_mul(prices.base_fee.into());
        let how = format!("{} * {}", grouped(limit), grouped(prices.base_fee));
        self.computed(part, "paid beforehand", paid, "wei", how);
        let base_fee = i128::from(prices.base_fee.max(1));
        let surplus = (paid - fair).max(0);
        let how = format!(
            "max(0, {} - {}) / {}, rounded up",
            grouped(paid),
            grouped(fair),
            grouped(base_fee)
        );
        let suggested = surplus.saturating_add(base_fee - 1) / base_fee;
        self.computed(part, "operator's formula", suggested, "gas", how);
        self.outcome(asked, limit, prices)
    }

    /// Which of the machine's ergs the bootloader counts in what it proposes: the gas for the transaction's own work, what
    /// was reserved, the proposal, and the gas spent on pubdata tell.
    fn counted(&mut self, numbers: &[u64; 4], used: u64) {
        let part = "refund";
        let [body, reserved, proposed, on_pubdata] = numbers.map(i128::from);
        let counted = body + reserved - proposed - on_pubdata;
        let [body, reserved, proposed, on_pubdata] = numbers.map(grouped);
        let how = format!("{body} + {reserved} - {proposed} - {on_pubdata}");
        self.computed(part, "ergs that it counts as used", counted, "gas", how);
        let how = format!(
            "{} - {}; overhead and intrinsic stand for them",
            grouped(used),
            signed(counted)
        );
        let others = i128::from(used) - counted;
        self.computed(part, "ergs that it does not count", others, "gas", how);
    }

    /// What the operator answered, and what was paid back.
    fn outcome(&mut self, asked: HookRow, limit: u64, prices: &Prices) -> Result<()> {
        let part = "refund";
        let slot = self.recording.layout().refunds + self.encoded.place;
        let mut is_answered = false;
        hooks::hooks::<crate::Error>(self.recording, asked.step..asked.step + 1, &mut |call| {
            is_answered |= !call.answer.is_empty();
            Ok(())
        })?;
        if !is_answered {
            self.note(part, "the operator does not answer where a batch runs in one go");
        }
        let written = before(self.recording, asked.step)?;
        let word = word_of(&written, slot).low_u64();
        self.stands((part, "written by the operator", "gas"), word, slot, asked.step);
        let Some(notified) = self.hook(Hook::NotifyAboutRefund) else {
            self.note(part, "the bootloader did not come to pay it");
            return Ok(());
        };
        let [given, ..] = self
            .recording
            .hook_parameters(notified)?
            .map(|word| word.low_u64());
        self.told(part, "paid back", given.into(), "gas", notified.step);
        let charged = i128::from(limit) - i128::from(given);
        let how = format!("{} - {}", grouped(limit), grouped(given));
        self.computed(part, "charged", charged, "gas", how);
        let fee = charged.saturating_mul(prices.gas_price.into());
        let how = format!("{} * {}", grouped(charged), grouped(prices.gas_price));
        self.computed(part, "fee", fee, "wei", how);
        Ok(())
    }

    /// The last hook of a kind in the attempt that counts.
    fn hook(&self, wanted: Hook) -> Option<HookRow> {
        self.recording.last_hook(self.row.attempt(), wanted)
    }

    /// A number that stands in the bootloader's heap when the transaction starts.
    fn slot(&mut self, part: &'static str, name: &str, unit: &'static str, slot: usize) -> u64 {
        let value = self.encoded.heap_word(slot).low_u64();
        self.stands((part, name, unit), value, slot, self.encoded.start);
        value
    }

    /// A number that stands in the bootloader's heap before a step.
    fn stands(&mut self, (part, name, unit): Name<'_>, value: u64, slot: usize, step: u64) {
        self.entries.push(Entry {
            part,
            name: name.to_owned(),
            value: value.into(),
            unit,
            step: Some(step),
            slot: Some(slot as u32),
            ..Entry::default()
        });
    }

    fn computed(&mut self, part: &'static str, name: &str, value: i128, unit: &'static str, how: String) {
        // The numbers that it is made of are known from the last of them on.
        let known = self.entries.iter().rev().find_map(|entry| entry.step);
        self.entries.push(Entry {
            step: known.filter(|_| !how.is_empty()),
            part,
            name: name.to_owned(),
            value,
            unit,
            how,
            ..Entry::default()
        });
    }

    fn told(&mut self, part: &'static str, name: &str, value: i128, unit: &'static str, step: u64) {
        self.computed(part, name, value, unit, String::new());
        if let Some(entry) = self.entries.last_mut() {
            entry.step = Some(step);
        }
    }

    fn note(&mut self, part: &'static str, text: &str) {
        self.computed(part, text, 0, "", String::new());
    }
}

/// Gas that a transaction may use, and for what.
struct Limits {
    limit: u64,
    /// What stays out of computation.
    reserved: u64,
    /// What is left for the transaction's own work.
    body: u64,
}

/// Prices as the sheet's other numbers need them.
struct Prices {
    fair_gas: u64,
    fair_pubdata: u64,
    base_fee: u64,
    /// What the transaction pays for gas.
    gas_price: u64,
    gas_per_pubdata: u64,
    is_of_l1: bool,
}
