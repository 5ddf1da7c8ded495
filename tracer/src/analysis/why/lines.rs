//! The answer as lines to print, each with the step that it is about.

use super::{Cause, ErgsOf, Failed, Why};
use crate::analysis::answer::Line;
use crate::numbers::grouped;

impl Why {
    /// The answer, top down: verdict, frames, cause, ergs, other failures.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = vec![Line::at(self.verdict_at, 0, self.headline())];
        lines.extend(self.remark.iter().map(|remark| Line::plain(1, remark.clone())));
        for (depth, failed) in self.path.iter().enumerate() {
            lines.push(Line::at(failed.step, depth + 1, failed.text()));
        }
        if let Some(cause) = &self.cause {
            lines.push(Line::plain(0, "cause".to_owned()));
            cause.lines(&mut lines);
        }
        if let Some(step) = self.unpaid.and_then(|unpaid| unpaid.crossed_at) {
            lines.push(Line::at(
                step,
                1,
                "from this write on there was more than that".to_owned(),
            ));
        }
        if !self.ergs.is_empty() {
            lines.push(Line::plain(0, "ergs".to_owned()));
        }
        for (depth, ergs) in self.ergs.iter().enumerate() {
            ergs.lines(depth + 1, &mut lines);
        }
        if !self.swallowed.is_empty() {
            lines.push(Line::plain(0, "failures that were not passed on".to_owned()));
        }
        for path in &self.swallowed {
            let frames = path.iter().enumerate();
            lines.extend(frames.map(|(depth, failed)| Line::at(failed.step, depth + 1, failed.text())));
        }
        if self.more_swallowed > 0 {
            let text = format!(
                "and {} more, which the rollbacks list",
                grouped(self.more_swallowed)
            );
            lines.push(Line::plain(1, text));
        }
        lines
    }

    fn headline(&self) -> String {
        let phase = self.phase.name();
        let verdict = match self.status {
            "success" if self.swallowed.is_empty() => "succeeded, and nothing failed in it".to_owned(),
            "success" => "succeeded, though something failed in it".to_owned(),
            "revert" => format!("REVERTED in {phase}: {}", self.verdict),
            "halt" => format!("HALTED in {phase}: {}", self.verdict),
            _ => "is not done: the recording ends in it".to_owned(),
        };
        format!("transaction {} {verdict}", self.tx)
    }
}

impl Failed {
    /// One line.
    fn text(&self) -> String {
        let near = if self.is_near { " (near call)" } else { "" };
        let function = self
            .function
            .as_ref()
            .map_or_else(String::new, |name| format!(".{name}"));
        let verb = if self.kind == "panic" {
            "panicked"
        } else {
            "reverted"
        };
        let reason = match (&self.reason[..], self.passes_on) {
            (_, true) => ", passing on what it was given".to_owned(),
            ("", false) => String::new(),
            (reason, false) => format!(": {reason}"),
        };
        format!("{}{function}{near} {verb}{reason}", self.name)
    }
}

impl Cause {
    fn lines(&self, lines: &mut Vec<Line>) {
        let place = format!("{} at {} {:#06x}", self.instruction, self.address, self.pc);
        lines.push(Line::at(self.step, 1, place));
        lines.push(Line::plain(1, format!("{} ({})", self.text, self.name)));
        let Some(operand) = &self.operand else { return };
        let kind = if operand.is_pointer {
            "a pointer"
        } else {
            "no pointer"
        };
        let text = format!("{} holds {}, {kind}", operand.place, operand.value);
        lines.push(Line::plain(1, text));
        if let Some(step) = operand.written_at {
            lines.push(Line::at(step, 1, format!("{} got it here", operand.place)));
        }
    }
}

impl ErgsOf {
    fn lines(&self, depth: usize, lines: &mut Vec<Line>) {
        let asked = match self.asked {
            u32::MAX => "all".to_owned(),
            asked => grouped(asked),
        };
        let withheld = if self.withheld > 0 && self.asked > self.available - self.withheld {
            format!(", {} withheld by the 63/64 rule", grouped(self.withheld))
        } else {
            String::new()
        };
        let text = format!(
            "{} got {}: {asked} asked of {}{withheld}",
            self.name,
            grouped(self.got),
            grouped(self.available)
        );
        lines.push(Line::at(self.entered_at, depth, text));
        let back = match self.back {
            0 => String::new(),
            back => format!(", {} given back", grouped(back)),
        };
        let text = format!(
            "{} used itself, with its near calls, or burnt, {} in far calls{back}",
            grouped(self.itself),
            grouped(self.below)
        );
        lines.push(Line::plain(depth + 1, text));
        for user in &self.users {
            let text = format!("{} used {}", user.name, grouped(user.ergs));
            lines.push(Line::at(user.step, depth + 2, text));
        }
    }
}
