//! Who used a transaction's ergs: a tree of frames, with what each paid for.

use super::{Line, Mark};
use crate::analysis::ergs::{FrameErgs, of_transaction};
use crate::error::Result;
use crate::numbers::grouped;
use crate::recording::Recording;
use crate::symbols;

pub(super) fn heading() -> String {
    columns("got", "itself", "below", "returned")
}

pub(super) fn lines(recording: &Recording, tx: u32) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (stretch, accounts) in of_transaction(recording, tx)? {
        let used: u64 = accounts.iter().map(|account| account.itself).sum();
        let sum = columns("", &grouped(used), "", "");
        lines.push(Line::of_stretch(&stretch).with(sum));
        for account in &accounts {
            add(account, &mut lines);
        }
    }
    Ok(lines)
}

fn add(account: &FrameErgs, lines: &mut Vec<Line>) {
    let indent = account.depth as usize + 1;
    let returned = account.returned.map_or_else(|| "-".to_owned(), grouped);
    let numbers = columns(
        &grouped(account.got),
        &grouped(account.itself),
        &grouped(account.below),
        &returned,
    );
    let failed = matches!(account.end, "revert" | "panic");
    let end = match (account.end, account.cause) {
        ("panic", cause) => format!(", PANICKED: {cause}"),
        ("revert", _) => ", REVERTED".to_owned(),
        _ => String::new(),
    };
    let line = Line::at(account.step, indent, name(account) + &end).with(numbers);
    lines.push(line.marked(Mark::Failed, failed));
    if let Some(text) = passing(account) {
        lines.push(Line::plain(indent + 1, text).with(columns("", "", "", "")));
    }
    let parts = [
        ("opcodes", account.opcodes),
        ("memory growth", account.growth),
        ("decommits", account.decommits),
        ("precompiles", account.precompiles),
        ("burnt", account.burnt),
    ];
    let has_others = parts[1..].iter().any(|&(_, ergs)| ergs > 0) || account.refunds > 0;
    let spent = parts.iter().filter(|&&(_, ergs)| ergs > 0 && has_others);
    let part =
        |name: &str, ergs: String| Line::plain(indent + 1, name.to_owned()).with(columns("", &ergs, "", ""));
    lines.extend(spent.map(|&(name, ergs)| part(name, grouped(ergs))));
    if account.refunds > 0 {
        lines.push(part("refunds", format!("-{}", grouped(account.refunds))));
    }
}

fn name(account: &FrameErgs) -> String {
    let this = symbols::address_text(account.this);
    match account.kind {
        "near" => "near call".to_owned(),
        "delegate" => format!("{} on {this}", symbols::address_text(account.code)),
        "mimic" => format!("{this} (mimic)"),
        _ => this,
    }
}

/// What was asked and passed on; `None` for a near call that gets all.
fn passing(account: &FrameErgs) -> Option<String> {
    let (asked, allowed, passed) = (account.asked?, account.allowed?, account.passed?);
    if account.kind == "near" {
        return (asked != 0).then(|| format!("asked {} of {}", grouped(asked), grouped(allowed)));
    }
    let asked = if asked == u32::MAX {
        "all".to_owned()
    } else {
        grouped(asked)
    };
    let passed = match passed {
        _ if passed < allowed => format!(", passed {}", grouped(passed)),
        _ => String::new(),
    };
    let extra = match account.extra {
        0 => String::new(),
        extra => format!(", and {} for the value", grouped(extra)),
    };
    Some(format!(
        "asked {asked}, allowed {} (63/64){passed}{extra}",
        grouped(allowed)
    ))
}

fn columns(got: &str, itself: &str, below: &str, returned: &str) -> String {
    format!("{got:>13} {itself:>13} {below:>13} {returned:>13}")
}
