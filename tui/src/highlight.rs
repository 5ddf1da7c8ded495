//! Tokens of a line of EraVM assembly, found by the syntax definition in `syntax/`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use eradbg_vm::{Program, U256, disasm};
use syntect::dumps::from_uncompressed_data;
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxSet};

/// `syntax/eravm.sublime-syntax`, packed: loading it takes microseconds where YAML takes milliseconds.
static SYNTAX: &[u8] = include_bytes!("../syntax/eravm.packdump");

/// Lines kept; beyond, the memory is emptied. A screen shows about a hundred.
const KEPT_LINES: usize = 20_000;

/// Kind of a piece of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Token {
    /// None of the others.
    Plain,
    /// Brackets, commas, signs.
    Punctuation,
    /// Mnemonics that compute.
    Arithmetic,
    /// Mnemonics that go elsewhere.
    Control,
    /// Mnemonics that reach the chain's state or the context.
    Effect,
    /// What follows a mnemonic: predicate, `.s`, `!`.
    Modifier,
    /// Registers.
    Register,
    /// Immediates.
    Number,
    /// Targets of calls and returns.
    Label,
    /// Memory: heap instructions, stack and code operands.
    Memory,
}

/// What the scopes of the syntax mean; the first that fits counts.
const SCOPES: [(&str, Token); 9] = [
    ("keyword.control", Token::Control),
    ("keyword.operator", Token::Arithmetic),
    ("support.function", Token::Effect),
    ("storage.modifier", Token::Modifier),
    ("storage.type", Token::Memory),
    ("variable.language.register", Token::Register),
    ("constant.numeric", Token::Number),
    ("entity.name.label", Token::Label),
    ("punctuation", Token::Punctuation),
];

/// Pieces of a line, in order, with nothing between them.
pub(crate) type Line = Rc<[(Token, String)]>;

/// Finds tokens, and remembers those of each line of code that it has seen. Remembering cannot be observed, so it
/// needs no exclusive access.
pub(crate) struct Highlighter {
    syntaxes: SyntaxSet,
    scopes: Vec<(Scope, Token)>,
    lines: RefCell<HashMap<(U256, u16), Line>>,
}

impl Highlighter {
    /// A highlighter that has seen nothing.
    ///
    /// # Panics
    /// When the embedded syntax is damaged, which a test rules out.
    pub(crate) fn new() -> Self {
        let syntaxes =
            from_uncompressed_data(SYNTAX).expect("the embedded syntax is intact: a test loads it");
        let scopes = SCOPES
            .iter()
            .map(|(name, token)| (Scope::new(name).expect("the scope is well-formed"), *token));
        Self {
            syntaxes,
            scopes: scopes.collect(),
            lines: RefCell::default(),
        }
    }

    /// The instruction at a program counter, disassembled and divided into tokens.
    pub(crate) fn instruction(&self, program: &Program, pc: u16) -> Line {
        let key = (program.hash(), pc);
        if let Some(line) = self.lines.borrow().get(&key) {
            return Rc::clone(line);
        }
        let text = program
            .instructions()
            .get(usize::from(pc))
            .map_or_else(String::new, disasm::disassemble);
        let line = self.line(&text);
        let mut lines = self.lines.borrow_mut();
        if lines.len() >= KEPT_LINES {
            lines.clear();
        }
        lines.insert(key, Rc::clone(&line));
        line
    }

    /// A line of assembly divided into tokens.
    pub(crate) fn line(&self, text: &str) -> Line {
        let syntax = &self.syntaxes.syntaxes()[0];
        let Ok(output) = ParseState::new(syntax).parse_line(text, &self.syntaxes) else {
            return Rc::new([(Token::Plain, text.to_owned())]);
        };
        let mut pieces: Vec<(Token, String)> = Vec::new();
        let mut stack = ScopeStack::new();
        let mut from = 0;
        for (at, change) in output {
            self.push(&mut pieces, &stack, &text[from..at]);
            from = at;
            if stack.apply(&change).is_err() {
                break;
            }
        }
        self.push(&mut pieces, &stack, &text[from..]);
        pieces.into()
    }

    fn push(&self, pieces: &mut Vec<(Token, String)>, stack: &ScopeStack, text: &str) {
        if text.is_empty() {
            return;
        }
        let top = stack.as_slice().last();
        let token = top.and_then(|top| self.scopes.iter().find(|(scope, _)| scope.is_prefix_of(*top)));
        pieces.push((token.map_or(Token::Plain, |(_, token)| *token), text.to_owned()));
    }
}

impl Default for Highlighter {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Highlighter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Highlighter({} lines)", self.lines.borrow().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<(Token, String)> {
        let line = Highlighter::new().line(text);
        line.iter()
            .filter(|(_, piece)| !piece.trim().is_empty())
            .cloned()
            .collect()
    }

    fn check(text: &str, expected: &[(Token, &str)]) {
        let expected: Vec<(Token, String)> = expected
            .iter()
            .map(|(token, text)| (*token, (*text).to_owned()))
            .collect();
        assert_eq!(tokens(text), expected);
    }

    #[test]
    fn the_packed_syntax_knows_every_scope_that_has_a_style() {
        use Token::{Arithmetic, Control, Effect, Label, Memory, Modifier, Number, Punctuation, Register};
        check(
            "sub.s! code[r2 + 21], r1, r5",
            &[
                (Arithmetic, "sub"),
                (Modifier, ".s!"),
                (Memory, "code"),
                (Punctuation, "["),
                (Register, "r2"),
                (Punctuation, "+"),
                (Number, "21"),
                (Punctuation, "]"),
                (Punctuation, ","),
                (Register, "r1"),
                (Punctuation, ","),
                (Register, "r5"),
            ],
        );
        check(
            "near_call r0, @0x0016",
            &[
                (Control, "near_call"),
                (Register, "r0"),
                (Punctuation, ","),
                (Label, "@0x0016"),
            ],
        );
        check(
            "context.this r3",
            &[(Effect, "context"), (Modifier, ".this"), (Register, "r3")],
        );
        check(
            "st.1.inc 64, r3",
            &[
                (Memory, "st"),
                (Modifier, ".1.inc"),
                (Number, "64"),
                (Punctuation, ","),
                (Register, "r3"),
            ],
        );
    }

    #[test]
    fn every_opcode_of_the_instruction_set_is_a_mnemonic_to_the_syntax() {
        for index in 0..eradbg_vm::isa::TABLE_SIZE as u64 {
            let text = disasm::disassemble(&eradbg_vm::Instruction::decode(index));
            let tokens = tokens(&text);
            let known = [Token::Arithmetic, Token::Control, Token::Effect, Token::Memory];
            assert!(known.contains(&tokens[0].0), "{text}: {tokens:?}");
            assert!(
                tokens.iter().all(|(token, _)| *token != Token::Plain),
                "{text}: {tokens:?}"
            );
        }
    }

    #[test]
    fn the_pieces_of_a_line_are_the_line() {
        let text = "ptr.add r1, r0, stack+=[2]";
        let whole: String = Highlighter::new()
            .line(text)
            .iter()
            .map(|(_, piece)| piece.as_str())
            .collect();
        assert_eq!(whole, text);
    }
}
