//! The log of a chunk: what the machine was answered, in order, and what the operator wrote between steps.
//!
//! Replay needs nothing else: an answer's question follows from the state. Answers stand in columns without step
//! numbers; operator writes carry the step that they come after.

use eradbg_vm::precompile::Output;
use eradbg_vm::{Answer, Execution, U256};
use xxhash_rust::xxh3::Xxh3;

use crate::store::codec::{Decoder, Encoder, Malformed};

/// A chunk's log while it is written.
#[derive(Debug, Clone, Default)]
pub struct LogWriter {
    words: Encoder,
    numbers: Encoder,
    operator: Encoder,
    operator_writes: u32,
    last_operator_step: u64,
}

/// Lengths of a log, to cut it back to when a step is abandoned.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogMark {
    words: usize,
    numbers: usize,
}

/// A chunk's log as it is read.
#[derive(Debug, Clone)]
pub struct ChunkLog {
    /// Number of the chunk's first step.
    pub first_step: u64,
    /// Steps in the chunk.
    pub steps: u32,
    /// Checksum of the chunk before; 0 for the first one.
    pub previous: u64,
    /// Digest of the execution after the last step: see [`digest`].
    pub digest: u64,
    /// Whether the operator rolled back before the first step, so that the state does not follow from the chunk before.
    pub after_rollback: bool,
    /// What the operator wrote.
    pub operator: Vec<OperatorWrite>,
    words: Vec<u8>,
    numbers: Vec<u8>,
}

/// A word that the operator wrote into the bootloader's heap between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperatorWrite {
    /// Position: steps executed before.
    pub position: u64,
    /// The slot.
    pub slot: u32,
    /// The word.
    pub word: U256,
}

/// Reads a log's answers in order.
#[derive(Debug)]
pub struct Answers<'a> {
    log: &'a ChunkLog,
    words: Decoder<'a>,
    numbers: Decoder<'a>,
}

/// How many bytes of a log's answers were read.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnswersRead {
    words: usize,
    numbers: usize,
}

/// What a chunk's log says besides answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChunkHeader {
    /// See [`ChunkLog::first_step`].
    pub first_step: u64,
    /// See [`ChunkLog::steps`].
    pub steps: u32,
    /// See [`ChunkLog::digest`].
    pub digest: u64,
    /// See [`ChunkLog::after_rollback`].
    pub after_rollback: bool,
}

impl LogWriter {
    /// Appends an answer.
    #[inline]
    pub fn answer(&mut self, answer: &Answer) {
        match *answer {
            Answer::StorageRead { value, refund } => {
                self.words.word(value);
                self.numbers.number(refund);
            }
            Answer::StorageWrite { refund } => self.numbers.number(refund),
            Answer::TransientRead { value } => self.words.word(value),
            Answer::CodeHash { hash } => self.words.word(hash),
            Answer::Decommit { known_page } => self
                .numbers
                .number(known_page.map_or(0, |page| u64::from(page) + 1)),
            Answer::Precompile { output } => {
                self.numbers.number(output.words().len() as u64);
                output.words().iter().for_each(|&word| self.words.word(word));
            }
            Answer::Pubdata { bytes } => self.numbers.signed(bytes.into()),
        }
    }

    /// Appends a word that the operator wrote at a position.
    pub fn operator_write(&mut self, position: u64, slot: u32, word: U256) {
        self.operator.number(position - self.last_operator_step);
        self.operator.number(slot);
        self.operator.word(word);
        self.operator_writes += 1;
        self.last_operator_step = position;
    }

    /// Drops everything, and keeps the room for more.
    pub fn clear(&mut self) {
        self.words.truncate(0);
        self.numbers.truncate(0);
        self.operator.truncate(0);
        self.operator_writes = 0;
        self.last_operator_step = 0;
    }

    /// The lengths now.
    #[inline]
    pub fn mark(&self) -> LogMark {
        LogMark {
            words: self.words.bytes().len(),
            numbers: self.numbers.bytes().len(),
        }
    }

    /// Drops the answers since a mark.
    pub fn cut(&mut self, mark: LogMark) {
        self.words.truncate(mark.words);
        self.numbers.truncate(mark.numbers);
    }

    /// The bytes of the log, with the checksum of the chunk before.
    pub fn encode(&self, previous: u64, header: &ChunkHeader) -> Vec<u8> {
        let mut e = Encoder::default();
        previous.to_le_bytes().iter().for_each(|&byte| e.u8(byte));
        e.number(header.first_step);
        e.number(header.steps);
        e.number(header.digest);
        e.u8(u8::from(header.after_rollback));
        e.number(self.operator_writes);
        e.blob(self.operator.bytes());
        e.blob(self.words.bytes());
        e.blob(self.numbers.bytes());
        e.into_bytes()
    }
}

impl ChunkLog {
    /// Reads a log.
    ///
    /// # Errors
    /// When the bytes are no log.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let (previous, rest) = bytes.split_first_chunk().ok_or(Malformed)?;
        let mut d = Decoder::new(rest);
        let (first_step, steps, digest) = (d.number()?, d.number()?, d.number()?);
        let [after_rollback] = d.bits()?;
        let writes = d.number::<u32>()?;
        let mut operator = Decoder::new(d.blob()?);
        let log = Self {
            first_step,
            steps,
            previous: u64::from_le_bytes(*previous),
            digest,
            after_rollback,
            operator: read_operator_writes(&mut operator, writes)?,
            words: d.blob()?.to_vec(),
            numbers: d.blob()?.to_vec(),
        };
        if operator.is_empty() && d.is_empty() {
            Ok(log)
        } else {
            Err(Malformed)
        }
    }

    /// The answers from the first one on.
    pub fn answers(&self) -> Answers<'_> {
        self.answers_from(AnswersRead::default())
    }

    /// The answers that follow those that were read.
    pub fn answers_from(&self, read: AnswersRead) -> Answers<'_> {
        Answers {
            log: self,
            words: Decoder::new(&self.words[read.words..]),
            numbers: Decoder::new(&self.numbers[read.numbers..]),
        }
    }

    /// Number of the first step after the chunk.
    pub fn end(&self) -> u64 {
        self.first_step + u64::from(self.steps)
    }
}

impl Answers<'_> {
    /// The next word: a storage value, transient value or code hash.
    ///
    /// # Errors
    /// When the log has no more.
    pub fn word(&mut self) -> Result<U256, Malformed> {
        self.words.word()
    }

    /// The next refund.
    ///
    /// # Errors
    /// When the log has no more.
    pub fn refund(&mut self) -> Result<u32, Malformed> {
        self.numbers.number()
    }

    /// The next page of a decommit.
    ///
    /// # Errors
    /// When the log has no more.
    pub fn known_page(&mut self) -> Result<Option<u32>, Malformed> {
        let page: u64 = self.numbers.number()?;
        page.checked_sub(1)
            .map(|page| u32::try_from(page).map_err(|_| Malformed))
            .transpose()
    }

    /// The next output of a precompile.
    ///
    /// # Errors
    /// When the log has no more.
    pub fn output(&mut self) -> Result<Output, Malformed> {
        let count = self.numbers.number::<u8>()?;
        let words = (0..count.min(4))
            .map(|_| self.words.word())
            .collect::<Result<Vec<_>, _>>()?;
        Output::from_words(&words).ok_or(Malformed)
    }

    /// The next pubdata counter.
    ///
    /// # Errors
    /// When the log has no more.
    pub fn pubdata(&mut self) -> Result<i32, Malformed> {
        self.numbers.signed()
    }

    /// How much was read so far.
    pub fn read(&self) -> AnswersRead {
        AnswersRead {
            words: self.log.words.len() - self.words.remaining(),
            numbers: self.log.numbers.len() - self.numbers.remaining(),
        }
    }

    /// Whether all answers were read.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.numbers.is_empty()
    }
}

/// A number that two executions share when registers, flags, the current frame's own part and the depth are equal.
pub fn digest(execution: &Execution) -> u64 {
    let mut e = Encoder::default();
    for register in execution.registers() {
        e.word(register.word);
        e.u8(u8::from(register.is_pointer));
    }
    let frame = execution.frame();
    let current = frame.current();
    e.u8(execution.flags().bits());
    e.number(current.ergs);
    for small in [current.pc, current.sp, current.exception_handler] {
        e.number(small);
    }
    for number in [
        frame.base_page,
        frame.heap_bound,
        frame.aux_heap_bound,
        execution.depth(),
        execution.next_page(),
    ] {
        e.number(number);
    }
    e.number(execution.tx_number());
    let mut hasher = Xxh3::new();
    hasher.update(e.bytes());
    hasher.digest()
}

fn read_operator_writes(d: &mut Decoder<'_>, count: u32) -> Result<Vec<OperatorWrite>, Malformed> {
    let mut position = 0u64;
    let mut writes = Vec::new();
    for _ in 0..count {
        position = position.checked_add(d.number()?).ok_or(Malformed)?;
        writes.push(OperatorWrite {
            position,
            slot: d.number()?,
            word: d.word()?,
        });
    }
    Ok(writes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_back_in_order_and_a_cut_drops_the_last_ones() {
        let output = Output::from_words(&[U256::one(), U256::MAX]).unwrap();
        let mut log = LogWriter::default();
        log.answer(&Answer::StorageRead {
            value: 7.into(),
            refund: 1970,
        });
        log.answer(&Answer::Decommit { known_page: None });
        log.answer(&Answer::Decommit {
            known_page: Some(2048),
        });
        log.answer(&Answer::Precompile { output });
        log.answer(&Answer::Pubdata { bytes: -3 });
        let mark = log.mark();
        log.answer(&Answer::StorageRead {
            value: 8.into(),
            refund: 1,
        });
        log.cut(mark);
        log.operator_write(4, 9, U256::MAX);
        log.operator_write(6, 9, U256::zero());
        let header = ChunkHeader {
            first_step: 3,
            steps: 4,
            digest: 5,
            after_rollback: true,
        };
        let log = ChunkLog::decode(&log.encode(77, &header)).unwrap();
        assert_eq!(
            (log.previous, log.first_step, log.end(), log.after_rollback),
            (77, 3, 7, true)
        );
        assert_eq!(
            log.operator[1],
            OperatorWrite {
                position: 6,
                slot: 9,
                word: U256::zero()
            }
        );
        let mut answers = log.answers();
        assert_eq!((answers.word(), answers.refund()), (Ok(7.into()), Ok(1970)));
        assert_eq!(
            (answers.known_page(), answers.known_page()),
            (Ok(None), Ok(Some(2048)))
        );
        assert_eq!((answers.output(), answers.pubdata()), (Ok(output), Ok(-3)));
        assert!(answers.is_empty());
        assert_eq!(answers.word(), Err(Malformed));
    }
}
