//! One CSV line for each step, as `../vectors/README.md` lays it out.

use std::io::{self, Write};

use eradbg_vm::observer::Step;
use eradbg_vm::{Execution, Observer};
use primitive_types::U256;

use crate::recording::Recording;
use crate::replay::replay_chunk;

/// The first line.
pub const HEADER: &str = "step,address,code_address,pc,opcode,ergs,sp,flags,frames,registers";

/// Writes all steps of a recording, chunk by chunk.
///
/// # Errors
/// When the recording is damaged or cannot be stepped, or writing fails.
pub fn export(recording: &Recording, out: &mut dyn Write) -> Result<(), ExportError> {
    recording.check_machine()?;
    let mut rows = StepRows::new(out);
    writeln!(rows.out, "{HEADER}")?;
    let mut execution = None;
    for chunk in 0..recording.chunks() {
        let log = recording.log(chunk)?;
        let mut state = match execution.take().filter(|_| !log.after_rollback) {
            Some(state) => state,
            None => recording.state_at_chunk(chunk)?,
        };
        replay_chunk(recording, chunk, &log, &mut state, &mut rows)?;
        if let Some(error) = rows.error.take() {
            return Err(error.into());
        }
        execution = Some(state);
    }
    Ok(rows.out.flush()?)
}

/// Why an export failed.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The recording.
    #[error(transparent)]
    Recording(#[from] crate::Error),
    /// Writing.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes a line before each step that it observes. The first error stops the writing and is kept.
struct StepRows<'a> {
    out: &'a mut dyn Write,
    error: Option<io::Error>,
}

impl<'a> StepRows<'a> {
    /// Rows into `out`, without the header.
    fn new(out: &'a mut dyn Write) -> Self {
        Self { out, error: None }
    }

    fn row(&mut self, ex: &Execution, step: Step<'_>) -> io::Result<()> {
        let frame = ex.frame();
        write!(
            self.out,
            "{},{:#x},{:#x},",
            ex.steps(),
            frame.this,
            frame.code_address
        )?;
        if let Some(pc) = step.pc {
            write!(self.out, "{pc}")?;
        }
        let (name, flags, hash) = (step.instruction.opcode.name(), flags(ex), registers_hash(ex));
        writeln!(
            self.out,
            ",{name},{},{},{flags},{},{hash:08x}",
            frame.ergs,
            frame.sp,
            ex.depth()
        )
    }
}

impl Observer for StepRows<'_> {
    const WATCHES: bool = false;
    const SPECIALIZES: bool = false;

    fn before_step(&mut self, execution: &Execution, step: Step<'_>) {
        if self.error.is_none() {
            self.error = self.row(execution, step).err();
        }
    }
}

/// Less, equal, greater, kernel mode, static, near-call frame: from bit 0 on.
fn flags(ex: &Execution) -> u8 {
    let frame = ex.frame();
    ex.flags().bits()
        | u8::from(frame.is_kernel) << 3
        | u8::from(frame.is_static) << 4
        | u8::from(frame.is_near()) << 5
}

/// FNV-1a over tag and word of each register, page ids of pointers left out, folded to 32 bits.
fn registers_hash(ex: &Execution) -> u32 {
    const PRIME: u64 = 0x100_0000_01b3;
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for index in 0..16 {
        let value = ex.register(index);
        let U256([low, rest @ ..]) = value.word;
        let word = if value.is_pointer {
            U256([low & 0xffff_ffff, rest[0], rest[1], rest[2]])
        } else {
            value.word
        };
        hash = (hash ^ u64::from(value.is_pointer)).wrapping_mul(PRIME);
        for limb in word.0.iter().rev() {
            for byte in limb.to_be_bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
            }
        }
    }
    (hash ^ hash >> 32) as u32
}
