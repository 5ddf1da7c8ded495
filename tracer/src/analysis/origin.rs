//! Where a value comes from: back through moves, memory, calls and storage, to a constant, to what the operator brought, or
//! to storage as it was before the batch.

mod made;
mod outside;

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use eradbg_vm::disasm::disassemble;
use eradbg_vm::{Execution, Value, value};
use serde::Serialize;

use crate::analysis::before;
use crate::analysis::origin::made::{Made, made};
use crate::analysis::origin::outside::Outside;
use crate::error::Result;
use crate::query::{Access, AccessKind, Effect, Found, Hit, Origin, Place, PlacePattern};
use crate::recording::Recording;

/// Writers that are followed, at most: a value that was computed of many leads to ever more of them.
const MOST_WRITERS: usize = 256;
/// Parts of a memory that are told apart, at most.
const MOST_PARTS: usize = 64;
/// Computations that lead to each other, at most.
const MOST_LEVELS: usize = 48;

/// A step on the way to where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The step that wrote it; `None` for what no step did.
    pub step: Option<u64>,
    /// Computations between it and the value that was asked for.
    pub level: usize,
    /// Where the value stood: a place as queries spell it; nothing for what has no place, as a constant.
    pub place: String,
    /// The same.
    #[serde(skip)]
    pub at: Option<Place>,
    /// The value, as far as it is known.
    pub value: Option<String>,
    /// What wrote it: an instruction, or what it is where the way ends.
    pub by: String,
    /// What the way ends with.
    pub end: Option<End>,
}

/// What the way to a value's origin ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// A constant: of the code, or nothing at all, which is zero.
    Constant,
    /// A transaction's data.
    Transaction,
    /// Something else that the operator wrote.
    Operator,
    /// Storage as it was before the batch.
    Storage,
    /// Something that the machine knows of itself: addresses, ergs, positions, flags of calls.
    Machine,
    /// It is told above already.
    Told,
    /// It leads further than is followed.
    TooFar,
}

/// The way to where the value of a place at a position comes from; `None` where the pattern names more than one place. The
/// value itself is the first link. A way that is stopped ends with [`End::TooFar`].
///
/// # Errors
/// When the recording cannot be stepped, or a chunk on the way is damaged.
pub fn origin(
    recording: &Recording,
    position: u64,
    place: &PlacePattern,
    stop: &AtomicBool,
) -> Result<Option<Vec<Link>>> {
    recording.check_machine()?;
    recording.load_overview();
    let here = before(recording, position)?;
    let Some(place) = single(place, &here) else {
        return Ok(None);
    };
    let mut way = Way {
        recording,
        stop,
        outside: Outside::new(recording)?,
        links: Vec::new(),
        told: HashSet::new(),
        writers: 0,
    };
    way.follow(place, position, 0)?;
    Ok(Some(way.links))
}

/// The place that a pattern names, when it names one.
fn single(pattern: &PlacePattern, here: &Execution) -> Option<Place> {
    let slot = |address: &Option<_>, slot: &Option<_>| {
        Some(eradbg_vm::StorageKey {
            address: (*address)?,
            key: (*slot)?,
        })
    };
    Some(match pattern {
        PlacePattern::Register(index) => Place::Register((*index)?),
        PlacePattern::Flag(_) => Place::Flags,
        PlacePattern::Stack { frame, slot } => Place::Stack {
            frame: frame.unwrap_or_else(|| here.frame().far_entered_at()),
            slot: (*slot)?,
        },
        PlacePattern::Heap { page, bytes } => {
            let bytes = bytes.clone()?;
            Place::Memory {
                page: (*page)?,
                offset: u32::try_from(bytes.start).ok()?,
                length: u32::try_from(bytes.end.checked_sub(bytes.start)?).ok()?,
            }
        }
        PlacePattern::Storage { address, slot: key } => Place::Storage(slot(address, key)?),
        PlacePattern::Transient { address, slot: key } => Place::Transient(slot(address, key)?),
    })
}

/// A way that is being followed.
struct Way<'a> {
    recording: &'a Recording,
    stop: &'a AtomicBool,
    outside: Outside<'a>,
    links: Vec<Link>,
    /// Writers whose origins are told, with what they wrote.
    told: HashSet<(u64, String)>,
    writers: usize,
}

impl Way<'_> {
    /// Follows the value that a place has at a position.
    fn follow(&mut self, place: Place, position: u64, level: usize) -> Result<()> {
        let (mut place, mut position) = (place, position);
        loop {
            self.writers += 1;
            let is_far = self.writers > MOST_WRITERS || level > MOST_LEVELS;
            let found = if is_far {
                Found::Stopped
            } else {
                self.writer(&place, position)?
            };
            let hit = match found {
                Found::Hit(hit) => hit,
                Found::Nothing => return self.nobody_wrote(&place, position, level),
                Found::Stopped => {
                    let by = "it leads further back".to_owned();
                    self.links
                        .push(Link::end(level, Some(place), None, by, End::TooFar));
                    return Ok(());
                }
            };
            let Some(access) = access_of(&hit) else {
                let by = format!("step {} wrote it", hit.step);
                self.links
                    .push(Link::end(level, Some(place), None, by, End::TooFar));
                return Ok(());
            };
            if access.kind == AccessKind::Restore {
                let by = "given back by a rollback".to_owned();
                self.written(&hit, &place, access.new.map(text), by, level);
                position = self.start_of_what_was_undone(hit.step);
                continue;
            }
            let (part, value, rest) = part_of(&place, &access);
            if !rest.is_empty() {
                // Other steps wrote the other bytes: each part is followed by itself, in the order of the bytes.
                return self.follow_parts(&place, position, level);
            }
            if access.kind == AccessKind::Operator {
                let (end, by) = self.outside.written_by_operator(&part, hit.step)?;
                self.written(&hit, &part, value, by, level).end = Some(end);
                return Ok(());
            }
            let machine = before(self.recording, hit.step)?;
            let instruction = machine.next_instruction();
            let is_new = self.told.insert((hit.step, access.place.to_string()));
            let link = self.written(&hit, &part, value, disassemble(&instruction), level);
            if !is_new {
                link.end = Some(End::Told);
                return Ok(());
            }
            match made(&machine, &instruction, &access) {
                Made::Moved(from) => (place, position) = (from, hit.step),
                Made::Computed(from) => {
                    for (_, value) in from.iter().filter(|(from, _)| from.is_none()) {
                        self.constant(*value, level + 1);
                    }
                    let places: Vec<_> = from.into_iter().filter_map(|(from, _)| from).collect();
                    // One value that constants change is still followed in a line.
                    let &[only] = &places[..] else {
                        return places
                            .into_iter()
                            .try_for_each(|from| self.follow(from, hit.step, level + 1));
                    };
                    (place, position) = (only, hit.step);
                }
                Made::Constant(value) => {
                    self.constant(value, level);
                    return Ok(());
                }
                Made::End(end, by) => {
                    self.links.push(Link::end(level, None, None, by, end));
                    return Ok(());
                }
            }
        }
    }

    /// Follows the parts of a memory's bytes that different steps wrote.
    fn follow_parts(&mut self, place: &Place, position: u64, level: usize) -> Result<()> {
        let mut left = vec![*place];
        let mut parts = Vec::new();
        while let Some(place) = left.pop() {
            let hit = match self.writer(&place, position)? {
                Found::Hit(hit) if parts.len() < MOST_PARTS => hit,
                _ => {
                    parts.push(place);
                    continue;
                }
            };
            match access_of(&hit) {
                Some(access) => {
                    let (part, _, rest) = part_of(&place, &access);
                    parts.push(part);
                    left.extend(rest);
                }
                None => parts.push(place),
            }
        }
        parts.sort_by_key(|part| match part {
            Place::Memory { offset, .. } => *offset,
            _ => 0,
        });
        parts
            .into_iter()
            .try_for_each(|part| self.follow(part, position, level + 1))
    }

    /// Tells what a place has that no step wrote.
    fn nobody_wrote(&mut self, place: &Place, position: u64, level: usize) -> Result<()> {
        for known in self.outside.before_all_steps(place, position)? {
            let end = Link::end(level, Some(known.place), known.value, known.by, known.end);
            self.links.push(end);
        }
        Ok(())
    }

    /// The last step before a position that wrote a place.
    fn writer(&self, place: &Place, position: u64) -> Result<Found> {
        let place = PlacePattern::of(place);
        Origin::LastWrite.find(self.recording, position, &place, self.stop, &mut |_| {})
    }

    /// The position from which on everything was undone that a step took back.
    fn start_of_what_was_undone(&self, step: u64) -> u64 {
        let of_operator = self
            .recording
            .undone()
            .iter()
            .find(|range| range.end_step == step + 1);
        let failures = self.recording.failures();
        let at = failures.partition_point(|failure| failure.step < step);
        let of_frame = failures.get(at).filter(|failure| failure.step == step);
        match (of_frame, of_operator) {
            (Some(failure), None) => failure.entered_at,
            (_, Some(range)) => range.first_step,
            (None, None) => step,
        }
    }

    /// A step wrote a place.
    fn written(
        &mut self,
        hit: &Hit,
        place: &Place,
        value: Option<String>,
        by: String,
        level: usize,
    ) -> &mut Link {
        self.links.push(Link {
            step: Some(hit.step),
            level,
            place: PlacePattern::of(place).to_string(),
            at: Some(*place),
            value,
            by,
            end: None,
        });
        self.links.last_mut().expect("one was pushed")
    }

    fn constant(&mut self, value: Value, level: usize) {
        let (value, by) = (Some(text(value)), "constant".to_owned());
        self.links.push(Link::end(level, None, value, by, End::Constant));
    }
}

impl Link {
    /// Where the way ends.
    fn end(level: usize, at: Option<Place>, value: Option<String>, by: String, end: End) -> Self {
        Self {
            step: None,
            level,
            place: at.map_or_else(String::new, |place| PlacePattern::of(&place).to_string()),
            at,
            value,
            by,
            end: Some(end),
        }
    }
}

/// What a hit did to the place that was asked for: the last thing, and rather one whose value is known.
fn access_of(hit: &Hit) -> Option<Access> {
    let accesses = || {
        hit.effects.iter().rev().filter_map(|effect| match effect {
            Effect::Access(access) => Some(*access),
            _ => None,
        })
    };
    accesses()
        .find(|access| access.new.is_some())
        .or_else(|| accesses().next())
}

/// The part of a place that was written, with its value as far as it is known, and the parts that were not. Only memory has
/// parts.
fn part_of(wanted: &Place, access: &Access) -> (Place, Option<String>, Vec<Place>) {
    let value = access.new.map(text);
    let (
        &Place::Memory { page, offset, length },
        &Place::Memory {
            offset: start,
            length: count,
            ..
        },
    ) = (wanted, &access.place)
    else {
        return (*wanted, value, Vec::new());
    };
    let (end, written_end) = (offset.saturating_add(length), start.saturating_add(count));
    let bytes = |from: u32, to: u32| Place::Memory {
        page,
        offset: from,
        length: to - from,
    };
    let (first, last) = (offset.max(start), end.min(written_end));
    let rest = [(offset, first), (last, end)];
    let rest = rest
        .into_iter()
        .filter(|(from, to)| from < to)
        .map(|(from, to)| bytes(from, to));
    let value = match access.new {
        Some(word) if count == 32 && (first, last) != (start, written_end) => {
            let word = value::word_to_bytes(word.word);
            let part = &word[(first - start) as usize..(last - start) as usize];
            Some(format!("0x{}", hex::encode(part)))
        }
        _ => value,
    };
    (bytes(first, last), value, rest.collect())
}

fn text(value: Value) -> String {
    format!("{:#x}", value.word)
}
