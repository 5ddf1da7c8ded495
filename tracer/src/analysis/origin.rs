//! Where a value comes from: back through moves, memory, calls and storage, to a constant, to what the operator brought, or
//! to storage as it was before the batch.

mod made;
mod outside;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// The way to where the value of a place at a position comes from, and whether it was stopped on the way. The value itself
/// is the first link.
///
/// # Errors
/// When the place does not name a single one, or a chunk on the way is damaged.
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
            let is_stopped = self.stop.load(Ordering::Relaxed);
            if is_stopped || self.writers > MOST_WRITERS || level > MOST_LEVELS {
                self.end(&place, level, End::TooFar, "it leads further back".to_owned());
                return Ok(());
            }
            let Some(hit) = self.writer(&place, position)? else {
                let (end, by) = self.outside.before_all_steps(&place, position)?;
                self.end(&place, level, end, by);
                return Ok(());
            };
            let Some(access) = access_of(&hit) else {
                self.end(&place, level, End::TooFar, format!("step {} wrote it", hit.step));
                return Ok(());
            };
            if access.kind == AccessKind::Restore {
                self.written(
                    &hit,
                    &place,
                    access.new.map(text),
                    "given back by a rollback".to_owned(),
                    level,
                );
                position = self.start_of_what_was_undone(hit.step);
                continue;
            }
            let (part, value, rest) = part_of(&place, &access);
            // Bytes that other steps wrote.
            for other in rest {
                self.follow(other, position, level + 1)?;
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
            match made(&machine, &instruction, &access.place) {
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
                    self.links.push(Link {
                        step: None,
                        level,
                        place: String::new(),
                        at: None,
                        value: None,
                        by,
                        end: Some(end),
                    });
                    return Ok(());
                }
            }
        }
    }

    /// The last step before a position that wrote a place.
    fn writer(&self, place: &Place, position: u64) -> Result<Option<Box<Hit>>> {
        let found = Origin::LastWrite.find(
            self.recording,
            position,
            &PlacePattern::of(place),
            self.stop,
            &mut |_| {},
        )?;
        Ok(match found {
            Found::Hit(hit) => Some(hit),
            Found::Nothing | Found::Stopped => None,
        })
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
            place: place.to_string(),
            at: Some(*place),
            value,
            by,
            end: None,
        });
        self.links.last_mut().expect("one was pushed")
    }

    fn constant(&mut self, value: Value, level: usize) {
        self.links.push(Link {
            step: None,
            level,
            place: String::new(),
            at: None,
            value: Some(text(value)),
            by: "constant".to_owned(),
            end: Some(End::Constant),
        });
    }

    fn end(&mut self, place: &Place, level: usize, end: End, by: String) {
        self.links.push(Link {
            step: None,
            level,
            place: place.to_string(),
            at: Some(*place),
            value: None,
            by,
            end: Some(end),
        });
    }
}

/// What a hit did to the place that was asked for.
fn access_of(hit: &Hit) -> Option<Access> {
    hit.effects.iter().find_map(|effect| match effect {
        Effect::Access(access) => Some(*access),
        _ => None,
    })
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
