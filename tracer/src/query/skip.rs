//! Which chunks need not be looked at, told from their summaries.
//!
//! A chunk is skipped when no step with what its rows and pages say can match, or when no instruction that it executed
//! can. Each of the two leaves out what only the other knows.

use std::sync::Arc;

use eradbg_vm::isa::Destination;
use eradbg_vm::page_ids::stack_page;
use eradbg_vm::paged::PAGE_WORDS;
use eradbg_vm::storage::StorageKey;
use eradbg_vm::{Instruction, Opcode, Program};
use rustc_hash::FxHashMap;

use crate::index::{CodeAt, Executed, PcSet, Summary, Topic, Topics, Touched, slot_id};
use crate::keyframe::PageKey;
use crate::query::access::PlacePattern;
use crate::query::expr::{AccessTest, Answer, Atom, Expr, Span, Subject, Verb};
use crate::query::facts::sets_flags;
use crate::query::holds::{Times, is_named};
use crate::recording::{PageIndex, Recording};

/// Decides which chunks may match.
pub(super) struct Filter<'a> {
    recording: &'a Recording,
    expr: &'a Expr,
    times: &'a Times<'a>,
    /// Chunks that may do what a test of one memory or slot asks for, ascending.
    chunks: Vec<(&'a AccessTest, Vec<u32>)>,
}

/// Instructions that may match, as far as they were asked for.
#[derive(Default)]
pub(super) struct MayMatch(FxHashMap<(CodeAt, Happened), Judged>);

/// What happened in a chunk, for all that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Happened {
    /// A frame failed.
    failure: bool,
    /// A far frame ended.
    far_return: bool,
}

/// What is known of the instructions of some code.
#[derive(Default)]
struct Judged {
    /// The code, if it can be read.
    program: Option<Arc<Program>>,
    /// Instructions that were judged.
    known: PcSet,
    /// Those of them that may match.
    may_match: PcSet,
}

impl<'a> Filter<'a> {
    pub(super) fn new(recording: &'a Recording, expr: &'a Expr, times: &'a Times<'a>) -> Self {
        let mut chunks = Vec::new();
        expr.for_each(&mut |atom| {
            if let Atom::Access(test) = atom {
                let machine =
                    || chunks_with_memory(recording, test).or_else(|| chunks_with_stack(recording, test));
                // Keyframes tell what was written, not what was read.
                let is_read = test.verb == Verb::Read;
                let found = (!is_read).then(machine).flatten();
                let found = found.or_else(|| chunks_with_slot(recording, test));
                chunks.extend(found.map(|found| (test, found)));
            }
        });
        Self {
            recording,
            expr,
            times,
            chunks,
        }
    }

    /// Whether it knows of some place which chunks may write it.
    pub(super) fn knows_chunks(&self) -> bool {
        !self.chunks.is_empty()
    }

    /// Whether a chunk may match, without its summary.
    pub(super) fn may_match_at_all(&self, chunk: u32) -> bool {
        let nothing_known = Summary::default();
        let answer = self
            .expr
            .answer(&mut |atom| self.chunk(atom, chunk, &nothing_known));
        answer != Answer::No
    }

    /// Whether a chunk may match.
    pub(super) fn may_match(&self, chunk: u32, summary: &Summary, known: &mut MayMatch) -> bool {
        let of_chunk = self.expr.answer(&mut |atom| self.chunk(atom, chunk, summary));
        if of_chunk == Answer::No {
            return false;
        }
        let Some(path) = &summary.path else { return true };
        let has = |topic| {
            self.touched(chunk, summary)
                .is_none_or(|touched| touched.topics.has(topic))
        };
        let happened = Happened {
            failure: has(Topic::Failure),
            far_return: has(Topic::Return),
        };
        // The panic of the step before stands nowhere.
        let unplaced = self.expr.answer(&mut |atom| unplaced(atom));
        if unplaced != Answer::No && happened.failure {
            return true;
        }
        path.code
            .iter()
            .any(|executed| self.instructions(executed, happened, known))
    }

    /// Whether one of the instructions may match.
    fn instructions(&self, executed: &Executed, happened: Happened, known: &mut MayMatch) -> bool {
        let code = executed.code;
        let judged = known.0.entry((code, happened)).or_insert_with(|| Judged {
            program: self.recording.program(code.hash).ok(),
            ..Judged::default()
        });
        let program = judged.program.as_deref();
        executed.instructions.words().iter().any(|&(number, bits)| {
            let mut left = bits & !judged.known.word(number);
            if left != 0 {
                judged.known.add(number, left);
            }
            while left != 0 {
                let at = left.trailing_zeros();
                left &= left - 1;
                let pc = number * 64 + at as u16;
                let instruction = program.map(|program| program.instruction(pc));
                let site = |atom: &Atom| site(atom, code, pc, instruction, happened);
                if self.expr.answer(&mut { site }) != Answer::No {
                    judged.may_match.add(number, 1 << at);
                }
            }
            judged.may_match.word(number) & bits != 0
        })
    }

    /// What is known of a test from a chunk's place in time, its rows and its pages.
    fn chunk(&self, atom: &Atom, chunk: u32, summary: &Summary) -> Answer {
        let first = self.recording.first_step(chunk);
        let last = self.recording.first_step(chunk + 1).saturating_sub(1);
        let touched = self.touched(chunk, summary);
        let topics = |wanted: &[Topic]| match touched {
            Some(touched) => {
                Answer::possible(touched.topics.meets(wanted.iter().copied().collect::<Topics>()))
            }
            None => Answer::Maybe,
        };
        match atom {
            Atom::Number(Subject::Step, span) => Answer::possible(span.meets(clamp(first), clamp(last))),
            Atom::Number(Subject::Transaction, span) => {
                let transactions = self.times.transactions(first, last);
                Answer::possible(
                    transactions.is_some_and(|(first, last)| span.meets(first.into(), last.into())),
                )
            }
            Atom::Number(Subject::Depth, span) => match &summary.path {
                Some(path) => Answer::possible(span.meets(path.depth.0.into(), path.depth.1.into())),
                None => Answer::Maybe,
            },
            Atom::Number(Subject::Refund, span) if !span.has(0) => topics(&[Topic::Refund]),
            Atom::Number(Subject::Pubdata, span) => topics(pubdata_topics(*span)),
            Atom::Access(test) => self.access(test, chunk, summary),
            Atom::Event(..) => topics(&[Topic::Event]),
            Atom::Log(_) => topics(&[Topic::Log]),
            Atom::Decommit(_) => topics(&[Topic::Decommit]),
            Atom::Call(_) => topics(&[Topic::Call]),
            Atom::Return => topics(&[Topic::Return]),
            Atom::Revert | Atom::Panic(_) => topics(&[Topic::Failure]),
            Atom::Hook(_) => topics(&[Topic::Hook]),
            Atom::Warm | Atom::Cold => topics(&[Topic::StorageRead, Topic::StorageWrite]),
            // A frame's steps come after the one that entered it.
            Atom::Frame(entered_at) => Answer::possible(last > *entered_at),
            Atom::Undone => self.times.undone(first, last),
            _ => Answer::Maybe,
        }
    }

    /// What the rows of a chunk's steps are about, where its own block has all of them.
    fn touched<'s>(&self, chunk: u32, summary: &'s Summary) -> Option<&'s Touched> {
        let touched = summary.touched.as_ref();
        touched.filter(|_| !self.recording.rows_reach_beyond(chunk))
    }

    fn access(&self, test: &AccessTest, chunk: u32, summary: &Summary) -> Answer {
        let mut known = self.chunks.iter();
        if let Some((_, chunks)) = known.find(|(other, _)| std::ptr::eq(*other, test)) {
            return Answer::possible(chunks.binary_search(&chunk).is_ok());
        }
        let Some(touched) = self.touched(chunk, summary) else {
            return Answer::Maybe;
        };
        let (read, write) = match test.place {
            PlacePattern::Storage { .. } => (Topic::StorageRead, Topic::StorageWrite),
            PlacePattern::Transient { .. } => (Topic::TransientRead, Topic::TransientWrite),
            _ => return Answer::Maybe,
        };
        let wanted: Topics = match test.verb {
            Verb::Read => [read].into_iter().collect(),
            Verb::Write => [write].into_iter().collect(),
            Verb::Change => [write, Topic::SlotRestored].into_iter().collect(),
            Verb::Restore => [Topic::SlotRestored].into_iter().collect(),
        };
        Answer::possible(touched.topics.meets(wanted))
    }
}

/// Topics of rows that add a number of bytes of this span.
fn pubdata_topics(span: Span) -> &'static [Topic] {
    if span.has(0) {
        &[Topic::StorageWrite, Topic::PubdataAdded, Topic::PubdataFreed]
    } else if span.least > 0 {
        &[Topic::PubdataAdded]
    } else if span.greatest < 0 {
        &[Topic::PubdataFreed]
    } else {
        &[Topic::PubdataAdded, Topic::PubdataFreed]
    }
}

/// Chunks that may write the memory of a test, ascending; `None`: any.
fn chunks_with_memory(recording: &Recording, test: &AccessTest) -> Option<Vec<u32>> {
    let PlacePattern::Heap {
        page: Some(space),
        bytes,
    } = &test.place
    else {
        return None;
    };
    let index = recording.page_index();
    let mut chunks: Vec<u32> = index.edges(*space).collect();
    let bytes = bytes
        .clone()
        .filter(|bytes| bytes.end - bytes.start <= SHORT_BYTES);
    if let Some(bytes) = bytes {
        let (first, last) = (bytes.start / 32, bytes.end.saturating_sub(1) / 32);
        for word in first..=last {
            let word = word as u32;
            let page = (*space, false, word / PAGE_WORDS as u32);
            chunks.extend(chunks_that_write(index, page, 1 << (word % PAGE_WORDS as u32)));
        }
    } else {
        let pages = index.pages_with_space(*space);
        chunks.extend(pages.flat_map(|page| chunks_that_write(index, page, u32::MAX)));
    }
    chunks.sort_unstable();
    chunks.dedup();
    Some(chunks)
}

/// Chunks that may write the stack slot of a frame that a test names, ascending; `None`: any.
fn chunks_with_stack(recording: &Recording, test: &AccessTest) -> Option<Vec<u32>> {
    let PlacePattern::Stack {
        frame: Some(entered_at),
        slot: Some(slot),
    } = test.place
    else {
        return None;
    };
    let first = recording.chunk_of(entered_at);
    let base_page = |chunk: u32| {
        let frames = recording.far_frames(chunk).ok()?;
        let frame = frames.into_iter().find(|frame| frame.entered_at == entered_at);
        Some(frame.map(|frame| frame.base_page))
    };
    // The last keyframe that has the frame: it ends in the chunk that follows. Nothing is known where one is damaged.
    let (mut alive, mut over, mut page) = (first, recording.chunks(), None);
    while over - alive > 1 {
        let middle = alive + (over - alive) / 2;
        match base_page(middle)? {
            Some(found) => (alive, page) = (middle, Some(found)),
            None => over = middle,
        }
    }
    let mut chunks = vec![first, alive];
    if let Some(base) = page {
        let words = usize::from(slot);
        let page = (stack_page(base), true, (words / PAGE_WORDS) as u32);
        chunks.extend(chunks_that_write(
            recording.page_index(),
            page,
            1 << (words % PAGE_WORDS),
        ));
    }
    chunks.sort_unstable();
    chunks.dedup();
    Some(chunks)
}

/// Chunks that do what a test asks for to a slot, ascending; `None`: the test names no slot.
fn chunks_with_slot(recording: &Recording, test: &AccessTest) -> Option<Vec<u32>> {
    let (is_transient, address, key) = match test.place {
        PlacePattern::Storage { address, slot } => (false, address?, slot?),
        PlacePattern::Transient { address, slot } => (true, address?, slot?),
        _ => return None,
    };
    let id = slot_id(is_transient, StorageKey { address, key });
    let mut chunks = recording.slot_index().chunks(id, |touch| match test.verb {
        Verb::Read => touch.read,
        Verb::Write => touch.written,
        Verb::Change => touch.written || touch.restored,
        Verb::Restore => touch.restored,
    });
    // What a rollback did stands in the block after it, and what the end brought in one that no chunk has.
    let before = chunks.iter().filter_map(|chunk| chunk.checked_sub(1));
    let before: Vec<u32> = before
        .filter(|&chunk| recording.rows_reach_beyond(chunk))
        .collect();
    chunks.extend(before);
    chunks.extend(recording.chunks().checked_sub(1));
    chunks.sort_unstable();
    chunks.dedup();
    Some(chunks)
}

/// Stretches of memory of which each word is looked up by itself.
const SHORT_BYTES: u64 = 4_096;

/// Chunks that wrote one of these words of a page: each keyframe tells of the chunk before it.
fn chunks_that_write(index: &PageIndex, page: PageKey, words: u32) -> impl Iterator<Item = u32> + '_ {
    let versions = index.versions(page).iter();
    let written = versions.filter(move |version| version.written & words != 0);
    written.map(|version| version.chunk.saturating_sub(1))
}

/// What is known of a test from an instruction, where it stands, and what happened in the chunk.
fn site(atom: &Atom, code: CodeAt, pc: u16, instruction: Option<&Instruction>, happened: Happened) -> Answer {
    let with = |test: &dyn Fn(&Instruction) -> Answer| instruction.map_or(Answer::Maybe, test);
    let opcode = |test: &dyn Fn(Opcode) -> bool| with(&|i| Answer::possible(test(i.opcode)));
    match atom {
        Atom::Number(Subject::Pc, span) => Answer::known(span.has(pc)),
        Atom::Address(address) => Answer::known(*address == code.address),
        Atom::Opcode(name) => with(&|i| Answer::known(is_named(i.opcode, name))),
        Atom::Access(test) if test.verb != Verb::Read => {
            with(&|i| Answer::possible(may_write(i, &test.place, happened)))
        }
        Atom::Decommit(_) => opcode(&|opcode| opcode.is_far_call() || opcode == Opcode::Decommit),
        Atom::Call(_) => opcode(&Opcode::is_far_call),
        Atom::Return => opcode(&|opcode| opcode == Opcode::RetOk),
        _ => Answer::Maybe,
    }
}

/// What is known of a test of the panic of the step before, which stands nowhere.
fn unplaced(atom: &Atom) -> Answer {
    match atom {
        Atom::Number(Subject::Pc, _) => Answer::No,
        Atom::Opcode(name) => Answer::known(is_named(Opcode::RetPanic, name)),
        _ => Answer::Maybe,
    }
}

/// Whether an instruction, or the panic that it turns into, may write a place of the machine.
fn may_write(i: &Instruction, place: &PlacePattern, happened: Happened) -> bool {
    let may_leave_far_frame = happened.far_return && i.opcode.is_ret() || happened.failure;
    match *place {
        // Far calls and far returns set all registers.
        PlacePattern::Register(index) => {
            let writes = |register| register != 0 && index.is_none_or(|index| register == index);
            let first = i.destination == Destination::Register && writes(i.dst0);
            first || writes(i.dst1) || i.opcode.is_far_call() || may_leave_far_frame
        }
        PlacePattern::Flag(_) => sets_flags(i) || happened.failure,
        PlacePattern::Stack { .. } => i.destination != Destination::Register,
        _ => true,
    }
}

fn clamp(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}
