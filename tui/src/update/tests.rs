//! Lists of requests, and what they leave in the model.

use eradbg_tracer::analysis::answer::{Answer, Topic};
use eradbg_tracer::query::Query;
use eradbg_tracer::timeline::Jump;
use eradbg_vm::H160;

use Direction::{Backward, Forward};

use super::pointer::{WHEEL_LINES, screen};
use super::*;
use crate::layout;
use crate::layout::Screen;

fn model() -> Model {
    let mut model = Model::new((120, 40));
    arrive_at(&mut model, 500);
    model
}

fn arrive_at(model: &mut Model, position: u64) {
    let moment = Moment {
        position,
        total: 1000,
        transaction: Some((400, 799)),
        written: None,
        transactions: None,
        heap_page: 10,
        depth: 3,
    };
    update(model, Action::Arrived(Box::new(moment), None));
}

fn effects(model: &mut Model, actions: &[Action]) -> Vec<Effect> {
    actions
        .iter()
        .map(|action| update(model, action.clone()))
        .filter(|effect| *effect != Effect::None)
        .collect()
}

#[test]
fn a_jump_is_remembered_once_it_has_arrived_and_a_step_is_not() {
    let mut model = model();
    update(&mut model, Action::Move(Motion::Step(Forward), 1));
    arrive_at(&mut model, 501);
    update(&mut model, Action::Seek(9));
    arrive_at(&mut model, 9);
    assert_eq!(effects(&mut model, &[Action::HistoryBack]), [Effect::Seek(501)]);
    arrive_at(&mut model, 501);
    assert_eq!(effects(&mut model, &[Action::HistoryForward]), [Effect::Seek(9)]);
    arrive_at(&mut model, 9);
    update(&mut model, Action::HistoryForward);
    assert!(matches!(model.status, Status::Error(_)));
}

#[test]
fn a_jump_that_failed_leaves_no_history() {
    let mut model = model();
    update(&mut model, Action::Seek(9));
    update(&mut model, Action::Failed("damaged".into()));
    arrive_at(&mut model, 501);
    update(&mut model, Action::HistoryBack);
    assert_eq!(model.status, Status::Error("no jump to go back from".into()));
}

#[test]
fn space_repeats_the_last_motion_with_its_count() {
    let mut model = model();
    let hook = Motion::To(Jump::Hook, Backward);
    assert!(effects(&mut model, &[Action::Repeat(1)]).is_empty());
    let repeated = effects(
        &mut model,
        &[Action::Move(hook, 3), Action::Repeat(1), Action::Repeat(2)],
    );
    assert_eq!(
        repeated,
        [
            Effect::Move(hook, 3),
            Effect::Move(hook, 3),
            Effect::Move(hook, 6)
        ]
    );
}

#[test]
fn escape_cancels_a_run_at_once_and_its_late_report_is_ignored() {
    let mut model = model();
    let started = effects(&mut model, &[Action::Run(Forward), Action::RunProgress(700)]);
    assert_eq!(
        started,
        [Effect::Run {
            id: 0,
            task: Task::Stop(vec![], Forward),
        }]
    );
    assert_eq!(model.running.unwrap().at, 700);
    assert_eq!(effects(&mut model, &[Action::Escape]), [Effect::Cancel]);
    assert_eq!(model.running, None);
    update(&mut model, Action::Run(Backward));
    update(&mut model, Action::RunEnded(0, "stale".into()));
    assert_eq!(model.running.unwrap().id, 1);
}

#[test]
fn escape_cancels_an_answer_that_takes_long_and_leaves_the_one_before() {
    let mut model = model();
    let before = Answer {
        title: "before".into(),
        heading: String::new(),
        about: 0,
        lines: vec![],
    };
    update(&mut model, Action::Answered(None, Box::new(before)));
    update(&mut model, Action::Question(Topic::Ergs, Some(3.into())));
    assert_eq!(effects(&mut model, &[Action::Escape]), [Effect::Cancel]);
    assert!(matches!(&model.mode, Mode::Answer(shown) if shown.answer.title == "before"));
    assert_eq!(model.left_from, None, "an answer leaves no place to come back to");
}

#[test]
fn while_a_run_is_under_way_the_cursor_stays() {
    let mut model = model();
    update(&mut model, Action::Run(Forward));
    let refused = effects(
        &mut model,
        &[
            Action::Move(Motion::Step(Forward), 1),
            Action::Seek(3),
            Action::Run(Forward),
            Action::HistoryBack,
            Action::End(None),
        ],
    );
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn a_breakpoint_is_set_by_its_first_toggle_and_cleared_by_its_second() {
    let mut model = model();
    let breakpoint = Query::at(7, H160::from_low_u64_be(0x800b));
    update(&mut model, Action::ToggleBreakpoint(breakpoint.clone()));
    assert_eq!(model.breakpoints.len(), 1);
    assert_eq!(
        model.status,
        Status::Note("breakpoint 0 set: pc = 0x7 and address SystemContext".into())
    );
    update(&mut model, Action::ToggleBreakpoint(breakpoint));
    assert!(model.breakpoints.is_empty());
}

#[test]
fn the_list_clears_the_selected_breakpoint_and_keeps_a_selection() {
    let mut model = model();
    for pc in 0..3 {
        update(
            &mut model,
            Action::ToggleBreakpoint(Query::new(&format!("pc = {pc}")).unwrap()),
        );
    }
    effects(
        &mut model,
        &[
            Action::ListBreakpoints,
            Action::Scroll(9),
            Action::DeleteBreakpoint(None),
        ],
    );
    assert_eq!(
        model.breakpoints.iter().map(Query::text).collect::<Vec<_>>(),
        ["pc = 0", "pc = 1"]
    );
    assert!(matches!(model.mode, Mode::Breakpoints { selected: 1 }));
}

#[test]
fn marks_are_set_and_jumped_to_by_letter() {
    let mut model = model();
    effects(&mut model, &[Action::MarkSet, Action::Letter('q')]);
    arrive_at(&mut model, 700);
    assert_eq!(
        effects(&mut model, &[Action::MarkJump, Action::Letter('q')]),
        [Effect::Seek(500)]
    );
    assert!(effects(&mut model, &[Action::MarkJump, Action::Letter('z')]).is_empty());
    assert_eq!(model.status, Status::Error("mark z is not set".into()));
}

#[test]
fn a_command_runs_when_it_is_entered_and_a_wrong_one_says_why() {
    let mut model = model();
    let entered = effects(
        &mut model,
        &[
            Action::Prompt("goto 12"),
            Action::Edit(tui_input::InputRequest::InsertChar('k')),
            Action::Enter,
        ],
    );
    assert_eq!(entered, [Effect::Seek(12_000)]);
    assert!(matches!(model.mode, Mode::Normal));
    effects(&mut model, &[Action::Prompt("nonsense"), Action::Enter]);
    assert!(matches!(model.status, Status::Error(_)));
}

#[test]
fn the_selected_frame_stays_on_the_stack_and_moving_returns_to_the_innermost() {
    let mut model = model();
    update(&mut model, Action::FrameUp(9));
    assert_eq!(model.selected_frame, 2);
    update(&mut model, Action::FrameDown(1));
    assert_eq!(model.selected_frame, 1);
    arrive_at(&mut model, 501);
    assert_eq!(model.selected_frame, 0);
}

#[test]
fn tab_visits_every_pane_and_comes_back() {
    let mut model = model();
    let mut seen = Vec::new();
    for _ in Pane::ALL {
        seen.push(model.focus());
        update(&mut model, Action::FocusNext);
    }
    assert_eq!(seen, Pane::ALL);
    assert_eq!(model.focus(), Pane::Code);
    update(&mut model, Action::FocusPrevious);
    assert_eq!(model.focus(), Pane::Changes);
}

#[test]
fn the_form_of_code_is_toggled_and_scrolling_starts_afresh() {
    let mut model = model();
    effects(&mut model, &[Action::Scroll(5), Action::ToggleSource]);
    assert_eq!(
        (model.code_form, model.scroll[Pane::Code.index()]),
        (CodeForm::Disassembly, 0)
    );
    assert!(matches!(model.status, Status::Note(_)));
    update(&mut model, Action::ToggleSource);
    assert_eq!(model.code_form, CodeForm::Source);
}

#[test]
fn a_click_on_the_timeline_goes_there() {
    let mut model = model();
    let Screen { batch_strip, .. } = screen(&model).unwrap();
    let clicked = effects(
        &mut model,
        &[Action::Click(
            batch_strip.x + batch_strip.width / 2,
            batch_strip.y,
        )],
    );
    assert_eq!(clicked, [Effect::Seek(500)]);
}

#[test]
fn a_click_on_a_tab_shows_its_pane() {
    let mut model = model();
    let slot = screen(&model).unwrap().slots[1].clone();
    let tab = layout::tabs(&slot)[2];
    update(&mut model, Action::Click(tab.column + 1, slot.area.y));
    assert_eq!(model.focus(), tab.pane);
}

#[test]
fn the_wheel_steps_over_the_code_and_scrolls_elsewhere() {
    let mut model = model();
    let slots = screen(&model).unwrap().slots;
    let inside = |index: usize| (slots[index].area.x + 2, slots[index].area.y + 2);
    let (x, y) = inside(0);
    assert_eq!(
        effects(&mut model, &[Action::Wheel(x, y, -1)]),
        [Effect::Move(Motion::Step(Backward), 1)]
    );
    let (x, y) = inside(1);
    assert!(effects(&mut model, &[Action::Wheel(x, y, 1)]).is_empty());
    assert_eq!(model.scroll[model.focus().index()], WHEEL_LINES);
}

#[test]
fn memory_scrolls_by_words_and_never_below_zero() {
    let mut model = model();
    effects(&mut model, &[Action::Page(2058, Some(64)), Action::Scroll(-1)]);
    assert_eq!(model.memory_offset, Some(32));
    update(&mut model, Action::Scroll(-100));
    assert_eq!(model.memory_offset, Some(0));
    assert_eq!(model.memory, MemorySource::Page(2058));
}
