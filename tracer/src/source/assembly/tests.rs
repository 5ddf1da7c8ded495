use eradbg_vm::keccak::keccak256;

use super::*;

fn cells(expression: &str) -> Result<U256, String> {
    let text = format!(".equ SEVEN, 7\n.rodata\nC:\n.cell {expression}\n.text\nmain:\nadd @C[0], r0, r1\n");
    let program = assemble(&text).map_err(|error| error.to_string())?;
    // The total is odd: a word of zeros may follow the constant.
    let words = program.words;
    Ok(words[2])
}

fn error(text: &str) -> String {
    assemble(text).unwrap_err().to_string()
}

/// Problem with one instruction of a program that has the constant C and the labels main and other.
fn instruction_error(instruction: &str) -> Option<String> {
    let text = format!(".rodata\nC:\n.cell 1\n.text\nmain:\n{instruction}\nother:\nret.ok r0\n");
    assemble(&text).err().map(|error| {
        assert_eq!(error.line, 6, "{instruction}: {error}");
        error.problem
    })
}

#[test]
fn each_instruction_knows_its_line() {
    let text = "; a comment\n\n.text\nmain:\n\tadd\t1,r0 , r1 ; note\n\nnext:\n  ret.ok r0  \n";
    let program = assemble(text).unwrap();
    let lines: Vec<(u16, u32)> = program.lines.into_iter().collect();
    assert_eq!(lines, [(0, 5), (1, 8)]);
}

#[test]
fn cells_are_expressions() {
    let cases = [
        ("0x10", U256::from(16)),
        ("-1", U256::MAX),
        ("1 << 8 | SEVEN", U256::from(263)),
        ("(1 + 2) * 3 - 4", U256::from(5)),
        (
            "selector(\"transfer(address,uint256)\")",
            U256::from(0xa905_9cbb_u32),
        ),
        ("text(\"a;b\")", U256::from(0x61_3b62) << 232),
        ("ret(32, 64)", U256::from(32) << 64 | U256::from(64) << 96),
        ("call(0, 4)", U256::from(4) << 96 | U256::from(u32::MAX) << 192),
        ("heap(\"hook\")", U256::from(63_479_968)),
        ("hook(\"PostResult\")", U256::from(10)),
        ("@main", U256::zero()),
    ];
    for (expression, value) in cases {
        assert_eq!(cells(expression), Ok(value), "{expression}");
    }
    let hash = U256::from_big_endian(keccak256(b"Hi()").as_bytes());
    assert_eq!(cells("keccak(\"Hi()\")"), Ok(hash));
}

#[test]
fn a_cell_that_does_not_fit_or_is_unknown_is_refused() {
    let too_long = format!("0x1{}", "0".repeat(64));
    for (expression, part) in [
        (too_long.as_str(), "no number of at most 256 bits"),
        ("EIGHT", "EIGHT is not defined above"),
        ("1 2", "cannot read \"2\""),
        ("", "expected a number"),
        ("heap(\"attic\")", "has no place \"attic\""),
        ("nothing(1)", "there is no function nothing"),
        ("@nowhere", "there is no label nowhere"),
        ("text(\"abc)", "a text ends with"),
    ] {
        let problem = cells(expression).unwrap_err();
        assert!(
            problem.starts_with("4: ") && problem.contains(part),
            "{expression}: {problem}"
        );
    }
}

#[test]
fn names_stand_for_numbers_in_operands() {
    let text = ".equ SLOT, 3\n.equ NEXT, SLOT + 1\n.text\nmain:\nadd stack[SLOT], r0, stack[r2 + NEXT]\nld.1 NEXT, r1\n";
    let plain = ".text\nmain:\nadd stack[3], r0, stack[r2 + 4]\nld.1 4, r1\n";
    assert_eq!(assemble(text).unwrap().words, assemble(plain).unwrap().words);
}

#[test]
fn what_the_assembler_would_change_silently_is_refused() {
    for (instruction, part) in [
        ("add 65536, r0, r1", "above 65535"),
        ("add -1, r0, r1", "above 65535"),
        ("ld.1 70000, r1", "above 65535"),
        ("add stack[r2 - 3], r0, r1", "no address"),
        ("add stack+=[1], r0, r1", "it is a destination"),
        ("add r1, r0, stack-=[1]", "it is a source"),
        ("add r1, r0, stack*[1]", "stack*[ is unknown"),
        ("add r16, r0, r1", "no register r16"),
        ("add r1, r0, @C[0]", "cannot be written"),
        ("add @other[1], r0, r1", "no constant other"),
        ("jump @nowhere", "no label nowhere"),
        ("ld.1 stack[1], r1", "not the stack"),
        ("log.sread.first r1, r0, r2", "first message"),
        ("ret.reverts r1", "expected ret.ok"),
        (".ret", "unknown directive"),
        ("f: add 1, r0, r1", "alone on its line"),
        (".cell 5", "stands in .rodata"),
        ("mov r1, r2", ""),
        ("add r1, r2", ""),
    ] {
        let problem = instruction_error(instruction);
        assert!(
            problem.as_ref().is_some_and(|problem| problem.contains(part)),
            "{instruction}: {problem:?}"
        );
    }
}

#[test]
fn code_outside_of_a_labelled_section_is_refused() {
    assert_eq!(
        error("add 1, r0, r1\n"),
        "1: an instruction stands in .text, below a label"
    );
    assert_eq!(
        error(".text\nadd 1, r0, r1\nmain:\nret.ok r0\n"),
        "2: an instruction stands in .text, below a label"
    );
    assert_eq!(error(""), "1: a program needs .text with a label in it");
    assert_eq!(
        error(".text\na:\nadd 1, r0, r1\na:\nret.ok r0\n"),
        "4: the label a is there already"
    );
}

#[test]
fn any_text_gives_a_program_or_an_error() {
    let good = ".rodata\nC:\n.cell call(0, 32)\n.text\nmain:\nnear_call r1, @main, @main\nsub.s! 5, r1, stack+=[1]\n";
    assert!(assemble(good).is_ok());
    for length in 0..good.len() {
        drop(assemble(&good[..length]));
        let mut changed = good.as_bytes().to_vec();
        changed[length] = b"@.[]:;,r9-\"("[length % 12];
        drop(assemble(&String::from_utf8_lossy(&changed)));
    }
}
