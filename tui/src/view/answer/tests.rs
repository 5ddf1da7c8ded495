use eradbg_tracer::source::scenario;
use eradbg_tracer::{Recording, Timeline};
use tempfile::TempDir;

use crate::action::Action;
use crate::commands::demo;
use crate::effect::{self, Effect};
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
    while let Some(report) = effect::perform(&effect, timeline) {
        effect = update(model, report);
    }
}

#[test]
fn why_a_transaction_failed_fits_each_size_of_screen() {
    let (mut timeline, _folder) = demo();
    for (width, height) in [(80, 24), (120, 40), (200, 50)] {
        let mut model = Model::new((width, height));
        ask(&mut model, &mut timeline, Action::Why(Some(4)));
        ask(&mut model, &mut timeline, Action::Scroll(2));
        insta::assert_snapshot!(format!("why_{width}x{height}"), screen(&model, &timeline));
    }
}

#[test]
fn a_long_answer_scrolls_and_a_line_leads_to_its_step() {
    let (mut timeline, _folder) = demo();
    let mut model = Model::new((80, 24));
    ask(&mut model, &mut timeline, Action::Why(Some(7)));
    insta::assert_snapshot!("why_halted", screen(&model, &timeline));
    let Mode::Answer { lines, .. } = &model.mode else {
        panic!("{:?}", model.mode)
    };
    let step = lines[0].step.unwrap();
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
    ask(&mut model, &mut timeline, Action::Why(Some(4)));
    ask(&mut model, &mut timeline, Action::Scroll(3));
    assert_eq!(update(&mut model, Action::Enter), Effect::None);
    assert!(matches!(model.mode, Mode::Answer { selected: 3, .. }));
}

#[test]
fn without_a_number_it_is_about_the_transaction_at_the_cursor() {
    let (mut timeline, _folder) = demo();
    let mut model = Model::new((80, 24));
    ask(&mut model, &mut timeline, Action::Transaction(11));
    ask(&mut model, &mut timeline, Action::Why(None));
    let Mode::Answer { title, .. } = &model.mode else {
        panic!("{:?}", model.mode)
    };
    assert_eq!(title, "Why: transaction 11");
}
