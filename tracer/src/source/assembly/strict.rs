//! Text in the one form that the assembler reads without losing anything: checked line by line, names replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use primitive_types::U256;

use super::{AssemblyError, cell};

/// Greatest number in an instruction.
const IMMEDIATE_MAX: u64 = u16::MAX as u64;
const REGISTERS: u32 = 16;
/// What may follow `ret` and its kinds.
const RET_MODIFIERS: [&str; 12] = [
    "ok", "revert", "panic", "to_label", "lt", "gt", "eq", "ge", "le", "ne", "gtlt", "of",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    None,
    Text,
    Constants,
}

/// Rewrites a program; line n of the text becomes line n of the result, counted from 0.
pub(super) fn rewrite(text: &str) -> Result<String, AssemblyError> {
    let mut rewriter = Rewriter {
        section: Section::None,
        labelled: false,
        names: BTreeMap::new(),
        code_labels: BTreeSet::new(),
        constants: BTreeSet::new(),
    };
    rewriter.collect_labels(text)?;
    // The assembler counts lines from 0, and from the first one that is not empty.
    let mut out = String::from(";\n");
    for (number, line) in (1..).zip(text.lines()) {
        let line = rewriter
            .line(line)
            .map_err(|problem| AssemblyError::new(number, problem))?;
        out.push_str(&line);
        out.push('\n');
    }
    if rewriter.code_labels.is_empty() {
        return Err(AssemblyError::new(1, "a program needs .text with a label in it"));
    }
    Ok(out)
}

struct Rewriter {
    section: Section,
    /// Whether the section has a label already: what comes before one is lost.
    labelled: bool,
    names: BTreeMap<String, U256>,
    code_labels: BTreeSet<String>,
    constants: BTreeSet<String>,
}

impl Rewriter {
    fn collect_labels(&mut self, text: &str) -> Result<(), AssemblyError> {
        let mut section = Section::None;
        for (number, line) in (1..).zip(text.lines()) {
            let line = without_comment(line);
            if line.starts_with(".text") {
                section = Section::Text;
            } else if line.starts_with(".rodata") {
                section = Section::Constants;
            } else if let Some(label) = line.strip_suffix(':') {
                let labels = match section {
                    Section::Constants => &mut self.constants,
                    _ => &mut self.code_labels,
                };
                let is_new = labels.insert(label.to_owned());
                if !is_new || (self.constants.contains(label) && self.code_labels.contains(label)) {
                    return Err(AssemblyError::new(
                        number,
                        format!("the label {label} is there already"),
                    ));
                }
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<String, String> {
        let line = without_comment(line);
        if line.is_empty() {
            return Ok(String::new());
        }
        if let Some(label) = line.strip_suffix(':') {
            return self.label(label);
        }
        let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        match word {
            ".text" => self.enter(Section::Text, line),
            ".rodata" => self.enter(Section::Constants, line),
            ".globl" => Ok(line.to_owned()),
            ".equ" => self.define(rest),
            ".cell" | ".zero" if self.section != Section::Constants || !self.labelled => {
                Err(format!("{word} stands in .rodata, below a label"))
            }
            ".cell" => self.cell(rest.trim()),
            ".zero" => match rest.trim().parse::<u32>() {
                Ok(bytes) if bytes.is_multiple_of(32) => Ok(format!(".zero {bytes}")),
                _ => Err(format!(
                    ".zero takes a number of bytes that is a multiple of 32, not {}",
                    rest.trim()
                )),
            },
            _ if word.starts_with('.') => Err(format!(
                "unknown directive {word}, expected .text, .rodata, .globl, .equ, .cell or .zero"
            )),
            _ if self.section != Section::Text || !self.labelled => {
                Err("an instruction stands in .text, below a label".to_owned())
            }
            _ => self.instruction(word, rest),
        }
    }

    fn enter(&mut self, section: Section, line: &str) -> Result<String, String> {
        self.section = section;
        self.labelled = false;
        Ok(line.to_owned())
    }

    fn label(&mut self, label: &str) -> Result<String, String> {
        if self.section == Section::None {
            return Err("a label stands in .text or .rodata".to_owned());
        }
        if !is_name(label.trim_start_matches('.')) {
            return Err(format!(
                "{label} is no label: letters, digits and _ before the colon, and nothing else"
            ));
        }
        self.labelled = true;
        Ok(format!("{label}:"))
    }

    fn define(&mut self, rest: &str) -> Result<String, String> {
        let (name, value) = rest.split_once(',').ok_or("expected .equ NAME, VALUE")?;
        let name = name.trim();
        if !is_name(name) || register(name).is_some() {
            return Err(format!("{name} is no name for a number"));
        }
        let value = cell::evaluate(value, &self.names)?;
        if self.names.insert(name.to_owned(), value).is_some() {
            return Err(format!("{name} is defined already"));
        }
        Ok(String::new())
    }

    fn cell(&self, expression: &str) -> Result<String, String> {
        if let Some(label) = expression.strip_prefix('@') {
            self.known_code(label)?;
            return Ok(format!(".cell @{label}"));
        }
        let value = cell::evaluate(expression, &self.names)?;
        Ok(format!(".cell {value}"))
    }

    fn instruction(&self, mnemonic: &str, rest: &str) -> Result<String, String> {
        check_mnemonic(mnemonic)?;
        let operands: Vec<&str> = if rest.trim().is_empty() {
            vec![]
        } else {
            rest.split(',').map(str::trim).collect()
        };
        let mut out = mnemonic.to_owned();
        for (index, operand) in operands.iter().enumerate() {
            let operand = self.operand(mnemonic, index, operand)?;
            let separator = if index == 0 { " " } else { ", " };
            write!(out, "{separator}{operand}").expect("writing to a string");
        }
        Ok(out)
    }

    fn operand(&self, mnemonic: &str, index: usize, operand: &str) -> Result<String, String> {
        if register(operand).is_some() {
            return Ok(operand.to_owned());
        }
        if let Some(label) = operand.strip_prefix('@') {
            return self.label_operand(index, label);
        }
        if let Some(rest) = operand.strip_prefix("stack") {
            if is_memory(mnemonic) {
                return Err(format!("{mnemonic} takes registers and numbers, not the stack"));
            }
            let (sign, inner) = rest
                .strip_suffix(']')
                .and_then(|rest| rest.split_once('['))
                .ok_or_else(|| format!("{operand} is no place on the stack, expected stack[...]"))?;
            let is_nop = mnemonic.starts_with("nop");
            match sign {
                "" | "=" | "-" => {}
                "-=" if index == 0 => {}
                "+=" if index > 0 || is_nop => {}
                "-=" => return Err("stack-= pops: it is a source".to_owned()),
                "+=" => return Err("stack+= pushes: it is a destination".to_owned()),
                _ => {
                    return Err(format!(
                        "stack{sign}[ is unknown, expected stack[ stack-[ stack-=[ or stack+=["
                    ));
                }
            }
            let inner = self.address(inner)?;
            return Ok(format!("stack{sign}[{inner}]"));
        }
        self.immediate(operand)
    }

    fn label_operand(&self, index: usize, operand: &str) -> Result<String, String> {
        let Some((label, inner)) = operand.split_once('[') else {
            if self.constants.contains(operand) {
                return Ok(format!("@{operand}"));
            }
            self.known_code(operand)?;
            return Ok(format!("@{operand}"));
        };
        let inner = inner
            .strip_suffix(']')
            .ok_or_else(|| format!("@{operand} lacks its ]"))?;
        if !self.constants.contains(label) {
            return Err(format!("there is no constant {label} in .rodata"));
        }
        if index > 0 {
            return Err("constants are sources, they cannot be written".to_owned());
        }
        Ok(format!("@{label}[{}]", self.address(inner)?))
    }

    fn known_code(&self, label: &str) -> Result<(), String> {
        let is_given = |name: &str| {
            matches!(
                name,
                "DEFAULT_UNWIND" | "DEFAULT_FAR_RETURN" | "DEFAULT_FAR_REVERT"
            )
        };
        if self.code_labels.contains(label) || is_given(label) {
            Ok(())
        } else {
            Err(format!("there is no label {label} in .text"))
        }
    }

    /// `n`, `rN` or `rN + n`.
    fn address(&self, text: &str) -> Result<String, String> {
        let text = text.trim();
        if let Some((base, offset)) = text.split_once('+')
            && register(base.trim()).is_some()
        {
            return Ok(format!("{} + {}", base.trim(), self.immediate(offset.trim())?));
        }
        if register(text).is_some() {
            return Ok(text.to_owned());
        }
        if text.split([' ', '-']).next().and_then(register).is_some() {
            return Err(format!(
                "{text} is no address, expected rN, rN + number or a number"
            ));
        }
        self.immediate(text)
    }

    fn immediate(&self, text: &str) -> Result<String, String> {
        let is_register_like =
            text.starts_with('r') && text.len() > 1 && text[1..].bytes().all(|b| b.is_ascii_digit());
        if is_register_like {
            return Err(format!("there is no register {text}, the last is r15"));
        }
        let value = cell::evaluate(text, &self.names)?;
        if value > IMMEDIATE_MAX.into() {
            return Err(format!(
                "{text} is above 65535: put it in .rodata and use @NAME[0]"
            ));
        }
        Ok(value.to_string())
    }
}

/// What stands before a `;` that is in no text.
fn without_comment(line: &str) -> &str {
    let mut in_text = false;
    let end = line.find(|c: char| {
        in_text ^= c == '"';
        c == ';' && !in_text
    });
    line[..end.unwrap_or(line.len())].trim()
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn register(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('r')?;
    let number: u32 = digits.parse().ok()?;
    (number < REGISTERS && digits == number.to_string()).then_some(number)
}

fn is_memory(mnemonic: &str) -> bool {
    ["ld", "st", "uma"]
        .iter()
        .any(|start| mnemonic.split('.').next() == Some(start))
}

fn check_mnemonic(mnemonic: &str) -> Result<(), String> {
    let mut parts = mnemonic.split('.');
    let name = parts.next().unwrap_or_default();
    if mnemonic.contains(':') {
        return Err("a label stands alone on its line".to_owned());
    }
    if name == "ret" && parts.clone().any(|part| !RET_MODIFIERS.contains(&part)) {
        return Err(format!(
            "{mnemonic}: expected ret.ok, ret.revert or ret.panic, with .to_label or a condition"
        ));
    }
    if parts.any(|part| part == "first") && !["event", "to_l1"].contains(&name) {
        return Err(format!("{mnemonic}: only event and to_l1 have a first message"));
    }
    Ok(())
}
