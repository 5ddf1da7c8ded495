//! All ways to a position lead to the same state: seeking, stepping from the start, undoing from the end, and the
//! machine itself.

mod support;

use eradbg_tracer::delta::Change;
use eradbg_tracer::ledger::{Rows, TxStatus};
use eradbg_tracer::query::Query;
use eradbg_tracer::replay::replay_chunk;
use eradbg_tracer::store::database::Database;
use eradbg_tracer::store::key;
use eradbg_tracer::store::tree::Content;
use eradbg_tracer::timeline::{Direction, RunEnd};
use eradbg_tracer::verify::verify;
use eradbg_tracer::{Recording, Timeline};
use eradbg_vm::observer::Step;
use eradbg_vm::{Execution, Observer};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use support::{Recorded, large_inputs, mini_retried, record, small_inputs};

const CHUNK_LENGTHS: [u32; 3] = [64, 1_000, 16_384];

/// Changes the rows of a chunk.
type Edit = fn(&mut Rows);

#[test]
fn every_position_is_the_same_whichever_way_it_is_reached() {
    for input in small_inputs() {
        for chunk_steps in CHUNK_LENGTHS {
            let Recorded {
                recording,
                folder: _folder,
                ..
            } = record(&input, chunk_steps);
            let steps = recording.steps();
            let mut stepped = Timeline::new(recording.clone()).unwrap();
            let mut undone = Timeline::new(recording.clone()).unwrap();
            let mut sought = Timeline::new(recording.clone()).unwrap();
            for position in 0..=steps {
                // A detour makes seeking load chunks instead of walking on.
                if position % 5 == 0 {
                    sought.seek(position * 7919 % (steps + 1)).unwrap();
                }
                sought.seek(position).unwrap();
                let place = format!("{} {chunk_steps} {position} forward", input.name);
                assert_same(&sought, &stepped, &place);
                let is_rollback = recording.undone().iter().any(|it| it.end_step == position);
                let shows_none = position == 0 || is_rollback;
                assert_eq!(stepped.last_changes().is_empty(), shows_none, "{place}");
                stepped.step(Direction::Forward, 1).unwrap();
            }
            undone.seek(steps).unwrap();
            for position in (0..=steps).rev() {
                sought.seek(position).unwrap();
                assert_same(
                    &sought,
                    &undone,
                    &format!("{} {chunk_steps} {position} backward", input.name),
                );
                undone.step(Direction::Backward, 1).unwrap();
            }
        }
    }
}

#[test]
fn the_timeline_shows_what_the_machine_does() {
    for input in small_inputs() {
        let Recorded {
            recording,
            folder: _folder,
            ..
        } = record(&input, 1_000);
        let mut follower = Follower {
            timeline: Timeline::new(recording.clone()).unwrap(),
            compared: 0,
        };
        let mut execution = None;
        for chunk in 0..recording.chunks() {
            let log = recording.log(chunk).unwrap();
            // The machine goes on from chunk to chunk by itself, so keyframes are compared with it too.
            let mut state = match execution.take().filter(|_| !log.after_rollback) {
                Some(state) => state,
                None => recording.state_at_chunk(chunk).unwrap(),
            };
            replay_chunk(&recording, chunk, &log, &mut state, &mut follower).unwrap();
            execution = Some(state);
        }
        assert_eq!(follower.timeline.position(), recording.steps());
        assert!(follower.compared > recording.steps() / 2, "{}", input.name);
    }
}

#[test]
fn the_state_at_the_end_is_that_of_the_run() {
    for input in small_inputs() {
        let Recorded {
            recording,
            machine,
            folder: _folder,
        } = record(&input, 1_000);
        let mut timeline = Timeline::new(recording.clone()).unwrap();
        timeline.seek(recording.steps()).unwrap();
        let (view, state) = (timeline.state(), &machine.state);
        let name = &input.name;
        let values: Vec<_> = view
            .storage_changes
            .iter()
            .map(|(&key, slot)| (key, slot.value))
            .collect();
        let expected: Vec<_> = state.storage_changes().into_iter().collect();
        assert_eq!(values, expected, "{name}: storage changes");
        assert_eq!(view.events, state.events().into(), "{name}: events");
        assert_eq!(view.l2_to_l1_logs, state.l2_to_l1_logs().into(), "{name}: logs");
        assert_eq!(
            view.pubdata_costs,
            state.pubdata_costs().into(),
            "{name}: pubdata costs"
        );
        assert_eq!(view.pubdata, state.pubdata(), "{name}: pubdata");
        assert_eq!(view.refunds, state.refunds().into(), "{name}: refunds");
        assert_eq!(
            view.paid_changes,
            state.paid_changes().into(),
            "{name}: paid changes"
        );
        assert_eq!(
            view.read_storage_slots,
            state.read_storage_slots().into(),
            "{name}: read"
        );
        assert_eq!(
            view.written_storage_slots,
            state.written_storage_slots().into(),
            "{name}: written"
        );
        let decommitted = state
            .decommitted_hashes()
            .iter()
            .map(|(&hash, &page)| (hash, page))
            .collect();
        assert_eq!(view.decommitted_hashes, decommitted, "{name}: decommitted");
        let live = state
            .transient_storage()
            .iter()
            .filter(|(_, value)| !value.is_zero());
        assert_eq!(
            view.transient_storage,
            live.map(|(&key, &value)| (key, value)).collect(),
            "{name}: transient"
        );
        assert_eq!(timeline.execution(), &machine.execution, "{name}: execution");
    }
}

#[test]
fn large_recordings_replay_to_the_digest_of_each_chunk() {
    for input in large_inputs() {
        let Recorded {
            recording,
            folder: _folder,
            ..
        } = record(&input, 16_384);
        let findings = verify(&recording, |_| ControlFlow::Continue(()));
        assert_eq!(findings.broken, Vec::<String>::new(), "{}", input.name);
        assert_eq!(findings.steps, recording.steps());
        assert!(recording.chunks() > 90);
    }
}

#[test]
fn a_run_stops_at_the_nearest_place_that_a_breakpoint_names_in_either_direction() {
    let never = AtomicBool::new(false);
    for input in small_inputs() {
        let Recorded {
            recording,
            folder: _folder,
            ..
        } = record(&input, 1_000);
        let mut timeline = Timeline::new(recording.clone()).unwrap();
        // Where each step stands, as stepping tells.
        let mut places = Vec::new();
        for _ in 0..recording.steps() {
            let pc = timeline.next_step().unwrap().pc;
            places.push((pc, timeline.execution().frame().code_address));
            timeline.step(Direction::Forward, 1).unwrap();
        }
        for from in (0..recording.steps()).step_by(recording.steps() as usize / 23) {
            let (pc, address) = places[(from * 7919 % recording.steps()) as usize];
            let named = format!("address {address:#x}");
            let placed = pc.map_or_else(|| "opcode ret.panic".to_owned(), |pc| format!("pc = {pc}"));
            let is_place = |position: u64| places[position as usize].0 == pc;
            let is_named = |position: u64| places[position as usize].1 == address;
            let both = |position: u64| is_place(position) && is_named(position);
            let breakpoints: [(String, &dyn Fn(u64) -> bool); 4] = [
                (format!("{placed} and {named}"), &both),
                (named, &is_named),
                (placed, &is_place),
                ("pc = 0xffff".to_owned(), &|_| false),
            ];
            for (text, matches) in breakpoints.into_iter().filter(|_| pc.is_some()) {
                let query = Query::new(&text).unwrap();
                let is_hit = |&position: &u64| matches(position);
                let expected = [
                    (from + 1..recording.steps()).find(is_hit),
                    (0..from).rev().find(is_hit),
                ];
                for (direction, expected) in [Direction::Forward, Direction::Backward]
                    .into_iter()
                    .zip(expected)
                {
                    timeline.seek(from).unwrap();
                    let end = timeline
                        .run(std::slice::from_ref(&query), direction, &never, &mut |_| {})
                        .unwrap();
                    let found = matches!(end, RunEnd::Hit(_)).then(|| timeline.position());
                    assert_eq!(found, expected, "{} {from} {direction:?} {text}", input.name);
                }
            }
        }
    }
}

#[test]
fn rows_that_do_not_fit_what_a_chunk_does_are_found() {
    let Recorded {
        recording, folder, ..
    } = record(&mini_retried(), 1_000);
    let path = recording.path().to_owned();
    let chunk_with = |is_there: fn(&Rows) -> bool| {
        (0..recording.chunks()).find(|&chunk| is_there(&recording.all_rows(chunk).unwrap()))
    };
    let calls = chunk_with(|rows| !rows.calls.is_empty()).unwrap();
    let transactions = chunk_with(|rows| !rows.transactions.is_empty()).unwrap();
    drop(recording);
    let changes: [(u32, Edit, &str); 5] = [
        (calls, |rows| rows.calls.truncate(0), "calls and fails elsewhere"),
        (
            transactions,
            |rows| rows.transactions[0].row.status = TxStatus::Reverted,
            "about the status",
        ),
        (
            transactions,
            |rows| rows.transactions[0].row.gas_refunded += 1,
            "about the refund",
        ),
        (
            transactions,
            |rows| rows.transactions[0].row.steps -= 1,
            "about the first and last step",
        ),
        (
            transactions,
            |rows| rows.transactions[0].row.pubdata += 1,
            "differs from its row",
        ),
    ];
    for (chunk, change, says) in changes {
        let good = Recording::open(&path).unwrap().all_rows(chunk).unwrap();
        let mut rows = good.clone();
        change(&mut rows);
        put_rows(&path, chunk, &rows);
        let findings = verify(&Recording::open(&path).unwrap(), |_| ControlFlow::Continue(()));
        let [broken] = &findings.broken[..] else {
            panic!("{says}: {findings:?}");
        };
        assert!(broken.contains(says), "{says}: {broken}");
        put_rows(&path, chunk, &good);
    }
    drop(folder);
}

fn put_rows(recording: &Path, chunk: u32, rows: &Rows) {
    let database = Database::open(recording, Content::Recording).expect("nobody else has it open");
    for ((tree, kind), bytes) in rows.encode() {
        database
            .put(tree, kind, &key::chunk(chunk), &bytes)
            .expect("it is writable");
    }
}

#[test]
fn over_and_out_undo_each_other() {
    for input in small_inputs() {
        let Recorded {
            recording,
            folder: _folder,
            ..
        } = record(&input, 1_000);
        let mut timeline = Timeline::new(recording.clone()).unwrap();
        let mut calls = 0;
        for position in (0..recording.steps()).step_by(7) {
            timeline.seek(position).unwrap();
            let depth = timeline.execution().depth();
            timeline.over(Direction::Forward).unwrap();
            let after = timeline.position();
            if after > position + 1 && timeline.execution().depth() == depth {
                calls += 1;
                timeline.over(Direction::Backward).unwrap();
                assert_eq!(
                    timeline.position(),
                    position,
                    "{}: back over the call at {position}",
                    input.name
                );
                timeline.step(Direction::Forward, 1).unwrap();
                assert_eq!(timeline.execution().depth(), depth + 1);
                timeline.out(Direction::Backward).unwrap();
                assert_eq!(
                    timeline.position(),
                    position,
                    "{}: back out of the call at {position}",
                    input.name
                );
                timeline.step(Direction::Forward, 1).unwrap();
                timeline.out(Direction::Forward).unwrap();
                assert_eq!(
                    timeline.position(),
                    after,
                    "{}: out of the call at {position}",
                    input.name
                );
            }
        }
        assert!(calls > 0, "{}: no call was tried", input.name);
    }
}

fn assert_same(a: &Timeline, b: &Timeline, place: &str) {
    assert_eq!(a.position(), b.position(), "{place}");
    assert!(a.execution() == b.execution(), "{place}: the executions differ");
    assert!(a.state() == b.state(), "{place}: the states differ");
    assert_eq!(a.last_changes(), b.last_changes(), "{place}");
    assert_eq!(a.last_rows(), b.last_rows(), "{place}");
}

/// Steps a timeline along with a machine and compares them.
struct Follower {
    timeline: Timeline,
    compared: u64,
}

impl Observer for Follower {
    fn before_step(&mut self, _execution: &Execution, step: Step<'_>) {
        let info = self
            .timeline
            .next_step()
            .expect("the machine makes a step, so there is one");
        assert_eq!(
            (info.pc, info.skipped),
            (step.pc, step.skipped),
            "step {}",
            self.timeline.position()
        );
    }

    fn after_step(&mut self, execution: &Execution) {
        self.timeline
            .step(Direction::Forward, 1)
            .expect("a good recording");
        let operator_wrote = |change: &Change| matches!(change, Change::OperatorWrite { .. });
        // The timeline shows what the operator writes after a step as part of it; rollbacks start a chunk anew.
        let is_edge = self.timeline.recording().chunk_of(execution.steps()) != chunk_before(&self.timeline);
        if !self.timeline.last_changes().iter().any(operator_wrote) && !is_edge {
            assert!(
                self.timeline.execution() == execution,
                "step {}",
                execution.steps()
            );
            self.compared += 1;
        }
    }
}

fn chunk_before(timeline: &Timeline) -> u32 {
    Recording::chunk_of(timeline.recording(), timeline.position().saturating_sub(1))
}
