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
    /// Immediates, and names that stand for them.
    Number,
    /// Targets of calls and returns, names of constants.
    Label,
    /// Names before a colon.
    Definition,
    /// Directives, and functions in the values of constants.
    Directive,
    /// Quoted text.
    Text,
    /// What is there for people only.
    Comment,
    /// Memory: heap instructions, stack and code operands.
    Memory,
}

/// What the scopes of the syntax mean; the first that fits counts.
const SCOPES: [(&str, Token); 14] = [
    ("keyword.control", Token::Control),
    ("keyword.operator", Token::Arithmetic),
    ("keyword.other", Token::Directive),
    ("support.function", Token::Effect),
    ("storage.modifier", Token::Modifier),
    ("storage.type", Token::Memory),
    ("variable.language.register", Token::Register),
    ("constant.numeric", Token::Number),
    ("constant.other", Token::Number),
    ("entity.name.label", Token::Label),
    ("entity.name.function", Token::Definition),
    ("string", Token::Text),
    ("comment", Token::Comment),
    ("punctuation", Token::Punctuation),
];

/// Pieces of a line, in order, with nothing between them.
pub(crate) type Line = Rc<[(Token, String)]>;

/// Columns between tab stops.
const TAB: usize = 8;

/// A line of a piece of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    /// The instruction at a program counter.
    Instruction(u16),
    /// A line of the source text, from 1.
    Source(u32),
}

/// Finds tokens, and remembers those of each line of code that it has seen. Remembering cannot be observed, so it
/// needs no exclusive access.
pub(crate) struct Highlighter {
    syntaxes: SyntaxSet,
    scopes: Vec<(Scope, Token)>,
    lines: RefCell<HashMap<(U256, Place), Line>>,
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
        self.remembered((program.hash(), Place::Instruction(pc)), || {
            if usize::from(pc) < program.instructions() {
                disasm::disassemble(program.instruction(pc))
            } else {
                String::new()
            }
        })
    }

    /// A line, counted from 1, of the source of the code with a hash, divided into tokens; blanks stand for its tabs.
    pub(crate) fn source(&self, hash: U256, number: u32, text: &str) -> Line {
        self.remembered((hash, Place::Source(number)), || without_tabs(text))
    }

    fn remembered(&self, key: (U256, Place), text: impl FnOnce() -> String) -> Line {
        if let Some(line) = self.lines.borrow().get(&key) {
            return Rc::clone(line);
        }
        let line = self.line(&text());
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

/// A terminal would not show tabs in the midst of a line where they belong.
fn without_tabs(text: &str) -> String {
    let mut columns = 0;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let width = if c == '\t' { TAB - columns % TAB } else { 1 };
        if c == '\t' {
            out.extend(std::iter::repeat_n(' ', width));
        } else {
            out.push(c);
        }
        columns += width;
    }
    out
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
    fn source_text_has_labels_directives_texts_and_comments() {
        use Token::{Comment, Definition, Directive, Label, Number, Punctuation, Register, Text};
        check(
            "transfer: ; moves the amount",
            &[
                (Definition, "transfer"),
                (Punctuation, ":"),
                (Comment, "; moves the amount"),
            ],
        );
        check(
            "    .cell selector(\"ret(a;b)\") << 224 ; ret",
            &[
                (Directive, ".cell"),
                (Directive, "selector"),
                (Punctuation, "("),
                (Text, "\"ret(a;b)\""),
                (Punctuation, ")"),
                (Punctuation, "<"),
                (Punctuation, "<"),
                (Number, "224"),
                (Comment, "; ret"),
            ],
        );
        check(
            ".equ SLOT, 3 * WORD",
            &[
                (Directive, ".equ"),
                (Number, "SLOT"),
                (Punctuation, ","),
                (Number, "3"),
                (Punctuation, "*"),
                (Number, "WORD"),
            ],
        );
        check(
            "\tadd\t@RET[SLOT], r0, r1",
            &[
                (Token::Arithmetic, "add"),
                (Label, "@RET"),
                (Punctuation, "["),
                (Number, "SLOT"),
                (Punctuation, "]"),
                (Punctuation, ","),
                (Register, "r0"),
                (Punctuation, ","),
                (Register, "r1"),
            ],
        );
    }

    #[test]
    fn every_word_of_the_embedded_contracts_is_known_to_the_syntax() {
        use eradbg_fixtures::embedded::{BOOTLOADER, DEFAULT_ACCOUNT, SAMPLES, SYSTEM};
        let highlighter = Highlighter::new();
        let system = SYSTEM.iter().map(|(_, contract)| contract);
        for contract in system.chain(SAMPLES).chain([&BOOTLOADER, &DEFAULT_ACCOUNT]) {
            for (number, text) in (1..).zip(contract.text.lines()) {
                let line = highlighter.line(&without_tabs(text));
                let unknown = line
                    .iter()
                    .find(|(token, piece)| *token == Token::Plain && !piece.trim().is_empty());
                assert_eq!(unknown, None, "{}:{number}", contract.file);
            }
        }
    }

    #[test]
    fn tabs_of_source_text_become_blanks_up_to_the_next_stop() {
        assert_eq!(without_tabs("\tadd\tr1\t;"), "        add     r1      ;");
        assert_eq!(without_tabs("12345678\t;"), "12345678        ;");
    }

    #[test]
    fn a_line_of_source_is_not_mistaken_for_an_instruction_of_the_same_number() {
        let highlighter = Highlighter::new();
        let program = Program::new(U256::from(1), vec![U256::zero()]);
        let source = highlighter.source(program.hash(), 1, "; one");
        assert_ne!(highlighter.instruction(&program, 1), source);
        assert_eq!(highlighter.source(program.hash(), 1, "; one"), source);
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
