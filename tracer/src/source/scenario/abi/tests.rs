use std::path::Path;

use super::*;
use crate::source::file;

struct Aliases;

impl Names for Aliases {
    fn address(&self, name: &str) -> Result<H160, String> {
        match name {
            "bob" => Ok(H160::repeat_byte(0xbb)),
            _ => value::address(name).ok_or_else(|| format!("nobody is called {name}")),
        }
    }

    fn code_hash(&self, name: &str) -> Result<U256, String> {
        (name == "token")
            .then(|| 0xc0de.into())
            .ok_or_else(|| format!("no contract is called {name}"))
    }
}

fn function(signature: &str) -> Result<Function<'_>, String> {
    Function::parse(signature.to_owned().into())
}

/// Words in hex without leading zeros, or the error.
fn encode(signature: &str, args: &str) -> Result<Vec<String>, String> {
    let args: Vec<Arg> = file::parse_ron(Path::new("f"), args.as_bytes()).unwrap();
    let bytes = function(signature)?
        .encode(&args, &Aliases)
        .map_err(|error| error.problem)?;
    Ok(bytes
        .chunks(32)
        .map(|chunk| format!("{:x}", U256::from_big_endian(chunk)))
        .collect())
}

fn fails(signature: &str, args: &str, problem: &str) {
    let error = encode(signature, args).unwrap_err();
    assert!(error.contains(problem), "{signature} {args}: {error}");
}

#[test]
fn selectors_are_those_of_known_functions() {
    let selector = |signature| hex::encode(function(signature).unwrap().selector());
    assert_eq!(selector("transfer(address,uint256)"), "a9059cbb");
    assert_eq!(selector("create(bytes32,bytes32,bytes)"), "9c4d535b");
}

#[test]
fn words_are_encoded_by_their_type() {
    let bob = "bb".repeat(20);
    let words = encode(
        "f(address,uint256,bool,int8,bytes4,bytes32)",
        "[\"bob\", \"1_000\", true, -1, \"0x01020304\", \"hash(token)\"]",
    );
    let bytes4 = format!("1020304{}", "0".repeat(56));
    assert_eq!(
        words.unwrap(),
        [&*bob, "3e8", "1", &"f".repeat(64), &bytes4, "c0de"]
    );
    assert_eq!(
        encode("f(uint256)", "[\"1.5 ether\"]").unwrap(),
        ["14d1120d7b160000"]
    );
    assert_eq!(encode("f()", "[]").unwrap(), [""; 0]);
}

#[test]
fn dynamic_values_stand_behind_offsets() {
    // The example of the ABI specification: f(uint256,uint32[],bytes10,bytes).
    let args =
        "[\"0x123\", [\"0x456\", \"0x789\"], \"0x31323334353637383930\", \"0x48656c6c6f2c20776f726c6421\"]";
    let bytes10 = format!("31323334353637383930{}", "0".repeat(44));
    let hello = format!("48656c6c6f2c20776f726c6421{}", "0".repeat(38));
    assert_eq!(
        encode("f(uint256,uint32[],bytes10,bytes)", args).unwrap(),
        ["123", "80", &bytes10, "e0", "2", "456", "789", "d", &hello]
    );
    // And its second: g(uint256[][],string[]).
    let text = |digits: &str| format!("{digits:0<64}");
    assert_eq!(
        encode(
            "g(uint256[][],string[])",
            "[[[1, 2], [3]], [\"one\", \"two\", \"three\"]]"
        )
        .unwrap(),
        [
            "40",
            "140",
            "2",
            "40",
            "a0",
            "2",
            "1",
            "2",
            "1",
            "3",
            "3",
            "60",
            "a0",
            "e0",
            "3",
            &text("6f6e65"),
            "3",
            &text("74776f"),
            "5",
            &text("7468726565"),
        ]
    );
}

#[test]
fn fixed_arrays_and_tuples_stand_in_place() {
    assert_eq!(
        encode("f(uint8[2],(bool,uint8))", "[[1, 2], [true, 3]]").unwrap(),
        ["1", "2", "1", "3"]
    );
    assert_eq!(
        encode("f((uint8,bytes)[])", "[[[7, \"0x\"]]]").unwrap(),
        ["20", "1", "20", "7", "40", "0"]
    );
}

#[test]
fn wrong_arguments_say_what_was_expected() {
    fails(
        "f(uint8)",
        "[256]",
        "expected a number of at most 8 bits, found \"256\"",
    );
    fails("f(int8)", "[128]", "with its sign");
    assert_eq!(
        encode("f(int8)", "[-128]").unwrap(),
        [format!("{}80", "f".repeat(62))]
    );
    fails("f(int8)", "[-129]", "with its sign");
    fails("f(uint8)", "[-1]", "at most 8 bits, found \"-1\"");
    fails("f(bool)", "[\"yes\"]", "expected true or false");
    fails(
        "f(bytes4)",
        "[\"0x010203\"]",
        "expected 4 bytes, \"0x\" and 8 hex digits",
    );
    fails("f(address)", "[\"carl\"]", "nobody is called carl");
    fails("f(bytes32)", "[\"hash(carl)\"]", "no contract is called carl");
    fails("f(uint8[])", "[\"1\"]", "expected a list, found \"1\"");
    fails("f(uint8)", "[[1]]", "found a list of 1");
    fails("f(uint8[2])", "[[1]]", "expected a list of 2, found a list of 1");
    fails("f((bool,bool))", "[[true]]", "one for each member of the tuple");
    fails("f(uint8)", "[]", "f(uint8) takes 1 arguments, found 0");
}

#[test]
fn signatures_that_are_none_are_refused() {
    for (signature, problem) in [
        ("transfer", "expected a signature"),
        ("(uint8)", "no name of a function"),
        ("f g(uint8)", "no name of a function"),
        ("f(uint)", "write uint256 for uint"),
        ("f(uint7)", "there is no type \"uint7\""),
        ("f(bytes33)", "there is no type \"bytes33\""),
        ("f(uint8[0])", "there is no type"),
        ("f(uint8,)", "there is no type \"\""),
        ("f(uint8, bool)", "there is no type \" bool\""),
        ("f(uint8) view", "there is no type"),
        ("f(uint8", "there is no type"),
        ("f())", "there is a ) without its ("),
        ("f(uint8)[]", "does not end with its list of parameters"),
    ] {
        let error = function(signature).unwrap_err();
        assert!(error.contains(problem), "{signature}: {error}");
    }
    let deep = format!("f(uint8{})", "[]".repeat(20));
    assert!(function(&deep).unwrap_err().contains("deep"));
}
