//! The table of keys, in the order of the help.

use eradbg_tracer::analysis::answer::Topic;
use eradbg_tracer::timeline::{Direction, Jump};

use crate::action::{Action, Motion};
use crate::layout::Pane;

use Direction::{Backward, Forward};

/// The modes that have keys of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Moving through time.
    Normal,
    /// Typing a command.
    Prompt,
    /// Reading the help.
    Help,
    /// The list of breakpoints.
    Breakpoints,
    /// An answer.
    Answer,
    /// Typing the filter of an answer.
    Filter,
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Binding {
    /// Where it holds.
    pub scope: Scope,
    /// Key sequences, any of which will do: names joined by `-` to modifiers, or characters typed one after another.
    pub keys: &'static [&'static str],
    /// What they ask for.
    pub action: Action,
    /// What that is, in words.
    pub help: &'static str,
    /// The word for the footer, if it stands there.
    pub hint: Option<&'static str>,
}

/// The table: keys, action, help, and the word for the footer.
// A row for each command reads better than a screen for each.
#[rustfmt::skip]
pub(crate) static BINDINGS: &[Binding] = &[
    key(&["j", "Down", "s"], to(Motion::Step(Forward)), "one opcode forward"),
    key(&["k", "Up", "S"], to(Motion::Step(Backward)), "one opcode back"),
    hint(&["o"], to(Motion::Over(Forward)), "step over a near or far call", "over"),
    key(&["O"], to(Motion::Over(Backward)), "step back over a near or far call"),
    hint(&["f"], to(Motion::Out(Forward)), "run to the exit of the frame", "out"),
    key(&["F"], to(Motion::Out(Backward)), "back to the entry of the frame"),
    hint(&["c"], Action::Run(Forward), "run to the next breakpoint or watchpoint", "run"),
    key(&["C"], Action::Run(Backward), "run back to the previous breakpoint"),
    key(&[">"], to(Motion::To(Jump::Call, Forward)), "next entry or exit of a far call"),
    key(&["<"], to(Motion::To(Jump::Call, Backward)), "previous entry or exit of a far call"),
    key(&[")"], to(Motion::To(Jump::NearCall, Forward)), "next entry or exit of a near call"),
    key(&["("], to(Motion::To(Jump::NearCall, Backward)), "previous entry or exit of a near call"),
    hint(&["]"], to(Motion::To(Jump::Transaction, Forward)), "next transaction", "tx"),
    key(&["["], to(Motion::To(Jump::Transaction, Backward)), "previous transaction"),
    key(&["}"], to(Motion::To(Jump::L2Block, Forward)), "next L2 block"),
    key(&["{"], to(Motion::To(Jump::L2Block, Backward)), "previous L2 block"),
    hint(&["h"], to(Motion::To(Jump::Hook, Forward)), "next bootloader hook", "hook"),
    key(&["H"], to(Motion::To(Jump::Hook, Backward)), "previous bootloader hook"),
    hint(&["e"], to(Motion::To(Jump::Failure, Forward)), "next failure: revert, panic, halt", "failure"),
    key(&["E"], to(Motion::To(Jump::Failure, Backward)), "previous failure"),
    hint(&["x"], to(Motion::To(Jump::Rollback, Forward)), "next rollback", "rollback"),
    key(&["X"], to(Motion::To(Jump::Rollback, Backward)), "previous rollback"),
    key(&["gg"], Action::Start, "start of the recording; with a count: that step"),
    key(&["G"], Action::End(None), "end of the recording; with a count: that step"),
    key(&["Space"], Action::Repeat(1), "repeat the last motion"),
    key(&["gs"], Action::Prompt("goto "), "go to a step"),
    key(&["gt"], Action::Prompt("tx "), "go to a transaction"),
    key(&["gh"], Action::Prompt("hook "), "go to a hook"),
    key(&["ga"], Action::Prompt("page "), "show a memory page"),
    key(&["gp"], Action::Prompt("pc "), "show the listing at a program counter"),
    key(&["Ctrl-o", "Alt-Left"], Action::HistoryBack, "back to where the last jump started"),
    key(&["Ctrl-i", "Alt-Right"], Action::HistoryForward, "forward again"),
    key(&["m"], Action::MarkSet, "set mark a to z here"),
    key(&["'"], Action::MarkJump, "go to mark a to z"),
    hint(&["b"], Action::BreakHere, "set or clear a breakpoint here", "break"),
    key(&["B"], Action::ListBreakpoints, "list the breakpoints"),
    hint(&["/"], Action::Prompt("find "), "find a step: opcode sstore, write r1, refund > 0, hook", "find"),
    key(&["n"], Action::FindAgain(Forward), "find the next one"),
    key(&["N"], Action::FindAgain(Backward), "find the previous one"),
    key(&["w"], Action::Prompt("wrote "), "who wrote a place last: r1, eq, stack 3, heap 2050 0x40, storage"),
    key(&["W"], Action::Prompt("reads "), "who reads a place next"),
    key(&["go"], Action::Prompt("origin "), "where a value comes from: through memory, calls and storage, to its origin"),
    hint(&["!"], ask(Topic::Why), Topic::Why.help(), "why"),
    key(&["T"], ask(Topic::Transactions), Topic::Transactions.help()),
    key(&["i"], ask(Topic::Timeline), Topic::Timeline.help()),
    key(&["A"], ask(Topic::Contracts), Topic::Contracts.help()),
    key(&["L"], ask(Topic::Calls), Topic::Calls.help()),
    key(&["="], ask(Topic::Sheet), Topic::Sheet.help()),
    key(&["$"], ask(Topic::Ergs), Topic::Ergs.help()),
    key(&["R"], ask(Topic::Refunds), Topic::Refunds.help()),
    key(&["P"], ask(Topic::Pubdata), Topic::Pubdata.help()),
    key(&["#"], ask(Topic::Published), Topic::Published.help()),
    key(&["U"], ask(Topic::Rollbacks), Topic::Rollbacks.help()),
    key(&["V"], ask(Topic::Events), Topic::Events.help()),
    key(&["u"], Action::FrameUp(1), "look at the caller's frame"),
    key(&["d"], Action::FrameDown(1), "look at the callee's frame"),
    hint(&["Tab"], Action::FocusNext, "focus the next pane", "pane"),
    key(&["Shift-Tab"], Action::FocusPrevious, "focus the previous pane"),
    key(&["F1"], Action::Focus(Pane::Code), "focus the code"),
    key(&["F2"], Action::Focus(Pane::Calls), "focus the call stack"),
    key(&["F3"], Action::Focus(Pane::Memory), "focus the memory"),
    key(&["F4"], Action::Focus(Pane::State), "focus the chain's state"),
    key(&["F5"], Action::Focus(Pane::Registers), "focus registers and flags"),
    key(&["F6"], Action::Focus(Pane::Stack), "focus the stack"),
    key(&["F7"], Action::Focus(Pane::Bootloader), "focus hooks and bootloader"),
    key(&["F8"], Action::Focus(Pane::Changes), "focus what the last step changed"),
    hint(&["z"], Action::Zoom, "give the focused pane the whole screen, or take it back", "zoom"),
    key(&["t"], Action::ToggleBase, "show words as hex or decimal"),
    key(&["a"], Action::ToggleSource, "show code as source or as disassembly"),
    key(&["J", "Ctrl-Down"], Action::Scroll(1), "scroll the focused pane down"),
    key(&["K", "Ctrl-Up"], Action::Scroll(-1), "scroll the focused pane up"),
    key(&["PageDown"], Action::ScrollPage(1), "scroll the focused pane a page down"),
    key(&["PageUp"], Action::ScrollPage(-1), "scroll the focused pane a page up"),
    key(&["Home"], Action::ScrollReset, "let the focused pane follow the cursor again"),
    key(&["Right"], Action::Part(1), "next part of the focused pane: heaps, parts of the state"),
    key(&["Left"], Action::Part(-1), "previous part of the focused pane"),
    key(&[":"], Action::Prompt(""), "type a command"),
    hint(&["?"], Action::Help, "this help", "help"),
    key(&["Esc"], Action::Escape, "cancel a run, a count, a zoom"),
    hint(&["q", "Ctrl-c"], Action::Quit, "quit", "quit"),
    within(Scope::Prompt, &["Enter"], Action::Enter, "run the command", "run"),
    within(Scope::Prompt, &["Tab"], Action::Complete, "complete the command", "complete"),
    within(Scope::Prompt, &["Esc", "Ctrl-c"], Action::Escape, "leave the prompt", "leave"),
    within(Scope::Help, &["Down"], Action::Scroll(1), "scroll down", "down"),
    within(Scope::Help, &["Up"], Action::Scroll(-1), "scroll up", "up"),
    within(Scope::Help, &["PageDown"], Action::ScrollPage(1), "scroll a page down", "page"),
    within(Scope::Help, &["PageUp"], Action::ScrollPage(-1), "scroll a page up", "page back"),
    within(Scope::Help, &["Esc", "Enter", "Ctrl-c"], Action::Escape, "close the help", "close"),
    within(Scope::Breakpoints, &["j", "Down"], Action::Scroll(1), "next breakpoint", "next"),
    within(Scope::Breakpoints, &["k", "Up"], Action::Scroll(-1), "previous breakpoint", "previous"),
    within(Scope::Breakpoints, &["x", "Delete"], Action::DeleteBreakpoint(None), "clear the selected breakpoint", "clear"),
    within(Scope::Breakpoints, &["Esc", "Enter", "B", "q", "Ctrl-c"], Action::Escape, "close the list", "close"),
    within(Scope::Answer, &["j", "Down"], Action::Scroll(1), "next line", "next"),
    within(Scope::Answer, &["k", "Up"], Action::Scroll(-1), "previous line", "previous"),
    within(Scope::Answer, &["Enter"], Action::Enter, "go to the step of the line", "go"),
    within(Scope::Answer, &["Tab"], Action::NextView, "the next order: by time, by slot", "order"),
    within(Scope::Answer, &["Space"], Action::Fold, "open or close the line", "fold"),
    within(Scope::Answer, &["/"], Action::Filter, "show the lines with a text only", "filter"),
    within(Scope::Answer, &["?"], Action::Help, "the help; the answer comes back after it", "help"),
    within(Scope::Answer, &["PageDown"], Action::ScrollPage(1), "a page down", "page"),
    within(Scope::Answer, &["PageUp"], Action::ScrollPage(-1), "a page up", "page back"),
    within(Scope::Answer, &["gg", "Home"], Action::Scroll(-i32::MAX), "the first line", "first"),
    within(Scope::Answer, &["G", "End"], Action::Scroll(i32::MAX), "the last line", "last"),
    within(Scope::Answer, &["Right"], Action::Part(1), "open the line", "open"),
    within(Scope::Answer, &["Left"], Action::Part(-1), "close the line, or go to the one above it", "close"),
    within(Scope::Answer, &["Esc", "q", "Ctrl-c"], Action::Escape, "close the answer; any question's key asks that", "leave"),
    within(Scope::Filter, &["Enter"], Action::Enter, "keep the filter", "keep"),
    within(Scope::Filter, &["Esc", "Ctrl-c"], Action::Escape, "show all lines again", "all"),
];

const fn ask(topic: Topic) -> Action {
    Action::Question(topic, None)
}

const fn to(motion: Motion) -> Action {
    Action::Move(motion, 1)
}

const fn key(keys: &'static [&'static str], action: Action, help: &'static str) -> Binding {
    Binding {
        scope: Scope::Normal,
        keys,
        action,
        help,
        hint: None,
    }
}

const fn hint(
    keys: &'static [&'static str],
    action: Action,
    help: &'static str,
    hint: &'static str,
) -> Binding {
    Binding {
        scope: Scope::Normal,
        keys,
        action,
        help,
        hint: Some(hint),
    }
}

const fn within(
    scope: Scope,
    keys: &'static [&'static str],
    action: Action,
    help: &'static str,
    hint: &'static str,
) -> Binding {
    Binding {
        scope,
        keys,
        action,
        help,
        hint: Some(hint),
    }
}
