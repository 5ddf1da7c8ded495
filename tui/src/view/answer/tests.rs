use std::sync::atomic::AtomicBool;

use eradbg_tracer::analysis::answer::{Question, Topic, answer_origin};
use eradbg_tracer::query::parse_place;
use eradbg_tracer::source::scenario;
use eradbg_tracer::{Recording, Timeline};
use tempfile::TempDir;
use tui_input::InputRequest;

use crate::action::Action;
use crate::answer::Shown;
use crate::commands::demo;
use crate::effect::{self, Effect, Task};
use crate::model::{Mode, Model};
use crate::update::update;
use crate::view::testing::screen;

/// The demo, and the folder that it lies in.
fn demo() -> (Timeline, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo");
    demo::make(&path, scenario::embedded("demo").unwrap()).unwrap();
    (Timeline::new(Recording::open(&path).unwrap()).unwrap(), folder)
}

/// Asks, and takes the answer in, as the program does.
fn ask(model: &mut Model, timeline: &mut Timeline, action: Action) {
    let mut effect = update(model, action);
    while let Some(report) = perform(&effect, timeline) {
        effect = update(model, report);
    }
    model.running = None;
}

fn perform(effect: &Effect, timeline: &mut Timeline) -> Option<Action> {
    let Effect::Run {
        task: Task::Answer(topic, view, part),
        ..
    } = *effect
    else {
        return effect::perform(effect, timeline);
    };
    let recording = timeline.recording();
    let question = effect::question(recording, timeline.position(), topic, view, part);
    Some(Action::Answered(
        Some(question),
        Box::new(question.answer(recording).unwrap()),
    ))
}

fn shown(model: &Model) -> &Shown {
    let Mode::Answer(shown) = &model.mode else {
        panic!("{:?}", model.mode)
    };
    shown
}

#[test]
fn a_long_answer_scrolls_and_a_line_leads_to_its_step() {
    let (mut timeline, _folder) = demo();
    let mut model = Model::new((80, 24));
    ask(
        &mut model,
        &mut timeline,
        Action::Question(Topic::Why, Some(7.into())),
    );
    insta::assert_snapshot!("why_halted", screen(&model, &timeline));
    let step = shown(&model).line().unwrap().step.unwrap();
    ask(&mut model, &mut timeline, Action::Enter);
    assert_eq!(
        (timeline.position(), matches!(model.mode, Mode::Normal)),
        (step, true)
    );
}

#[test]
fn a_line_without_step_leads_nowhere_and_says_so() {
    let (mut timeline, _folder) = demo();
    let mut model = Model::new((80, 24));
    ask(
        &mut model,
        &mut timeline,
        Action::Question(Topic::Why, Some(4.into())),
    );
    ask(&mut model, &mut timeline, Action::Scroll(3));
    assert_eq!(update(&mut model, Action::Enter), Effect::None);
    assert_eq!(shown(&model).selected, 3);
}

#[test]
fn after_the_help_the_answer_is_there_again() {
    let (mut timeline, _folder) = demo();
    let mut model = Model::new((80, 24));
    ask(
        &mut model,
        &mut timeline,
        Action::Question(Topic::Sheet, Some(4.into())),
    );
    ask(&mut model, &mut timeline, Action::Scroll(2));
    let before = screen(&model, &timeline);
    ask(&mut model, &mut timeline, Action::Help);
    assert!(matches!(model.mode, Mode::Help { .. }));
    ask(&mut model, &mut timeline, Action::Escape);
    assert_eq!(screen(&model, &timeline), before);
    ask(&mut model, &mut timeline, Action::Escape);
    assert!(matches!(model.mode, Mode::Normal));
}

#[test]
fn without_a_number_it_is_about_the_transaction_at_the_cursor() {
    let (mut timeline, _folder) = demo();
    let mut model = Model::new((80, 24));
    ask(&mut model, &mut timeline, Action::Transaction(11));
    ask(&mut model, &mut timeline, Action::Question(Topic::Why, None));
    assert_eq!(shown(&model).answer.title, "Why: transaction 11");
}

#[test]
fn behind_the_last_transaction_it_is_about_the_end_of_the_batch() {
    let (mut timeline, _folder) = demo();
    let mut model = Model::new((120, 40));
    let end = timeline.recording().steps();
    ask(&mut model, &mut timeline, Action::Seek(end));
    ask(&mut model, &mut timeline, Action::Question(Topic::Ergs, None));
    assert_eq!(shown(&model).answer.title, "Ergs: end of the batch, by time");
    insta::assert_snapshot!("end_of_the_batch", screen(&model, &timeline));
    // Only transactions fail, so it is about one that did.
    ask(&mut model, &mut timeline, Action::Question(Topic::Why, None));
    assert_eq!(shown(&model).answer.title, "Why: transaction 4");
}

#[test]
fn where_a_value_comes_from_has_a_screen_at_each_size() {
    let (timeline, _folder) = demo();
    let place = parse_place("r2").unwrap();
    let origin = || answer_origin(timeline.recording(), 9130, &place, &AtomicBool::new(false));
    for (width, height) in [(80, 24), (120, 40), (200, 50)] {
        let mut model = Model::new((width, height));
        let answer = Box::new(origin().unwrap().unwrap());
        update(&mut model, Action::Answered(None, answer));
        insta::assert_snapshot!(format!("origin_{width}x{height}"), screen(&model, &timeline));
    }
}

#[test]
fn every_question_has_a_screen_at_each_size() {
    let (mut timeline, _folder) = demo();
    for (width, height) in [(80, 24), (120, 40), (200, 50)] {
        for topic in Topic::ALL {
            let mut model = Model::new((width, height));
            ask(&mut model, &mut timeline, Action::Question(topic, Some(4.into())));
            let name = format!("{}_{width}x{height}", topic.name());
            insta::assert_snapshot!(name, screen(&model, &timeline));
        }
    }
}

#[test]
fn the_next_order_and_a_filter_show_other_lines_of_the_same_answer() {
    let (mut timeline, _folder) = demo();
    let mut model = Model::new((120, 40));
    ask(
        &mut model,
        &mut timeline,
        Action::Question(Topic::Pubdata, Some(2.into())),
    );
    ask(&mut model, &mut timeline, Action::NextView);
    assert_eq!(shown(&model).answer.title, "Pubdata: transaction 2, by slot");
    update(&mut model, Action::Filter);
    for letter in "nonce".chars() {
        update(&mut model, Action::Edit(InputRequest::InsertChar(letter)));
    }
    update(&mut model, Action::Enter);
    assert!(
        shown(&model)
            .lines()
            .all(|(line, _)| line.text.contains("NonceHolder"))
    );
    insta::assert_snapshot!("pubdata_filtered", screen(&model, &timeline));
    update(&mut model, Action::Escape);
    assert!(shown(&model).lines().len() > 2);
    update(&mut model, Action::Escape);
    assert!(matches!(model.mode, Mode::Normal));
}

#[test]
fn a_question_without_other_orders_says_so_and_stays() {
    let (mut timeline, _folder) = demo();
    let mut model = Model::new((80, 24));
    ask(
        &mut model,
        &mut timeline,
        Action::Question(Topic::Sheet, Some(0.into())),
    );
    assert_eq!(update(&mut model, Action::NextView), Effect::None);
    assert_eq!(shown(&model).question, Some(Question::new(Topic::Sheet, 0)));
}
