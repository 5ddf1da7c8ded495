//! Commands typed after `:`: one table for parsing, completion and help.

use eradbg_tracer::analysis::answer::Topic;
use eradbg_tracer::query::{self, Origin, PlacePattern, Query};
use eradbg_tracer::recording::NoPart;

use crate::action::Action;
use crate::text::parse_number;

/// A command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Command {
    /// Its name.
    pub name: &'static str,
    /// What follows the name.
    pub arguments: &'static str,
    /// What it does.
    pub help: &'static str,
    parse: fn(&[&str]) -> Result<Action, String>,
}

/// Every command.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "goto",
        arguments: "STEP",
        help: "go to a step: 1200, 120k, 1.5M, 0x1f3",
        parse: goto,
    },
    Command {
        name: "tx",
        arguments: "N",
        help: "go to the start of transaction N, counted from 0",
        parse: transaction,
    },
    Command {
        name: "hook",
        arguments: "N",
        help: "go to hook N, counted from 0",
        parse: hook,
    },
    Command {
        name: "break",
        arguments: "[QUERY]",
        help: "stop before steps that match, or no longer: pc = 0x1f3, write storage, address NonceHolder",
        parse: breakpoint,
    },
    Command {
        name: "find",
        arguments: "QUERY",
        help: "go to the next step that matches; n and N go on",
        parse: find_query,
    },
    Command {
        name: "wrote",
        arguments: "PLACE",
        help: "go to the step that wrote it last: r1, eq, stack 3, heap 2050 0x40, storage ADDRESS SLOT",
        parse: |words| ask(words, Origin::LastWrite),
    },
    Command {
        name: "writes",
        arguments: "PLACE",
        help: "go to the step that writes it next",
        parse: |words| ask(words, Origin::NextWrite),
    },
    Command {
        name: "reads",
        arguments: "PLACE",
        help: "go to the step that reads it next",
        parse: |words| ask(words, Origin::NextRead),
    },
    Command {
        name: "origin",
        arguments: "PLACE",
        help: "where its value comes from, to the constant, transaction or slot that it came from",
        parse: |words| place(words).map(Action::Trace),
    },
    question(Topic::Why, |words| ask_about(Topic::Why, words)),
    question(Topic::Transactions, |words| ask_about(Topic::Transactions, words)),
    question(Topic::Timeline, |words| ask_about(Topic::Timeline, words)),
    question(Topic::Contracts, |words| ask_about(Topic::Contracts, words)),
    question(Topic::Calls, |words| ask_about(Topic::Calls, words)),
    question(Topic::Sheet, |words| ask_about(Topic::Sheet, words)),
    question(Topic::Ergs, |words| ask_about(Topic::Ergs, words)),
    question(Topic::Refunds, |words| ask_about(Topic::Refunds, words)),
    question(Topic::Pubdata, |words| ask_about(Topic::Pubdata, words)),
    question(Topic::Published, |words| ask_about(Topic::Published, words)),
    question(Topic::Events, |words| ask_about(Topic::Events, words)),
    question(Topic::Rollbacks, |words| ask_about(Topic::Rollbacks, words)),
    Command {
        name: "delete",
        arguments: "N",
        help: "clear breakpoint N of the list",
        parse: delete,
    },
    Command {
        name: "breakpoints",
        arguments: "",
        help: "list the breakpoints",
        parse: |_| Ok(Action::ListBreakpoints),
    },
    Command {
        name: "page",
        arguments: "PAGE [OFFSET]",
        help: "show a memory page",
        parse: page,
    },
    Command {
        name: "offset",
        arguments: "OFFSET",
        help: "show the memory from a byte offset on",
        parse: offset,
    },
    Command {
        name: "pc",
        arguments: "PC",
        help: "show the listing around a program counter",
        parse: listing,
    },
    Command {
        name: "help",
        arguments: "",
        help: "show all keys and commands",
        parse: |_| Ok(Action::Help),
    },
    Command {
        name: "quit",
        arguments: "",
        help: "end the program",
        parse: |_| Ok(Action::Quit),
    },
];

/// The command that asks about a topic.
const fn question(topic: Topic, parse: fn(&[&str]) -> Result<Action, String>) -> Command {
    Command {
        name: topic.name(),
        arguments: match topic.is_about_one() {
            false => "",
            true if topic.is_of_transactions() => "[N]",
            true => "[N|end]",
        },
        help: topic.help(),
        parse,
    }
}

/// Reads a command line. The name may be shortened as long as it is clear; a number alone is a step to go to.
///
/// # Errors
/// A sentence that says what is wrong, or how the command is used.
pub(crate) fn parse(line: &str) -> Result<Action, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some((&name, arguments)) = words.split_first() else {
        return Ok(Action::Escape);
    };
    if name.starts_with(|c: char| c.is_ascii_digit()) && arguments.is_empty() {
        return parse_number(name).map(Action::Seek);
    }
    let command = find(name)?;
    (command.parse)(arguments).map_err(|problem| {
        if problem.is_empty() {
            format!("usage: :{} {}", command.name, command.arguments)
        } else {
            problem
        }
    })
}

/// The line with its command's name completed as far as it is clear.
pub(crate) fn complete(line: &str) -> Option<String> {
    if line.is_empty() || line.contains(' ') {
        return None;
    }
    let names: Vec<&str> = matching(line).map(|command| command.name).collect();
    match names[..] {
        [] => None,
        [name] => Some(format!("{name} ")),
        [first, ..] => {
            let common = (0..=first.len())
                .rev()
                .find(|&end| names.iter().all(|name| name.starts_with(&first[..end])));
            common
                .map(|end| first[..end].to_owned())
                .filter(|text| text.len() > line.len())
        }
    }
}

/// Commands whose names start like this.
pub(crate) fn matching(start: &str) -> impl Iterator<Item = &'static Command> + '_ {
    COMMANDS
        .iter()
        .filter(move |command| command.name.starts_with(start))
}

fn find(name: &str) -> Result<&'static Command, String> {
    if let Some(command) = COMMANDS.iter().find(|command| command.name == name) {
        return Ok(command);
    }
    let found: Vec<&Command> = matching(name).collect();
    match found[..] {
        [command] => Ok(command),
        [] => Err(format!("there is no command `{name}` (? lists them)")),
        _ => {
            let names: Vec<&str> = found.iter().map(|command| command.name).collect();
            Err(format!("`{name}` may mean {}", names.join(" or ")))
        }
    }
}

fn goto(arguments: &[&str]) -> Result<Action, String> {
    match arguments {
        [step] | ["step", step] => parse_number(step).map(Action::Seek),
        ["tx", number] => transaction(&[number]),
        ["hook", number] => hook(&[number]),
        _ => Err(String::new()),
    }
}

fn transaction(arguments: &[&str]) -> Result<Action, String> {
    one(arguments, u32::MAX.into()).map(|number| Action::Transaction(number as u32))
}

fn hook(arguments: &[&str]) -> Result<Action, String> {
    one(arguments, u32::MAX.into()).map(|number| Action::Hook(number as usize))
}

fn breakpoint(arguments: &[&str]) -> Result<Action, String> {
    if arguments.is_empty() {
        return Ok(Action::BreakHere);
    }
    query(arguments).map(Action::ToggleBreakpoint)
}

fn find_query(arguments: &[&str]) -> Result<Action, String> {
    if arguments.is_empty() {
        return Err(String::new());
    }
    query(arguments).map(Action::Find)
}

fn query(arguments: &[&str]) -> Result<Query, String> {
    Query::new(&arguments.join(" ")).map_err(|error| error.why)
}

fn ask(arguments: &[&str], origin: Origin) -> Result<Action, String> {
    place(arguments).map(|place| Action::Ask(origin, place))
}

fn place(arguments: &[&str]) -> Result<PlacePattern, String> {
    if arguments.is_empty() {
        return Err(String::new());
    }
    query::parse_place(&arguments.join(" ")).map_err(|error| error.why)
}

fn ask_about(topic: Topic, arguments: &[&str]) -> Result<Action, String> {
    let part = match arguments {
        [] => None,
        [part] => Some(part.parse().map_err(|error: NoPart| error.to_string())?),
        _ => return Err(String::new()),
    };
    Ok(Action::Question(topic, part))
}

fn delete(arguments: &[&str]) -> Result<Action, String> {
    one(arguments, u32::MAX.into()).map(|number| Action::DeleteBreakpoint(Some(number as usize)))
}

fn page(arguments: &[&str]) -> Result<Action, String> {
    let (page, rest) = arguments.split_first().ok_or_else(String::new)?;
    let page = one(&[page], u32::MAX.into())? as u32;
    let offset = if rest.is_empty() {
        None
    } else {
        Some(one(rest, u32::MAX.into())? as u32)
    };
    Ok(Action::Page(page, offset))
}

fn offset(arguments: &[&str]) -> Result<Action, String> {
    one(arguments, u32::MAX.into()).map(|offset| Action::Offset(offset as u32))
}

fn listing(arguments: &[&str]) -> Result<Action, String> {
    one(arguments, u16::MAX.into()).map(|pc| Action::Listing(pc as u16))
}

fn one(arguments: &[&str], largest: u64) -> Result<u64, String> {
    let [text] = arguments else {
        return Err(String::new());
    };
    let number = parse_number(text)?;
    if number <= largest {
        Ok(number)
    } else {
        Err(format!("`{text}` is above {largest:#x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_their_shortenings_are_read() {
        let read = |line: &str| parse(line).unwrap();
        assert_eq!(read("goto 120k"), Action::Seek(120_000));
        assert_eq!(read("goto step 0x10"), Action::Seek(16));
        assert_eq!(read("42"), Action::Seek(42));
        assert_eq!(read("g tx 3"), Action::Transaction(3));
        assert_eq!(read("page 2058 0x40"), Action::Page(2058, Some(0x40)));
        assert_eq!(read("q"), Action::Quit);
        assert_eq!(read("why"), Action::Question(Topic::Why, None));
        assert_eq!(read("why 4"), Action::Question(Topic::Why, Some(4.into())));
        assert_eq!(read(" "), Action::Escape);
    }

    #[test]
    fn breakpoints_and_searches_take_queries() {
        let read = |line: &str| parse(line).unwrap();
        let query = |text: &str| Query::new(text).unwrap();
        assert_eq!(
            read("break pc = 0x1f3"),
            Action::ToggleBreakpoint(query("pc = 0x1f3"))
        );
        assert_eq!(
            read("break address SystemContext"),
            Action::ToggleBreakpoint(query("address 0x800b"))
        );
        assert_eq!(read("break"), Action::BreakHere);
        assert_eq!(read("find write  r1"), Action::Find(query("write r1")));
        let place = query::parse_place("heap 2050 0x40").unwrap();
        assert_eq!(
            read("wrote heap 2050 0x40"),
            Action::Ask(Origin::LastWrite, place)
        );
    }

    #[test]
    fn mistakes_are_named() {
        let problem = |line: &str| parse(line).unwrap_err();
        assert_eq!(problem("goto"), "usage: :goto STEP");
        assert_eq!(problem("jump 3"), "there is no command `jump` (? lists them)");
        assert_eq!(problem("h"), "`h` may mean hook or help");
        assert_eq!(
            problem("break pc 0x10000"),
            "`0x10000` is no comparison: <, <=, =, !=, >=, > or in"
        );
        assert_eq!(
            problem("pc x"),
            "`x` is no number (try 1200, 120k, 1.5M or 0x1f3)"
        );
    }

    #[test]
    fn names_are_completed_as_far_as_they_are_clear() {
        assert_eq!(complete("go"), Some("goto ".into()));
        assert_eq!(complete("b"), Some("break".into()));
        assert_eq!(complete("z"), None);
        assert_eq!(complete("goto 1"), None);
    }

    #[test]
    fn every_command_names_its_arguments_and_help() {
        assert!(
            COMMANDS
                .iter()
                .all(|command| !command.help.is_empty() && find(command.name).is_ok())
        );
    }
}
