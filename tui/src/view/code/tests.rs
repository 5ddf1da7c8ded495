use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use eradbg_fixtures::mini_batch;
use eradbg_tracer::drive::Session;
use eradbg_tracer::listing::Listing;
use eradbg_tracer::manifest::{EndKind, Manifest};
use eradbg_tracer::query::Query;
use eradbg_tracer::recorder::{Control, DEFAULT_CHUNK_STEPS, Recorder};
use eradbg_tracer::source::Script;
use eradbg_tracer::source::run::RunConfig;
use eradbg_tracer::store::FORMAT;
use eradbg_tracer::timeline::Direction;
use eradbg_tracer::{Recording, Timeline};
use eradbg_vm::protocol::Revision;
use eradbg_vm::{MACHINE_REVISION, Program, disasm};
use tempfile::TempDir;

use super::*;
use crate::action::Action;
use crate::highlight::Highlighter;
use crate::model::Model;
use crate::update::update;

/// Instructions of the bootloader that have a line.
const LISTED: u16 = 30;

/// A recording of the mini batch that has a made-up source of its bootloader: two lines for each instruction, the
/// instruction on the second.
fn timeline() -> (Timeline, TempDir) {
    let input = mini_batch(1);
    let bootloader = &input.system.bootloader;
    let program = Program::new(bootloader.hash, bootloader.words.clone());
    let mut text = String::new();
    for pc in 0..LISTED {
        let comment = "a comment that is so long that no pane shows the end of it. ".repeat(3);
        let _ = writeln!(
            text,
            "; before {pc}\n\t{} ; {comment}",
            disasm::disassemble(program.instruction(pc))
        );
    }
    let listing = Listing {
        hash: bootloader.hash,
        name: "made_up.asm".to_owned(),
        text,
        lines: (0..LISTED)
            .map(|pc| (pc, u32::from(pc) * 2 + 2))
            .collect::<BTreeMap<_, _>>(),
    };
    let manifest = Manifest {
        format: FORMAT,
        machine: MACHINE_REVISION,
        revision: Revision::default().to_string(),
        tool_version: "test".to_owned(),
        name: "mini".to_owned(),
        input_kind: "test".to_owned(),
        input_size: 0,
        input_sha256: String::new(),
        protocol_version: 29,
        chain_id: 270,
        batch_number: 7,
        chunk_steps: DEFAULT_CHUNK_STEPS,
        created_unix: 0,
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r");
    let control = Arc::new(Control::new(Arc::default()));
    let recorder = Recorder::create(&path, &manifest, &[listing], control).unwrap();
    let mut session = Session::new(input, Script::default(), recorder);
    session.drive(&RunConfig::default()).unwrap();
    let (recorder, machine) = session.into_parts();
    recorder.finish(&machine.execution, EndKind::Finished).unwrap();
    (Timeline::new(Recording::open(&path).unwrap()).unwrap(), folder)
}

fn model(timeline: &Timeline) -> Model {
    let mut model = Model::new((80, 24));
    update(&mut model, crate::effect::arrived(timeline, None));
    model
}

fn rows(model: &Model, timeline: &Timeline, width: u16) -> Vec<String> {
    let highlighter = Highlighter::new();
    let view = View::new(model, timeline, Theme::plain(), &highlighter);
    let area = Rect::new(0, 0, width, 11);
    let mut buffer = Buffer::empty(area);
    render(&view, area, &mut buffer);
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..area.height).map(|y| row(y).trim_end().to_owned()).collect()
}

fn title(model: &Model, timeline: &Timeline) -> String {
    let highlighter = Highlighter::new();
    note(&View::new(model, timeline, Theme::plain(), &highlighter))
}

fn current(rows: &[String]) -> &str {
    rows.iter().find(|row| row.contains('▶')).unwrap()
}

#[test]
fn source_has_the_cursor_on_the_line_of_the_instruction_and_cuts_long_lines() {
    let (mut timeline, _folder) = timeline();
    timeline.step(Direction::Forward, 3).unwrap();
    let pc = timeline.execution().frame().pc;
    assert_eq!(pc, 3, "the bootloader starts without a jump");
    let model = model(&timeline);
    let rows = rows(&model, &timeline, 50);
    let instruction = disasm::disassemble(timeline.execution().frame().program.instruction(3));
    let row = current(&rows);
    assert!(
        row.starts_with(&format!(" ▶ 8         {instruction} ; a comm")),
        "{row}"
    );
    assert_eq!((row.chars().count(), row.chars().last()), (50, Some('…')));
    assert!(rows.contains(&"   7 ; before 3".to_owned()), "{rows:#?}");
    assert!(title(&model, &timeline).starts_with("made_up.asm  "));
}

#[test]
fn a_wide_pane_shows_the_program_counter_of_each_line_that_has_one() {
    let (timeline, _folder) = timeline();
    let rows = rows(&model(&timeline), &timeline, 80);
    assert!(rows[0].starts_with("   1        ; before 0"), "{rows:#?}");
    assert!(rows[1].starts_with(" ▶ 2 0x0000         "), "{rows:#?}");
}

#[test]
fn disassembly_is_shown_on_request_and_where_there_is_no_source() {
    let (timeline, _folder) = timeline();
    let mut model = model(&timeline);
    update(&mut model, Action::ToggleSource);
    assert!(current(&rows(&model, &timeline, 50)).starts_with(" ▶0x0000 "));
    assert!(title(&model, &timeline).starts_with("disassembly  "));
    update(&mut model, Action::ToggleSource);
    // A place of the code without a line.
    update(&mut model, Action::Listing(LISTED + 5));
    let without_line = rows(&model, &timeline, 50);
    assert!(
        without_line
            .iter()
            .any(|row| row.starts_with(&format!("  {:#06x} ", LISTED + 5))),
        "{without_line:#?}"
    );
    assert!(title(&model, &timeline).starts_with("disassembly  "));
}

#[test]
fn other_code_has_neither_source_nor_a_word_about_it() {
    let (mut timeline, _folder) = timeline();
    while timeline.execution().callers().is_empty() {
        assert_eq!(timeline.step(Direction::Forward, 1).unwrap(), 1);
    }
    let model = model(&timeline);
    assert!(current(&rows(&model, &timeline, 50)).starts_with(" ▶0x0000 "));
    let address = timeline.execution().frame().code_address;
    assert_eq!(
        title(&model, &timeline),
        eradbg_tracer::symbols::address_text(address)
    );
}

#[test]
fn a_place_to_look_at_is_found_in_both_forms_and_scrolled_from() {
    let (timeline, _folder) = timeline();
    let mut model = model(&timeline);
    update(&mut model, Action::Listing(20));
    let source = rows(&model, &timeline, 50);
    assert!(source[2].starts_with("  41 ; before 20"), "{source:#?}");
    update(&mut model, Action::Scroll(2));
    assert!(rows(&model, &timeline, 50)[0].starts_with("  41 ; before 20"));
    update(&mut model, Action::ToggleSource);
    assert!(rows(&model, &timeline, 50)[3].starts_with("  0x0014 "));
}

#[test]
fn breakpoints_are_marked_in_both_forms() {
    let (timeline, _folder) = timeline();
    let mut model = model(&timeline);
    update(
        &mut model,
        Action::ToggleBreakpoint(Query::new("pc = 2").unwrap()),
    );
    for start in ["●  6 ", "● 0x0002 "] {
        let rows = rows(&model, &timeline, 50);
        let marked: Vec<&String> = rows.iter().filter(|row| row.contains('●')).collect();
        assert!(
            marked.len() == 1 && marked[0].starts_with(start),
            "{start}: {rows:#?}"
        );
        update(&mut model, Action::ToggleSource);
    }
}

#[test]
fn a_step_that_is_skipped_says_so_at_the_right_of_both_forms() {
    let (mut timeline, _folder) = timeline();
    let is_found = |timeline: &Timeline| {
        let frame = timeline.execution().frame();
        timeline.execution().callers().is_empty()
            && frame.pc < LISTED
            && timeline.next_step().is_some_and(|step| step.skipped)
    };
    while !is_found(&timeline) {
        assert_eq!(timeline.step(Direction::Forward, 1).unwrap(), 1);
    }
    let mut model = model(&timeline);
    let source = rows(&model, &timeline, 50);
    assert!(current(&source).ends_with("…  skipped"), "{source:#?}");
    update(&mut model, Action::ToggleSource);
    assert!(current(&rows(&model, &timeline, 50)).ends_with("  skipped"));
}
