//! Summaries of up to [`super::GROUP_CHUNKS`] chunks as one value.
//!
//! `count | code that they executed | slots that they touched | each summary, which names code and slots by number`

use crate::index::{CodeAt, Executed, Instructions, Path, SlotTouch, Summary, Topics, Touched, Version};
use crate::keyframe::{PageKey, decode_lives, encode_lives};
use crate::store::codec::{Decoder, Encoder, Malformed};

/// The bytes of the summaries of a group.
pub fn encode_group(summaries: &[Summary]) -> Vec<u8> {
    let code = distinct(summaries, |summary| {
        let path = summary.path.as_ref();
        path.map(|path| path.code.iter().map(|executed| executed.code).collect())
    });
    let slots = distinct(summaries, |summary| {
        let touched = summary.touched.as_ref();
        touched.map(|touched| touched.slots.iter().map(|&(slot, _)| slot).collect())
    });
    let mut e = Encoder::default();
    e.number(summaries.len() as u64);
    e.number(code.len() as u64);
    for code in &code {
        e.word(eradbg_vm::value::word_of(code.address));
        e.word(code.hash);
    }
    e.number(slots.len() as u64);
    let mut last = 0;
    for &slot in &slots {
        e.number(slot - last);
        last = slot;
    }
    let mut before = vec![Instructions::default(); code.len()];
    for summary in summaries {
        encode_summary(&mut e, summary, &code, &mut before, &slots);
    }
    e.into_bytes()
}

/// Reads the summaries of a group.
///
/// # Errors
/// When the bytes are no group.
pub fn decode_group(bytes: &[u8]) -> Result<Vec<Summary>, Malformed> {
    let mut d = Decoder::new(bytes);
    let count = d.count()?;
    let code_count = d.count()?;
    let code = (0..code_count)
        .map(|_| {
            Ok(CodeAt {
                address: eradbg_vm::value::address_of(d.word()?),
                hash: d.word()?,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let slot_count = d.count()?;
    let mut last = 0u64;
    let mut slots = Vec::with_capacity(slot_count);
    for _ in 0..slot_count {
        last = last.checked_add(d.number()?).ok_or(Malformed)?;
        slots.push(last);
    }
    let mut before = vec![Instructions::default(); code_count];
    let summaries = (0..count)
        .map(|_| decode_summary(&mut d, &code, &mut before, &slots))
        .collect::<Result<_, _>>()?;
    if d.is_empty() {
        Ok(summaries)
    } else {
        Err(Malformed)
    }
}

/// What the summaries name, each once, in order.
fn distinct<T: Ord>(summaries: &[Summary], names: impl Fn(&Summary) -> Option<Vec<T>>) -> Vec<T> {
    let mut all: Vec<T> = summaries.iter().filter_map(names).flatten().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Writes a summary; `before` has what of each code was executed in the last chunk before that ran it.
fn encode_summary(
    e: &mut Encoder,
    summary: &Summary,
    code: &[CodeAt],
    before: &mut [Instructions],
    slots: &[u64],
) {
    e.number(summary.next_page);
    e.number(summary.versions.len() as u64);
    let mut last = (0, false, 0);
    for &Version { page, written } in &summary.versions {
        let (space, is_stack, index) = page;
        let same_space = (space, is_stack) == (last.0, last.1);
        e.number(u64::from(space - last.0) << 1 | u64::from(is_stack));
        e.number(if same_space { index - last.2 } else { index });
        e.number(written);
        last = page;
    }
    encode_lives(e, &summary.lives);
    e.option(summary.path.as_ref(), |e, path| {
        e.number(path.depth.0);
        e.number(path.depth.1 - path.depth.0);
        e.number(path.code.len() as u64);
        for executed in &path.code {
            let number = number_of(code, &executed.code);
            e.number(number);
            let before = &mut before[number as usize];
            executed.instructions.encode_since(before, e);
            *before = executed.instructions.clone();
        }
    });
    e.option(summary.touched.as_ref(), |e, touched| {
        e.number(touched.topics.bits());
        e.number(touched.slots.len() as u64);
        let mut last = 0;
        for &(slot, touch) in &touched.slots {
            let number = number_of(slots, &slot);
            e.number(number - last);
            e.bits([touch.read, touch.written, touch.restored]);
            last = number;
        }
    });
}

fn decode_summary(
    d: &mut Decoder<'_>,
    code: &[CodeAt],
    before: &mut [Instructions],
    slots: &[u64],
) -> Result<Summary, Malformed> {
    let next_page = d.number()?;
    let version_count = d.count()?;
    let mut versions = Vec::with_capacity(version_count);
    let mut last: PageKey = (0, false, 0);
    for _ in 0..version_count {
        let space: u64 = d.number()?;
        let apart = u32::try_from(space >> 1).map_err(|_| Malformed)?;
        let (space, is_stack) = (last.0.checked_add(apart).ok_or(Malformed)?, space & 1 != 0);
        let from = if (space, is_stack) == (last.0, last.1) {
            last.2
        } else {
            0
        };
        let index = from.checked_add(d.number()?).ok_or(Malformed)?;
        last = (space, is_stack, index);
        versions.push(Version {
            page: last,
            written: d.number()?,
        });
    }
    Ok(Summary {
        next_page,
        versions,
        lives: decode_lives(d)?,
        path: d.option(|d| decode_path(d, code, before))?,
        touched: d.option(|d| decode_touched(d, slots))?,
    })
}

fn decode_path(d: &mut Decoder<'_>, code: &[CodeAt], before: &mut [Instructions]) -> Result<Path, Malformed> {
    let least: u32 = d.number()?;
    let greatest = least.checked_add(d.number()?).ok_or(Malformed)?;
    let count = d.count()?;
    let executed = (0..count).map(|_| {
        let number: usize = d.number()?;
        let before = before.get_mut(number).ok_or(Malformed)?;
        *before = Instructions::decode_since(before, d)?;
        Ok(Executed {
            code: code[number],
            instructions: before.clone(),
        })
    });
    Ok(Path {
        code: executed.collect::<Result<_, _>>()?,
        depth: (least, greatest),
    })
}

fn decode_touched(d: &mut Decoder<'_>, slots: &[u64]) -> Result<Touched, Malformed> {
    let topics = Topics::from_bits(d.number()?);
    let count = d.count()?;
    let mut touched = Vec::with_capacity(count);
    let mut last = 0u64;
    for _ in 0..count {
        last = last.checked_add(d.number()?).ok_or(Malformed)?;
        let slot = usize::try_from(last).ok().and_then(|at| slots.get(at));
        let [read, written, restored] = d.bits()?;
        let touch = SlotTouch {
            read,
            written,
            restored,
        };
        touched.push((*slot.ok_or(Malformed)?, touch));
    }
    Ok(Touched {
        topics,
        slots: touched,
    })
}

fn number_of<T: Ord>(all: &[T], one: &T) -> u64 {
    all.binary_search(one).expect("all of them are listed") as u64
}

#[cfg(test)]
mod tests {
    use eradbg_vm::execution::{FrameLists, Growth, Lives};
    use eradbg_vm::frame::NearFrame;
    use eradbg_vm::{H160, U256};

    use super::*;
    use crate::index::Topic;

    fn executed(code: CodeAt, instructions: &Instructions) -> Executed {
        Executed {
            code,
            instructions: instructions.clone(),
        }
    }

    #[test]
    fn summaries_come_back_and_cut_ones_are_refused() {
        let instructions: Instructions = [3, 700].into_iter().collect();
        let [a, b] = [1, 2].map(|number| CodeAt {
            address: H160::from_low_u64_be(0x8000 + number),
            hash: U256::MAX - number,
        });
        let touch = SlotTouch {
            written: true,
            ..SlotTouch::default()
        };
        let near = NearFrame {
            pc: 1,
            sp: 2,
            exception_handler: u16::MAX,
            ergs: u32::MAX,
            entered_at: 1 << 40,
        };
        let first = Summary {
            next_page: 2_048,
            versions: [(10, false, 0), (10, false, 7), (10, true, 1), (2_050, false, 3)]
                .map(|page| Version { page, written: 5 })
                .to_vec(),
            lives: Lives {
                born: vec![2_074],
                gone: vec![2_050, 2_066],
                frames: vec![
                    FrameLists::default(),
                    FrameLists {
                        kept: Growth {
                            inherited: 3,
                            added: vec![2_090, 2_074],
                        },
                        waiting: Growth {
                            inherited: 70_000,
                            added: vec![near, near],
                        },
                    },
                ],
            },
            path: Some(Path {
                code: [b, a].map(|code| executed(code, &instructions)).to_vec(),
                depth: (1, 9),
            }),
            touched: Some(Touched {
                topics: [Topic::StorageWrite, Topic::Hook].into_iter().collect(),
                slots: vec![(7, touch), (u64::MAX, SlotTouch::default())],
            }),
        };
        let unknown = Summary {
            next_page: 1,
            ..Summary::default()
        };
        let more: Instructions = [3, 701].into_iter().collect();
        let third = Summary {
            path: Some(Path {
                code: vec![executed(a, &more), executed(b, &instructions)],
                depth: (2, 2),
            }),
            ..first.clone()
        };
        let group = [first, unknown, third];
        let bytes = encode_group(&group);
        assert_eq!(decode_group(&bytes).unwrap(), group);
        for length in 0..bytes.len() {
            assert_eq!(decode_group(&bytes[..length]), Err(Malformed), "{length}");
        }
    }
}
