//! Who used a transaction's ergs: a tree of frames, with what each paid for.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use eradbg_vm::H160;

use super::{Line, Mark, Question};
use crate::analysis::ergs::{FrameErgs, of_part};
use crate::error::Result;
use crate::numbers::grouped;
use crate::recording::Recording;

pub(super) fn heading() -> String {
    columns("itself", "below")
}

pub(super) fn lines(recording: &Recording, question: Question) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (stretch, accounts) in of_part(recording, question.part)? {
        let start = stretch.steps.start;
        let used: u64 = accounts.iter().map(|account| account.itself).sum();
        let sum = columns(&grouped(used), "");
        lines.push(Line::of_stretch(&stretch).with(sum));
        match question.view {
            0 => accounts
                .iter()
                .for_each(|account| add(recording, account, start, &mut lines)),
            _ => add_contracts(recording, &accounts, &mut lines),
        }
    }
    Ok(lines)
}

fn add(recording: &Recording, account: &FrameErgs, start: u64, lines: &mut Vec<Line>) {
    // A frame that is older than the steps is looked at where they begin.
    let step = account.step.max(start);
    let indent = account.depth as usize + 1;
    let numbers = columns(&grouped(account.itself), &grouped(account.below));
    let failed = matches!(account.end, "revert" | "panic");
    let end = match (account.end, account.cause) {
        ("panic", cause) => format!(", PANICKED: {cause}"),
        ("revert", _) => ", REVERTED".to_owned(),
        _ => String::new(),
    };
    let line = Line::at(step, indent, name(recording, account) + &end).with(numbers);
    lines.push(line.marked(Mark::Failed, failed));
    lines.push(Line::at(step, indent + 1, passing(account)).with(columns("", "")));
    add_expenses(account, step, indent + 1, lines);
}

/// What each contract used in all its frames, the one that used most first.
fn add_contracts(recording: &Recording, accounts: &[FrameErgs], lines: &mut Vec<Line>) {
    let mut contracts: BTreeMap<H160, (usize, FrameErgs)> = BTreeMap::new();
    for account in accounts {
        let first = || {
            (
                0,
                FrameErgs {
                    step: account.step,
                    ..FrameErgs::default()
                },
            )
        };
        let (calls, sum) = contracts.entry(account.code).or_insert_with(first);
        *calls += usize::from(account.kind != "near");
        sum.itself += account.itself;
        sum.opcodes += account.opcodes;
        sum.growth += account.growth;
        sum.decommits += account.decommits;
        sum.precompiles += account.precompiles;
        sum.burnt += account.burnt;
        sum.refunds += account.refunds;
    }
    let mut contracts: Vec<_> = contracts.into_iter().collect();
    contracts.sort_by_key(|(_, (_, sum))| Reverse(sum.itself));
    for (code, (calls, sum)) in contracts {
        let name = recording.address_text(code);
        let text = format!("{name}, {} far calls", grouped(calls));
        lines.push(Line::at(sum.step, 1, text).with(columns(&grouped(sum.itself), "")));
        add_expenses(&sum, sum.step, 2, lines);
    }
}

/// What ergs were used for, where they were not for opcodes alone.
fn add_expenses(account: &FrameErgs, step: u64, indent: usize, lines: &mut Vec<Line>) {
    let parts = [
        ("opcodes", account.opcodes),
        ("memory growth", account.growth),
        ("decommits", account.decommits),
        ("precompiles", account.precompiles),
        ("burnt", account.burnt),
    ];
    let has_others = parts[1..].iter().any(|&(_, ergs)| ergs > 0) || account.refunds > 0;
    let spent = parts.iter().filter(|&&(_, ergs)| ergs > 0 && has_others);
    let part = |name: &str, ergs: String| {
        let step = match (name, account.left_at) {
            ("burnt", Some(left_at)) => left_at,
            _ => step,
        };
        Line::at(step, indent, name.to_owned()).with(columns(&ergs, ""))
    };
    lines.extend(spent.map(|&(name, ergs)| part(name, grouped(ergs))));
    if account.refunds > 0 {
        lines.push(part("refunds", format!("-{}", grouped(account.refunds))));
    }
}

fn name(recording: &Recording, account: &FrameErgs) -> String {
    let this = recording.address_text(account.this);
    match account.kind {
        "near" => "near call".to_owned(),
        "delegate" => format!("{} on {this}", recording.address_text(account.code)),
        "mimic" => format!("{this} (mimic)"),
        _ => this,
    }
}

/// What was asked and passed on, and what came back.
fn passing(account: &FrameErgs) -> String {
    let got = grouped(account.got);
    let returned = account
        .returned
        .map_or_else(String::new, |ergs| format!("; returned {}", grouped(ergs)));
    let (Some(asked), Some(allowed), Some(passed)) = (account.asked, account.allowed, account.passed) else {
        return format!("had {got} when these steps began{returned}");
    };
    let asked_all = asked == u32::MAX || (account.kind == "near" && asked == 0);
    let asked = if asked_all {
        "all".to_owned()
    } else {
        grouped(asked)
    };
    let rule = if account.kind == "near" { "" } else { " (63/64)" };
    let passed = match passed {
        _ if passed < allowed => format!(", passed {}", grouped(passed)),
        _ => String::new(),
    };
    let extra = match account.extra {
        0 => String::new(),
        extra => format!(", and {} for the value", grouped(extra)),
    };
    format!(
        "got {got}: asked {asked}, allowed {}{rule}{passed}{extra}{returned}",
        grouped(allowed)
    )
}

fn columns(itself: &str, below: &str) -> String {
    format!("{itself:>12} {below:>12}")
}
