//! Queries are read as the grammar says, and what is wrong is named with its column.

use super::*;

fn number(subject: Subject, least: i64, greatest: i64) -> Expr {
    Expr::Test(Atom::Number(subject, Span { least, greatest }))
}

fn access(verb: Verb, place: PlacePattern) -> Expr {
    Expr::Test(Atom::Access(AccessTest {
        verb,
        place,
        from: None,
        to: None,
    }))
}

#[test]
fn and_binds_closer_than_or_and_parentheses_bind_closest() {
    let read = |text: &str| parse(text).unwrap();
    let (a, b, c) = ("warm", "cold", "undone");
    let test = |text: &str| Box::new(read(text));
    assert_eq!(
        read("warm or cold and undone"),
        Expr::Or(vec![*test(a), Expr::And(vec![*test(b), *test(c)])])
    );
    assert_eq!(
        read("(warm or cold) and not undone"),
        Expr::And(vec![Expr::Or(vec![*test(a), *test(b)]), Expr::Not(test(c))])
    );
}

#[test]
fn comparisons_become_ranges() {
    let read = |text: &str| parse(text).unwrap();
    assert_eq!(read("ergs < 5000"), number(Subject::Ergs, i64::MIN, 4_999));
    assert_eq!(read("ergs<=5k"), number(Subject::Ergs, i64::MIN, 5_000));
    assert_eq!(read("pc = 0x1f3"), number(Subject::Pc, 0x1f3, 0x1f3));
    assert_eq!(read("depth >= 3"), number(Subject::Depth, 3, i64::MAX));
    assert_eq!(read("pubdata < 0"), number(Subject::Pubdata, i64::MIN, -1));
    assert_eq!(read("pubdata > -5"), number(Subject::Pubdata, -4, i64::MAX));
    assert_eq!(
        read("step in 1.5M..2M"),
        number(Subject::Step, 1_500_000, 1_999_999)
    );
    assert_eq!(
        read("tx != 3"),
        Expr::Or(vec![
            number(Subject::Transaction, i64::MIN, 2),
            number(Subject::Transaction, 4, i64::MAX)
        ])
    );
}

#[test]
fn places_take_as_many_arguments_as_are_given() {
    let nonce_holder = Some(H160::from_low_u64_be(0x8003));
    let heap = |page, bytes| PlacePattern::Heap { page, bytes };
    for (text, place) in [
        ("r5", PlacePattern::Register(Some(5))),
        ("register", PlacePattern::Register(None)),
        ("eq", PlacePattern::Flag(Some(Flag::Equal))),
        ("flags", PlacePattern::Flag(None)),
        (
            "stack 3 of 1200",
            PlacePattern::Stack {
                frame: Some(1_200),
                slot: Some(3),
            },
        ),
        ("heap", heap(None, None)),
        ("heap 2050", heap(Some(2_050), None)),
        ("heap 2050 0x40", heap(Some(2_050), Some(0x40..0x60))),
        ("heap 2050 0x40..0x44", heap(Some(2_050), Some(0x40..0x44))),
        (
            "storage NonceHolder 0x7",
            PlacePattern::Storage {
                address: nonce_holder,
                slot: Some(7.into()),
            },
        ),
        (
            "transient 0x8003",
            PlacePattern::Transient {
                address: nonce_holder,
                slot: None,
            },
        ),
    ] {
        assert_eq!(parse_place(text), Ok(place.clone()), "{text}");
        assert_eq!(
            parse(&format!("write {text}")),
            Ok(access(Verb::Write, place.clone()))
        );
        // What is printed can be typed again.
        assert_eq!(parse_place(&place.to_string()), Ok(place));
    }
}

#[test]
fn values_before_and_after_may_be_asked_for() {
    let Ok(Expr::Test(Atom::Access(test))) = parse("change storage from 0 to 0xff") else {
        panic!("it is an access");
    };
    assert_eq!((test.from, test.to), (Some(0.into()), Some(0xff.into())));
    assert_eq!(test.verb, Verb::Change);
}

#[test]
fn arguments_end_where_the_next_test_begins() {
    assert_eq!(
        parse("event and hook"),
        Ok(Expr::And(vec![
            Expr::Test(Atom::Event(None, None)),
            Expr::Test(Atom::Hook(None))
        ]))
    );
    assert_eq!(
        parse("(call 0x8006) or panic out_of_ergs"),
        Ok(Expr::Or(vec![
            Expr::Test(Atom::Call(Some(H160::from_low_u64_be(0x8006)))),
            Expr::Test(Atom::Panic(Some(PanicCause::OutOfErgs)))
        ]))
    );
}

#[test]
fn mistakes_are_named_with_their_column() {
    for (text, column, part) in [
        ("", 1, "a test is missing here"),
        ("opcode", 7, "an opcode is missing here"),
        ("opcode foo", 8, "no opcode `foo`"),
        ("write", 6, "a place is missing here"),
        ("write x9", 7, "`x9` is no place"),
        ("write r16", 7, "`r16` is no place"),
        ("ergs 5", 6, "`5` is no comparison"),
        ("ergs <", 7, "a number is missing here"),
        ("ergs < many", 8, "`many` is no number"),
        ("step in 5", 10, "`..` is missing here"),
        ("(warm", 6, "a `)` is missing here"),
        ("warm)", 5, "closes nothing"),
        ("warm cold", 6, "`cold` is too much here"),
        ("warm and", 9, "a test is missing here"),
        ("warn", 1, "`warn` is no test"),
        ("opcod add", 1, "`opcode` may be meant"),
        ("address 0xzz", 9, "`0xzz` is no address"),
        ("panic hunger", 7, "no panic has the cause `hunger`"),
        ("heap 3", 1, "`heap` is no test"),
        ("write heap 3 9..9", 17, "the range is empty"),
        ("write stack 0x10000", 13, "above 0xffff"),
        ("größe > 3", 3, "`ö` means nothing in a query"),
        ("warm § cold", 6, "`§` means nothing in a query"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(
            error.column == column && error.why.contains(part),
            "{text}: {error}"
        );
    }
    let deep = "(".repeat(10_000);
    assert!(parse(&deep).unwrap_err().why.contains("too deep"));
}
