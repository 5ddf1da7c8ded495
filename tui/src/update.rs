//! What each request changes in the model. Nothing here reads or writes anything else.

mod pointer;

use eradbg_tracer::query::Query;
use eradbg_tracer::timeline::Direction;
use ratatui::layout::Position;
use tui_input::Input;

use crate::action::{Action, Motion};
use crate::answer::{Fold, Shown};
use crate::command;
use crate::effect::{Effect, Task};
use crate::layout::Pane;
use crate::model::{CodeForm, MarkUse, MemorySource, Mode, Model, Moment, Running, Status};
use crate::text::{self, Base};
use crate::view::state::PARTS;

/// Changes the model as a request asks, and returns what is to be done outside of it.
pub(crate) fn update(model: &mut Model, action: Action) -> Effect {
    if !matches!(
        action,
        Action::RunProgress(_) | Action::Arrived(..) | Action::Resize(..) | Action::Edit(_)
    ) {
        model.status = Status::Quiet;
    }
    if matches!(model.mode, Mode::Normal) && model.running.is_none() {
        model.tour = model.tour.after(&action);
    }
    match action {
        Action::Move(motion, count) => return travel(model, motion, count),
        Action::Repeat(times) => {
            let Some((motion, count)) = model.last_motion else {
                return refuse(model, "there is no motion to repeat yet");
            };
            return travel(model, motion, count.saturating_mul(times));
        }
        Action::Seek(position) => return jump(model, Effect::Seek(position)),
        Action::Start => return jump(model, Effect::Seek(0)),
        Action::End(position) => {
            let position = position.unwrap_or(model.moment.total);
            return jump(model, Effect::Seek(position));
        }
        Action::Transaction(index) => return jump(model, Effect::Transaction(index)),
        Action::Hook(index) => return jump(model, Effect::Hook(index)),
        Action::HistoryBack => return history(model, Direction::Backward),
        Action::HistoryForward => return history(model, Direction::Forward),
        Action::Run(direction) => {
            let stops = model.breakpoints.clone();
            return run(model, Task::Stop(stops, direction));
        }
        Action::Find(query) => {
            model.sought = Some(query);
            return find_again(model, Direction::Forward);
        }
        Action::FindAgain(direction) => return find_again(model, direction),
        Action::Ask(origin, place) => return run(model, Task::Ask(origin, place)),
        Action::Trace(place) => return run(model, Task::Trace(place)),
        Action::Question(topic, part) => return run(model, Task::Answer(topic, 0, part)),
        Action::NextView => return next_view(model),
        Action::Fold => fold(model, Fold::Leaf),
        Action::Filter => {
            if let Mode::Answer(shown) = &mut model.mode {
                shown.is_filtering = true;
            }
        }
        Action::Escape => return escape(model),

        Action::Focus(pane) => focus(model, pane),
        Action::FocusNext => focus_neighbour(model, 1),
        Action::FocusPrevious => focus_neighbour(model, Pane::ALL.len() - 1),
        Action::Zoom => model.zoomed = !model.zoomed,
        Action::Scroll(lines) => scroll(model, lines),
        Action::ScrollPage(pages) => {
            let page = i32::from(model.size.1 / 2).max(1);
            scroll(model, pages.saturating_mul(page));
        }
        Action::ScrollReset => {
            model.scroll[model.focus().index()] = 0;
            match model.focus() {
                Pane::Code => model.listing = None,
                Pane::Memory => model.memory_offset = None,
                _ => {}
            }
        }
        Action::Part(by) => part(model, by),
        Action::FrameUp(count) => {
            let frame = model.selected_frame.saturating_add(count);
            select_frame(model, frame);
        }
        Action::FrameDown(count) => {
            let frame = model.selected_frame.saturating_sub(count);
            select_frame(model, frame);
        }
        Action::ToggleBase => {
            model.base = match model.base {
                Base::Hex => Base::Decimal,
                Base::Decimal => Base::Hex,
            };
        }
        Action::ToggleSource => toggle_source(model),
        Action::Page(page, offset) => {
            show_memory(model, MemorySource::Page(page));
            model.memory_offset = Some(offset.unwrap_or(0));
            focus(model, Pane::Memory);
        }
        Action::Offset(offset) => {
            model.memory_offset = Some(offset);
            focus(model, Pane::Memory);
        }
        Action::Listing(pc) => {
            model.listing = Some(pc);
            model.scroll[Pane::Code.index()] = 0;
            focus(model, Pane::Code);
        }

        Action::BreakHere => {
            return Effect::BreakHere {
                frame: model.selected_frame,
            };
        }
        Action::ToggleBreakpoint(breakpoint) => toggle_breakpoint(model, breakpoint),
        Action::DeleteBreakpoint(number) => delete_breakpoint(model, number),
        Action::ListBreakpoints => model.mode = Mode::Breakpoints { selected: 0 },
        Action::MarkSet => model.mode = Mode::Mark(MarkUse::Set),
        Action::MarkJump => model.mode = Mode::Mark(MarkUse::Jump),
        Action::Letter(letter) => return mark(model, letter),

        Action::Prompt(start) => model.mode = Mode::Prompt(Input::new(start.to_owned())),
        Action::Edit(request) => match &mut model.mode {
            Mode::Prompt(input) => drop(input.handle(request)),
            Mode::Help { filter, scroll, .. } => {
                filter.handle(request);
                *scroll = 0;
            }
            Mode::Answer(shown) => shown.edit(request),
            Mode::Normal | Mode::Breakpoints { .. } | Mode::Mark(_) => {}
        },
        Action::Complete => {
            if let Mode::Prompt(input) = &mut model.mode
                && let Some(line) = command::complete(input.value())
            {
                *input = Input::new(line);
            }
        }
        Action::Enter => return enter(model),
        Action::Help => {
            let behind = match std::mem::take(&mut model.mode) {
                Mode::Answer(shown) => Some(shown),
                _ => None,
            };
            model.mode = Mode::Help {
                filter: Input::default(),
                scroll: 0,
                behind,
            }
        }
        Action::Quit => return Effect::Quit,

        Action::Click(column, row) => return pointer::click(model, Position::new(column, row)),
        Action::Wheel(column, row, lines) => return pointer::wheel(model, Position::new(column, row), lines),
        Action::Resize(width, height) => model.size = (width, height),

        Action::Arrived(moment, note) => arrive(model, *moment, note),
        Action::Answered(question, answer) => {
            model.mode = Mode::Answer(Box::new(Shown::new(question, *answer)));
        }
        Action::RunProgress(position) => {
            if let Some(running) = &mut model.running {
                running.at = position;
            }
        }
        Action::RunEnded(id, note) => {
            if model.running.is_some_and(|running| running.id == id) {
                model.running = None;
                model.status = Status::Note(note);
            }
        }
        Action::Failed(text) => {
            model.left_from = None;
            model.status = Status::Error(text);
        }
    }
    Effect::None
}

fn travel(model: &mut Model, motion: Motion, count: u64) -> Effect {
    model.last_motion = Some((motion, count));
    match motion {
        // Single steps would bury the jumps in the history.
        Motion::Step(_) | Motion::Over(_) if model.running.is_none() => Effect::Move(motion, count),
        _ => jump(model, Effect::Move(motion, count)),
    }
}

fn jump(model: &mut Model, effect: Effect) -> Effect {
    if model.running.is_some() {
        return refuse(model, "a run is under way: Esc cancels it");
    }
    model.left_from = Some(model.moment.position);
    effect
}

fn history(model: &mut Model, direction: Direction) -> Effect {
    if model.running.is_some() {
        return refuse(model, "a run is under way: Esc cancels it");
    }
    let here = model.moment.position;
    let position = match direction {
        Direction::Backward => model.history.back(here),
        Direction::Forward => model.history.forward(here),
    };
    match (position, direction) {
        (Some(position), _) => Effect::Seek(position),
        (None, Direction::Backward) => refuse(model, "no jump to go back from"),
        (None, Direction::Forward) => refuse(model, "no jump to go forward to"),
    }
}

fn arrive(model: &mut Model, moment: Moment, note: Option<String>) {
    if let Some(from) = model.left_from.take()
        && from != moment.position
    {
        model.history.left(from);
    }
    if moment.position != model.moment.position {
        model.selected_frame = 0;
        model.listing = None;
        model.memory_offset = match model.memory {
            MemorySource::Page(_) => model.memory_offset,
            MemorySource::Heap | MemorySource::AuxHeap => None,
        };
        for pane in [
            Pane::Code,
            Pane::Calls,
            Pane::Stack,
            Pane::Bootloader,
            Pane::Changes,
        ] {
            model.scroll[pane.index()] = 0;
        }
    }
    if let Some(written) = moment.written {
        model.memory_written = written;
    }
    model.moment = moment;
    if let Some(note) = note {
        model.status = Status::Note(note);
    }
}

fn run(model: &mut Model, task: Task) -> Effect {
    if model.running.is_some() {
        return refuse(model, "a run is under way: Esc cancels it");
    }
    let at = model.moment.position;
    let id = model.next_run;
    model.next_run += 1;
    let direction = task.direction();
    model.left_from = direction.map(|_| at);
    model.running = Some(Running {
        id,
        direction,
        from: at,
        at,
    });
    Effect::Run { id, task }
}

fn find_again(model: &mut Model, direction: Direction) -> Effect {
    match model.sought.clone() {
        Some(query) => run(model, Task::Find(query, direction)),
        None => refuse(model, "nothing was looked for yet: / does"),
    }
}

fn escape(model: &mut Model) -> Effect {
    if let Mode::Answer(shown) = &mut model.mode
        && (shown.is_filtering || !shown.filter.value().is_empty())
    {
        shown.clear_filter();
    } else if matches!(model.mode, Mode::Normal | Mode::Answer(_))
        && let Some(running) = model.running.take()
    {
        model.left_from = None;
        model.status = Status::Note(match running.direction {
            Some(_) => format!("run cancelled near step {}", text::grouped(running.at)),
            None => "cancelled".to_owned(),
        });
        return Effect::Cancel;
    } else if !matches!(model.mode, Mode::Normal) {
        model.mode = match std::mem::take(&mut model.mode) {
            Mode::Help {
                behind: Some(shown), ..
            } => Mode::Answer(shown),
            _ => Mode::Normal,
        };
    } else if model.selected_frame > 0 {
        select_frame(model, 0);
    } else {
        model.zoomed = false;
    }
    Effect::None
}

fn focus(model: &mut Model, pane: Pane) {
    model.recent.retain(|other| *other != pane);
    model.recent.insert(0, pane);
}

fn focus_neighbour(model: &mut Model, by: usize) {
    let index = (model.focus().index() + by) % Pane::ALL.len();
    focus(model, Pane::ALL[index]);
}

fn scroll(model: &mut Model, lines: i32) {
    match &mut model.mode {
        Mode::Help { scroll, .. } => *scroll = scroll.saturating_add_signed(lines as isize),
        Mode::Breakpoints { selected } => {
            let last = model.breakpoints.len().saturating_sub(1);
            *selected = selected.saturating_add_signed(lines as isize).min(last);
        }
        Mode::Answer(shown) => shown.scroll(lines),
        Mode::Normal | Mode::Prompt(_) | Mode::Mark(_) => match model.focus() {
            Pane::Memory => {
                let offset = model
                    .memory_top(model.memory_page())
                    .saturating_add_signed(lines.saturating_mul(32));
                model.memory_offset = Some(offset.min(u32::MAX - 31));
            }
            pane => {
                let scrolled = &mut model.scroll[pane.index()];
                *scrolled = scrolled.saturating_add(lines).clamp(-10_000_000, 10_000_000);
            }
        },
    }
}

fn next_view(model: &mut Model) -> Effect {
    let Mode::Answer(shown) = &model.mode else {
        return Effect::None;
    };
    let next = shown.question.map(|question| (question, question.next_view()));
    match next {
        Some((question, next)) if next != question => {
            run(model, Task::Answer(next.topic, next.view, Some(next.part)))
        }
        _ => refuse(model, "this answer has one order only"),
    }
}

fn fold(model: &mut Model, to: Fold) {
    if let Mode::Answer(shown) = &mut model.mode {
        shown.fold(to);
    }
}

fn part(model: &mut Model, by: i32) {
    if let Mode::Answer(shown) = &mut model.mode {
        shown.fold(if by > 0 { Fold::Open } else { Fold::Closed });
        return;
    }
    match model.focus() {
        Pane::Memory => {
            let next = match model.memory {
                MemorySource::Heap => MemorySource::AuxHeap,
                MemorySource::AuxHeap | MemorySource::Page(_) => MemorySource::Heap,
            };
            show_memory(model, next);
        }
        Pane::State => {
            let step = if by > 0 { 1 } else { PARTS.len() - 1 };
            model.state_part = (model.state_part + step) % PARTS.len();
            model.scroll[Pane::State.index()] = 0;
        }
        _ => model.status = Status::Error(format!("{} has one part only", model.focus().title())),
    }
}

fn toggle_source(model: &mut Model) {
    let (form, note) = match model.code_form {
        CodeForm::Source => (CodeForm::Disassembly, "code is shown as disassembly"),
        CodeForm::Disassembly => (
            CodeForm::Source,
            "code is shown as source where the recording has it",
        ),
    };
    model.code_form = form;
    // A distance in lines of the one is none in lines of the other.
    model.scroll[Pane::Code.index()] = 0;
    model.status = Status::Note(note.to_owned());
}

fn show_memory(model: &mut Model, source: MemorySource) {
    model.memory = source;
    model.memory_offset = None;
}

fn select_frame(model: &mut Model, frame: usize) {
    model.selected_frame = frame.min(model.moment.depth.saturating_sub(1));
    model.listing = None;
    model.memory_offset = None;
    for pane in [Pane::Code, Pane::Calls, Pane::Stack] {
        model.scroll[pane.index()] = 0;
    }
}

fn toggle_breakpoint(model: &mut Model, breakpoint: Query) {
    let known = model.breakpoints.iter().position(|known| *known == breakpoint);
    let text = breakpoint.text().to_owned();
    model.status = Status::Note(if let Some(index) = known {
        model.breakpoints.remove(index);
        format!("breakpoint cleared: {text}")
    } else {
        model.breakpoints.push(breakpoint);
        format!("breakpoint {} set: {text}", model.breakpoints.len() - 1)
    });
}

fn delete_breakpoint(model: &mut Model, number: Option<usize>) {
    let index = match (&model.mode, number) {
        (_, Some(number)) => number,
        (Mode::Breakpoints { selected }, None) => *selected,
        (_, None) => 0,
    };
    if index >= model.breakpoints.len() {
        model.status = Status::Error(format!("there is no breakpoint {index}"));
        return;
    }
    let gone = model.breakpoints.remove(index);
    model.status = Status::Note(format!("breakpoint cleared: {gone}"));
    if let Mode::Breakpoints { selected } = &mut model.mode {
        *selected = (*selected).min(model.breakpoints.len().saturating_sub(1));
    }
}

fn mark(model: &mut Model, letter: char) -> Effect {
    let Mode::Mark(purpose) = std::mem::take(&mut model.mode) else {
        return Effect::None;
    };
    if !letter.is_ascii_lowercase() {
        return refuse(model, "marks are the letters a to z");
    }
    match (purpose, model.marks.get(&letter)) {
        (MarkUse::Set, _) => {
            model.marks.insert(letter, model.moment.position);
            let step = text::grouped(model.moment.position);
            model.status = Status::Note(format!("mark {letter} set at step {step}"));
            Effect::None
        }
        (MarkUse::Jump, Some(&position)) => jump(model, Effect::Seek(position)),
        (MarkUse::Jump, None) => {
            model.status = Status::Error(format!("mark {letter} is not set"));
            Effect::None
        }
    }
}

fn enter(model: &mut Model) -> Effect {
    match std::mem::take(&mut model.mode) {
        Mode::Prompt(input) => match command::parse(input.value()) {
            Ok(Action::Escape) => Effect::None,
            Ok(action) => update(model, action),
            Err(problem) => refuse(model, &problem),
        },
        Mode::Answer(mut shown) => {
            if !shown.is_filtering
                && let Some(step) = shown.line().and_then(|line| line.step)
            {
                return jump(model, Effect::Seek(step));
            }
            let was_filtering = std::mem::take(&mut shown.is_filtering);
            model.mode = Mode::Answer(shown);
            if was_filtering {
                return Effect::None;
            }
            refuse(model, "this line names no step")
        }
        Mode::Normal | Mode::Help { .. } | Mode::Breakpoints { .. } | Mode::Mark(_) => Effect::None,
    }
}

fn refuse(model: &mut Model, why: &str) -> Effect {
    model.status = Status::Error(why.to_owned());
    Effect::None
}

#[cfg(test)]
mod tests;
