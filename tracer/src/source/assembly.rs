//! EraVM assembly as text, into code that knows its lines.
//!
//! The crate `zkevm-assembly` does the work. It drops or changes some input without an error, so the text is checked and
//! brought into one strict form first, which also adds named constants and expressions for constants:
//!
//! ```text
//! .equ FEE, 3 * 7                             ; a name for a number
//! .rodata
//! TRANSFER:
//!     .cell selector("transfer(address,uint256)") << 224
//! ANSWER:
//!     .cell ret(0, 32)                        ; returns heap[0..32)
//! .text
//! main:
//!     add FEE, r0, r1
//!     st.1 0, r1
//!     add @ANSWER[0], r0, r1
//!     ret.ok r1
//! ```

mod cell;
mod strict;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use eradbg_vm::bytecode::{self, words_to_bytes};
use primitive_types::U256;
use thiserror::Error;
use zkevm_assembly::Assembly;
use zkevm_assembly::zkevm_opcode_defs::decoding::EncodingModeProduction;

/// Code with the lines that it was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembled {
    /// The code page.
    pub words: Vec<U256>,
    /// Versioned bytecode hash.
    pub hash: U256,
    /// Line of the text, from 1, by program counter. What the assembler adds by itself has none.
    pub lines: BTreeMap<u16, u32>,
}

/// Text that is no program.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{line}: {problem}")]
pub struct AssemblyError {
    /// Line, from 1.
    pub line: u32,
    /// What is wrong with it.
    pub problem: String,
}

impl AssemblyError {
    fn new(line: u32, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self { line, problem }
    }
}

/// Assembles a program. Execution starts at its first instruction.
///
/// # Errors
///
/// When a line is not understood, a name is unknown or taken twice, or the program is too long.
///
/// # Example
///
/// ```
/// let program = eradbg_tracer::source::assembly::assemble(".text\nmain:\n  add 1, r0, r1\n  ret.ok r0\n").unwrap();
/// assert_eq!(program.lines[&1], 4);
/// ```
pub fn assemble(text: &str) -> Result<Assembled, AssemblyError> {
    let strict = strict::rewrite(text)?;
    let (words, lines) = encode(&strict).map_err(|problem| locate(&strict, problem))?;
    let hash = bytecode::hash_bytecode(&words_to_bytes(&words))
        .map_err(|error| AssemblyError::new(1, error.to_string()))?;
    Ok(Assembled { words, hash, lines })
}

type Encoded = (Vec<U256>, BTreeMap<u16, u32>);

/// Runs the assembler. What the checks do not know of may still be a panic there: that is a mistake in the text too.
fn encode(text: &str) -> Result<Encoded, String> {
    let assembling = || {
        let mut assembly = Assembly::from_string(text.to_owned(), None).map_err(|error| error.to_string())?;
        let words = assembly
            .compile_to_bytecode_for_mode::<8, EncodingModeProduction>()
            .map_err(|error| error.to_string())?;
        let words = words.iter().map(|word| U256::from_big_endian(word)).collect();
        let lines = assembly.pc_line_mapping.iter();
        Ok((
            words,
            lines.map(|(&pc, &line)| (pc as u16, line as u32)).collect(),
        ))
    };
    catch_unwind(AssertUnwindSafe(assembling)).unwrap_or_else(|_| Err("the assembler panics".to_owned()))
}

/// Finds the line to blame: the first instruction that is no program by itself either.
fn locate(text: &str, problem: String) -> AssemblyError {
    let is_instruction =
        |line: &str| !line.is_empty() && !line.starts_with(['.', ';']) && !line.ends_with(':');
    let reads = |line: &str| {
        let alone = format!(".text\nmain:\n{line}\n");
        catch_unwind(|| Assembly::from_string(alone, None).is_ok()).unwrap_or(false)
    };
    let found = (0..)
        .zip(text.lines())
        .find(|(_, line)| is_instruction(line) && !reads(line));
    match found {
        Some((number, line)) => AssemblyError::new(number, format!("there is no instruction \"{line}\"")),
        None => AssemblyError::new(1, problem),
    }
}

#[cfg(test)]
mod tests;
