//! Reads queries: see the grammar in [`super`].

use std::fmt;

use eradbg_vm::bootloader::Hook;
use eradbg_vm::outcome::PanicCause;
use eradbg_vm::value::address_of;
use eradbg_vm::{H160, Opcode, U256};

use crate::numbers::parse_count;
use crate::query::access::PlacePattern;
use crate::query::expr::{AccessTest, Atom, Expr, Flag, Span, Subject, Verb};
use crate::query::holds::is_named;
use crate::query::lexer::{Token, tokens};
use crate::symbols;

/// What is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ParseError {
    /// Column, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub why: String,
}

/// Numbers that can be compared.
const SUBJECTS: [(&str, Subject); 7] = [
    ("step", Subject::Step),
    ("tx", Subject::Transaction),
    ("pc", Subject::Pc),
    ("depth", Subject::Depth),
    ("ergs", Subject::Ergs),
    ("refund", Subject::Refund),
    ("pubdata", Subject::Pubdata),
];

const VERBS: [(&str, Verb); 4] = [
    ("read", Verb::Read),
    ("write", Verb::Write),
    ("change", Verb::Change),
    ("restore", Verb::Restore),
];

/// Tests that stand alone.
const MARKS: [(&str, Atom); 8] = [
    ("return", Atom::Return),
    ("revert", Atom::Revert),
    ("warm", Atom::Warm),
    ("cold", Atom::Cold),
    ("skipped", Atom::Skipped),
    ("static", Atom::Static),
    ("kernel", Atom::Kernel),
    ("undone", Atom::Undone),
];

/// Tests that an argument follows.
const OTHERS: [&str; 11] = [
    "opcode", "address", "this", "caller", "frame", "event", "log", "decommit", "call", "panic", "hook",
];

/// Words that join tests.
const JOINTS: [&str; 8] = ["and", "or", "not", "in", "from", "to", "of", ")"];

/// Reads a predicate.
///
/// # Errors
/// What is wrong with the text, and at which column.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(text)?;
    let expr = parser.or()?;
    parser.end()?;
    Ok(expr)
}

/// Reads a place, as it stands behind `read` or `write`.
///
/// # Errors
/// What is wrong with the text, and at which column.
pub fn parse_place(text: &str) -> Result<PlacePattern, ParseError> {
    let mut parser = Parser::new(text)?;
    let place = parser.place()?;
    parser.end()?;
    Ok(place)
}

impl ParseError {
    pub(super) fn new(column: usize, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { column, why }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.why)
    }
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    next: usize,
    /// Column after the last character.
    end: usize,
    /// Parentheses and `not` around what is read.
    nested: usize,
}

/// Parentheses that may stand in each other.
const MOST_NESTED: usize = 64;

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, ParseError> {
        Ok(Self {
            tokens: tokens(text)?,
            next: 0,
            end: text.trim_end().chars().count() + 1,
            nested: 0,
        })
    }

    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.next).map(|token| token.text)
    }

    /// The next word, if it is none that joins tests.
    fn argument(&self) -> Option<&'a str> {
        self.peek().filter(|word| !JOINTS.contains(word))
    }

    fn column(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |token| token.column)
    }

    fn take(&mut self, text: &str) -> bool {
        let is_next = self.peek() == Some(text);
        self.next += usize::from(is_next);
        is_next
    }

    fn wrong<T>(&self, why: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError::new(self.column(), why))
    }

    fn end(&self) -> Result<(), ParseError> {
        match self.peek() {
            None => Ok(()),
            Some(")") => self.wrong("this parenthesis closes nothing"),
            Some(word) => self.wrong(format!("`{word}` is too much here: `and` or `or` joins tests")),
        }
    }

    fn or(&mut self) -> Result<Expr, ParseError> {
        let mut parts = vec![self.and()?];
        while self.take("or") {
            parts.push(self.and()?);
        }
        Ok(one_or(parts, Expr::Or))
    }

    fn and(&mut self) -> Result<Expr, ParseError> {
        let mut parts = vec![self.not()?];
        while self.take("and") {
            parts.push(self.not()?);
        }
        Ok(one_or(parts, Expr::And))
    }

    fn not(&mut self) -> Result<Expr, ParseError> {
        if self.nested == MOST_NESTED {
            return self.wrong("this is nested too deep");
        }
        self.nested += 1;
        let expr = if self.take("not") {
            Expr::Not(Box::new(self.not()?))
        } else if self.take("(") {
            let expr = self.or()?;
            if !self.take(")") {
                return self.wrong("a `)` is missing here");
            }
            expr
        } else {
            self.test()?
        };
        self.nested -= 1;
        Ok(expr)
    }

    fn test(&mut self) -> Result<Expr, ParseError> {
        let Some(word) = self.peek() else {
            return self.wrong("a test is missing here, such as `opcode sstore` or `ergs < 5000`");
        };
        let atom = if let Some(&(_, subject)) = SUBJECTS.iter().find(|(name, _)| *name == word) {
            self.next += 1;
            return self.number_test(subject);
        } else if let Some(&(_, verb)) = VERBS.iter().find(|(name, _)| *name == word) {
            self.next += 1;
            self.access(verb)?
        } else if let Some((_, atom)) = MARKS.iter().find(|(name, _)| *name == word) {
            self.next += 1;
            atom.clone()
        } else if OTHERS.contains(&word) {
            self.next += 1;
            self.other(word)?
        } else {
            return self.wrong(format!("`{word}` is no test{}", similar(word)));
        };
        Ok(Expr::Test(atom))
    }

    fn other(&mut self, word: &str) -> Result<Atom, ParseError> {
        Ok(match word {
            "opcode" => Atom::Opcode(self.opcode()?),
            "address" => Atom::Address(self.address()?),
            "this" => Atom::This(self.address()?),
            "caller" => Atom::Caller(self.address()?),
            "frame" => Atom::Frame(self.number(u64::MAX >> 1)?),
            "event" => Atom::Event(self.optional(Self::address)?, self.optional(Self::word)?),
            "log" => Atom::Log(self.optional(Self::address)?),
            "decommit" => Atom::Decommit(self.optional(Self::word)?),
            "call" => Atom::Call(self.optional(Self::address)?),
            "panic" => Atom::Panic(self.optional(Self::cause)?),
            _ => Atom::Hook(self.optional(Self::hook)?),
        })
    }

    /// What follows, if anything does before the next `and` or `or`.
    fn optional<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, ParseError>,
    ) -> Result<Option<T>, ParseError> {
        self.argument().map(|_| read(self)).transpose()
    }

    fn number_test(&mut self, subject: Subject) -> Result<Expr, ParseError> {
        let test = |span| Expr::Test(Atom::Number(subject, span));
        let between = |least, greatest| Span { least, greatest };
        let Some(sign) = self.peek() else {
            return self.wrong("a comparison is missing here, such as `< 5000` or `in 10..20`");
        };
        self.next += 1;
        let all = Span::ALL;
        Ok(match sign {
            "in" => {
                let least = self.signed()?;
                if !self.take("..") {
                    return self.wrong("`..` is missing here: `in 10..20` means 10 to 19");
                }
                test(between(least, self.signed()?.saturating_sub(1)))
            }
            "<" => test(between(all.least, self.signed()?.saturating_sub(1))),
            "<=" => test(between(all.least, self.signed()?)),
            ">" => test(between(self.signed()?.saturating_add(1), all.greatest)),
            ">=" => test(between(self.signed()?, all.greatest)),
            "=" => {
                let number = self.signed()?;
                test(between(number, number))
            }
            "!=" => {
                // Not the negation of `=`: what has no such number at all matches neither.
                let number = self.signed()?;
                Expr::Or(vec![
                    test(between(all.least, number.saturating_sub(1))),
                    test(between(number.saturating_add(1), all.greatest)),
                ])
            }
            _ => {
                self.next -= 1;
                return self.wrong(format!("`{sign}` is no comparison: <, <=, =, !=, >=, > or in"));
            }
        })
    }

    fn access(&mut self, verb: Verb) -> Result<Atom, ParseError> {
        let place = self.place()?;
        let from = self.take("from").then(|| self.word()).transpose()?;
        let to = self.take("to").then(|| self.word()).transpose()?;
        Ok(Atom::Access(AccessTest {
            verb,
            place,
            from,
            to,
        }))
    }

    fn place(&mut self) -> Result<PlacePattern, ParseError> {
        let Some(word) = self.peek() else {
            return self.wrong("a place is missing here, such as `r1`, `heap 2050 0x40` or `storage`");
        };
        let register = word.strip_prefix('r').and_then(|digits| digits.parse().ok());
        let flag = Flag::ALL.into_iter().find(|flag| flag.name() == word);
        self.next += 1;
        Ok(match word {
            "register" => PlacePattern::Register(None),
            _ if register.is_some_and(|index| (1..16).contains(&index)) => PlacePattern::Register(register),
            "flags" => PlacePattern::Flag(None),
            _ if flag.is_some() => PlacePattern::Flag(flag),
            "stack" => {
                let slot = self.optional(|it| it.number(u16::MAX.into()).map(|slot| slot as u16))?;
                let frame = self.take("of").then(|| self.number(u64::MAX >> 1)).transpose()?;
                PlacePattern::Stack { frame, slot }
            }
            "heap" => self.heap()?,
            "storage" => PlacePattern::Storage {
                address: self.optional(Self::address)?,
                slot: self.optional(Self::word)?,
            },
            "transient" => PlacePattern::Transient {
                address: self.optional(Self::address)?,
                slot: self.optional(Self::word)?,
            },
            _ => {
                self.next -= 1;
                return self.wrong(format!(
                    "`{word}` is no place: r1 to r15, register, lt, eq, gt, flags, stack, heap, storage, transient"
                ));
            }
        })
    }

    fn heap(&mut self) -> Result<PlacePattern, ParseError> {
        let page = self.optional(|it| it.number(u32::MAX.into()).map(|page| page as u32))?;
        let bytes = self.optional(|it| {
            let start = it.number(u32::MAX.into())?;
            if !it.take("..") {
                return Ok(start..start + 32);
            }
            let column = it.column();
            let end = it.number(1 << 32)?;
            if start < end {
                Ok(start..end)
            } else {
                Err(ParseError::new(column, "the range is empty"))
            }
        })?;
        Ok(PlacePattern::Heap { page, bytes })
    }

    /// The word that must come next.
    fn required(&mut self, what: &str) -> Result<&'a str, ParseError> {
        let Some(word) = self.argument() else {
            return self.wrong(format!("{what} is missing here"));
        };
        self.next += 1;
        Ok(word)
    }

    fn signed(&mut self) -> Result<i64, ParseError> {
        let column = self.column();
        let word = self.required("a number")?;
        let (digits, sign) = word.strip_prefix('-').map_or((word, 1), |digits| (digits, -1));
        let number = parse_count(digits).and_then(|number| i64::try_from(number).ok());
        number
            .map(|number| number * sign)
            .ok_or_else(|| no_number(column, word))
    }

    fn number(&mut self, greatest: u64) -> Result<u64, ParseError> {
        let column = self.column();
        let word = self.required("a number")?;
        let number = parse_count(word).ok_or_else(|| no_number(column, word))?;
        if number <= greatest {
            Ok(number)
        } else {
            Err(ParseError::new(
                column,
                format!("`{word}` is above {greatest:#x}"),
            ))
        }
    }

    fn word(&mut self) -> Result<U256, ParseError> {
        let column = self.column();
        let word = self.required("a number")?;
        let number = match word.strip_prefix("0x") {
            Some(digits) => U256::from_str_radix(digits, 16).ok(),
            None => U256::from_dec_str(word)
                .ok()
                .or_else(|| parse_count(word).map(U256::from)),
        };
        number.ok_or_else(|| no_number(column, word))
    }

    fn address(&mut self) -> Result<H160, ParseError> {
        let column = self.column();
        let word = self.required("an address")?;
        let digits = word.strip_prefix("0x").filter(|digits| digits.len() <= 40);
        let number = digits.and_then(|digits| U256::from_str_radix(digits, 16).ok());
        number
            .map(address_of)
            .or_else(|| symbols::address_of_name(word))
            .ok_or_else(|| {
                let why = format!("`{word}` is no address: 0x800b, or the name of a system contract");
                ParseError::new(column, why)
            })
    }

    fn opcode(&mut self) -> Result<String, ParseError> {
        let column = self.column();
        let word = self.required("an opcode")?;
        if Opcode::ALL.iter().any(|&opcode| is_named(opcode, word)) {
            Ok(word.to_owned())
        } else {
            Err(ParseError::new(column, format!("there is no opcode `{word}`")))
        }
    }

    fn cause(&mut self) -> Result<PanicCause, ParseError> {
        let column = self.column();
        let word = self.required("a cause")?;
        let mut causes = PanicCause::ALL.iter();
        causes.find(|cause| cause.name() == word).copied().ok_or_else(|| {
            let names: Vec<_> = PanicCause::ALL.iter().map(|cause| cause.name()).collect();
            ParseError::new(
                column,
                format!("no panic has the cause `{word}`: {}", names.join(", ")),
            )
        })
    }

    fn hook(&mut self) -> Result<Hook, ParseError> {
        let column = self.column();
        let word = self.required("a hook")?;
        let number = word.parse().ok().and_then(Hook::new);
        let mut hooks = Hook::ALL.iter();
        let named = hooks.find(|hook| hook.name().eq_ignore_ascii_case(word));
        number.or(named.copied()).ok_or_else(|| {
            let names: Vec<_> = Hook::ALL.iter().map(|hook| hook.name()).collect();
            ParseError::new(column, format!("there is no hook `{word}`: {}", names.join(", ")))
        })
    }
}

fn one_or(mut parts: Vec<Expr>, many: impl Fn(Vec<Expr>) -> Expr) -> Expr {
    if parts.len() == 1 {
        parts.remove(0)
    } else {
        many(parts)
    }
}

fn no_number(column: usize, word: &str) -> ParseError {
    ParseError::new(
        column,
        format!("`{word}` is no number (try 1200, 120k, 1.5M or 0x1f3)"),
    )
}

/// What may have been meant.
fn similar(word: &str) -> String {
    let names = SUBJECTS.iter().map(|(name, _)| *name);
    let names = names.chain(VERBS.iter().map(|(name, _)| *name));
    let names = names.chain(MARKS.iter().map(|(name, _)| *name)).chain(OTHERS);
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    let nearest: Vec<_> = names
        .iter()
        .filter(|name| word.len() > 1 && (name.starts_with(word) || word.starts_with(**name)))
        .map(|name| format!("`{name}`"))
        .collect();
    if nearest.is_empty() {
        format!(" ({})", names.join(", "))
    } else {
        format!(", {} may be meant", nearest.join(" or "))
    }
}

#[cfg(test)]
mod tests;
