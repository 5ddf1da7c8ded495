//! Names that artifacts give to contracts, functions, events, errors and storage slots.

#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use eradbg_fixtures::embedded::SAMPLES;
use eradbg_tracer::Recording;
use eradbg_tracer::analysis::answer::{Line, Question, Topic};
use eradbg_tracer::analysis::calls::calls;
use eradbg_tracer::analysis::why::Why;
use eradbg_tracer::source::assembly::assemble;
use eradbg_tracer::symbols::artifacts::Artifacts;
use eradbg_vm::bytecode::words_to_bytes;
use eradbg_vm::events::merge_events;
use eradbg_vm::keccak::keccak256;
use eradbg_vm::{H160, StorageKey, U256};
use serde_json::{Value, json};
use support::{Input, Recorded, record, scenario};

/// The artifacts that come along with the samples.
const SAMPLE_ARTIFACTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/artifacts");

fn sample_code(name: &str) -> String {
    let sample = SAMPLES.iter().find(|sample| sample.name == name).unwrap();
    hex::encode(words_to_bytes(&assemble(sample.text).unwrap().words))
}

fn artifacts(paths: &[&Path]) -> Artifacts {
    let paths: Vec<_> = paths.iter().map(|path| path.to_path_buf()).collect();
    Artifacts::read(&paths).unwrap()
}

/// The demo with the names of its token and counter.
fn named_demo() -> Recorded {
    let recorded = scenario("demo");
    recorded
        .recording
        .use_artifacts(artifacts(&[Path::new(SAMPLE_ARTIFACTS)]));
    recorded
}

fn texts(recording: &Recording, topic: Topic, tx: u32) -> Vec<String> {
    let answer = Question::new(topic, tx).answer(recording).unwrap();
    answer.lines.into_iter().map(|Line { text, .. }| text).collect()
}

fn has(texts: &[String], part: &str) -> bool {
    texts.iter().any(|text| text.contains(part))
}

#[test]
fn the_artifacts_of_samples_have_the_code_of_the_samples() {
    for (file, sample) in [("Token.json", "token"), ("Counter.json", "counter")] {
        let text = fs::read_to_string(Path::new(SAMPLE_ARTIFACTS).join(file)).unwrap();
        let artifact: Value = serde_json::from_str(&text).unwrap();
        let code = artifact["bytecode"]
            .as_str()
            .or(artifact["bytecode"]["object"].as_str());
        let digits = code.unwrap().trim_start_matches("0x");
        assert_eq!(
            digits,
            sample_code(sample),
            "{file}: the bytecode is not that of {sample}"
        );
    }
}

#[test]
fn calls_have_names_and_decoded_arguments_and_results() {
    let demo = named_demo();
    let lines = texts(&demo.recording, Topic::Calls, 2);
    let transfer = "Token@c0de…946d.transfer(to: 0xa61464658afeaf65cccaafd3a512b69a83b77618, amount: 250)";
    assert!(has(&lines, transfer), "{lines:#?}");
    assert!(lines.contains(&"amount: 250".to_owned()));
    let counted = texts(&demo.recording, Topic::Calls, 6);
    assert!(
        has(&counted, "increment()") && has(&counted, "returned 1"),
        "{counted:#?}"
    );
    let mut functions = Vec::new();
    let each = &mut |call: eradbg_tracer::analysis::calls::Call| {
        functions.push(call.function);
        Ok(())
    };
    calls::<eradbg_tracer::Error>(&demo.recording, each).unwrap();
    for name in [
        "Token.mint",
        "Token.transfer",
        "Counter.increment",
        "account.executeTransaction",
    ] {
        assert!(functions.iter().any(|function| function == name), "{name}");
    }
}

#[test]
fn built_in_functions_are_decoded_without_artifacts() {
    let demo = scenario("demo");
    let lines = texts(&demo.recording, Topic::Calls, 2);
    assert!(
        has(
            &lines,
            "SystemContext.setL2Block(number: 1, timestamp: 1700000000,"
        ),
        "{lines:#?}"
    );
    assert!(has(
        &lines,
        ".transfer(to: 0xa61464658afeaf65cccaafd3a512b69a83b77618, amount: 250)"
    ));
    assert!(has(&lines, "nonce: 2"), "members of the transaction have names");
}

#[test]
fn slots_are_called_by_their_variables_and_values_by_their_types() {
    let demo = named_demo();
    let lines = texts(&demo.recording, Topic::Pubdata, 2);
    let balance = "Token@c0de…946d.balances[0x36615cf349d7f6344891b1e7ca7c72883f5dc049] 1000 -> 750";
    assert!(has(&lines, balance), "{lines:#?}");
    let lines = texts(&demo.recording, Topic::Pubdata, 1);
    assert!(has(&lines, "Token@c0de…946d.totalSupply 0 -> 1000"), "{lines:#?}");
    let by_slot = Question {
        view: 1,
        ..Question::new(Topic::Refunds, 2)
    };
    let lines = by_slot.answer(&demo.recording).unwrap().lines;
    assert!(
        lines
            .iter()
            .any(|line| line.text.contains("Token@c0de…946d.balances[0xa614"))
    );
    let published = texts(&demo.recording, Topic::Published, 0);
    assert!(has(&published, "Token@c0de…946d.balances["), "{published:#?}");
    // Other contracts keep their numbers.
    assert!(has(&published, "NonceHolder["));
}

#[test]
fn a_key_of_a_key_is_followed_through_both_hashes() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("allowance.ron");
    let text = r#"(
        accounts: { "operator": Address(at: "0x0000000000000000000000000000000000feeacc"), "alice": Rich(0), "bob": Rich(1) },
        contracts: { "token": (code: Sample("token"), storage: { "0": "alice" }) },
        chain: (operator: "operator"),
        blocks: [(steps: [
            Call(from: "alice", to: "token", function: "approve(address,uint256)", args: ["bob", 77], expect: Success),
        ])],
    )"#;
    fs::write(&input, text).unwrap();
    let loaded = eradbg_tracer::source::load(&input, None).unwrap();
    let config = loaded.run;
    let recorded = record(&Input::of(loaded, config), 16_384);
    recorded.recording.load_overview();
    recorded
        .recording
        .use_artifacts(artifacts(&[Path::new(SAMPLE_ARTIFACTS)]));
    let lines = texts(&recorded.recording, Topic::Pubdata, 0);
    let (alice, bob) = (
        "0x36615cf349d7f6344891b1e7ca7c72883f5dc049",
        "0xa61464658afeaf65cccaafd3a512b69a83b77618",
    );
    assert!(
        has(&lines, &format!(".allowances[{alice}][{bob}] 0 -> 77")),
        "{lines:#?}"
    );
}

#[test]
fn events_have_names_and_decoded_values() {
    let demo = named_demo();
    let mut timeline = eradbg_tracer::Timeline::new(demo.recording.clone()).unwrap();
    timeline.seek(demo.recording.steps()).unwrap();
    let raw: Vec<_> = timeline.state().events.iter().copied().collect();
    let told: Vec<_> = merge_events(&raw)
        .iter()
        .map(|event| {
            demo.recording
                .decode_event(event)
                .map(|decoded| decoded.to_string())
        })
        .collect();
    let transfer = "Transfer(from: 0x36615cf349d7f6344891b1e7ca7c72883f5dc049, \
                    to: 0xa61464658afeaf65cccaafd3a512b69a83b77618, value: 250)";
    assert!(told.contains(&Some(transfer.to_owned())), "{told:#?}");
    assert!(told.iter().all(Option::is_some), "{told:#?}");
    let lines = texts(&demo.recording, Topic::Events, 2);
    assert!(has(&lines, &format!("Token@c0de…946d {transfer}")), "{lines:#?}");
}

#[test]
fn a_custom_error_has_its_name_and_values() {
    let recorded = scenario("revert_with_custom_error");
    let built_in = Why::of(&recorded.recording, 0).unwrap();
    assert!(
        built_in
            .path
            .last()
            .unwrap()
            .reason
            .starts_with("Unauthorized(0x"),
        "{built_in:#?}"
    );
    recorded
        .recording
        .use_artifacts(artifacts(&[Path::new(SAMPLE_ARTIFACTS)]));
    let named = Why::of(&recorded.recording, 0).unwrap();
    let last = named.path.last().unwrap();
    assert!(last.reason.starts_with("Unauthorized(caller: 0x"), "{last:#?}");
    assert!(last.name.starts_with("Token@"), "{last:#?}");
}

/// A folder with artifacts.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    /// What is said about them for a recording.
    fn notes(&self, recorded: &Recorded) -> Vec<String> {
        recorded.recording.use_artifacts(artifacts(&[self.0.path()]));
        let notes = recorded.recording.notes_on_names().unwrap();
        let folder = format!("{}/", self.0.path().display());
        notes.iter().map(|note| note.replace(&folder, "")).collect()
    }
}

fn artifact(code: &str) -> String {
    json!({"abi": [], "bytecode": {"object": code}}).to_string()
}

#[test]
fn artifacts_that_match_nothing_are_told() {
    let other = format!("{}{}", sample_code("toggler"), "0".repeat(128));
    let folder = Folder::with(&[("A.sol/A.json", artifact(&other))]);
    let notes = folder.notes(&scenario("transfer"));
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].starts_with("none of the 1 contracts is in this recording"),
        "{notes:?}"
    );
    let interfaces = Folder::with(&[("I.sol/I.json", artifact("")), ("notes.json", "{}".to_owned())]);
    let notes = interfaces.notes(&scenario("transfer"));
    assert!(notes[0].starts_with("no artifact has EraVM code"), "{notes:?}");
}

#[test]
fn of_two_artifacts_for_the_same_code_the_first_names_it_and_both_are_told() {
    let code = artifact(&sample_code("token"));
    let folder = Folder::with(&[
        ("A.sol/Coin.json", code.clone()),
        ("B.sol/Token.json", code.clone()),
        ("C.sol/Coin.json", code),
    ]);
    let demo = scenario("demo");
    assert_eq!(
        folder.notes(&demo),
        ["A.sol/Coin.json and B.sol/Token.json are the same code: it is called Coin here"]
    );
    assert!(has(
        &texts(&demo.recording, Topic::Calls, 2),
        "Coin@c0de…946d.transfer("
    ));
}

#[test]
fn a_broken_artifact_is_named_with_the_place_and_the_others_are_used() {
    let good = artifact(&sample_code("token"));
    let folder = Folder::with(&[
        (
            "1.json",
            r#"{"abi": [{"type": "function", "name": 7}], "bytecode": "0x"}"#.to_owned(),
        ),
        (
            "2.json",
            r#"{"abi": [], "bytecode": {"object": "0xzz"}}"#.to_owned(),
        ),
        ("3.json", r#"{"abi": [], "bytecode": "0x6080604052"}"#.to_owned()),
        ("4.json", "{\"abi\": [],\n \"bytecode\": ".to_owned()),
        ("5.json", r#"{"abi": [], "bytecode": []}"#.to_owned()),
        (
            "6.json",
            r#"{"abi": [], "bytecode": "", "storageLayout": {"storage": [{"slot": "x"}]}}"#.to_owned(),
        ),
        ("build-info/7.json", "no artifact, and not looked at".to_owned()),
        ("Token.json", good),
    ]);
    let demo = scenario("demo");
    let notes = folder.notes(&demo);
    let expected = [
        "not used: 1.json: abi[0]: invalid type: integer `7`, expected a string",
        "not used: 2.json: bytecode: Invalid character 'z' at position 0 (is it linked with its libraries?)",
        "not used: 3.json: bytecode: bytecode of 5 bytes is not made of whole 32-byte words (was it compiled for EraVM?)",
        "not used: 4.json: no JSON: EOF while parsing a value at line 2 column",
        "not used: 5.json: bytecode: neither a string nor an object",
        "1 more artifacts are not used, or not all of them",
    ];
    assert_eq!(notes.len(), expected.len(), "{notes:#?}");
    for (note, expected) in notes.iter().zip(expected) {
        assert!(
            note.starts_with(expected),
            "{note}\nshould start with\n{expected}"
        );
    }
    assert!(has(
        &texts(&demo.recording, Topic::Calls, 2),
        "Token@c0de…946d.transfer("
    ));
}

#[test]
fn items_with_types_that_nobody_knows_are_named_and_the_others_are_decoded() {
    let mut token: Value =
        serde_json::from_str(&fs::read_to_string(Path::new(SAMPLE_ARTIFACTS).join("Token.json")).unwrap())
            .unwrap();
    let function = |name: &str, of_type: &str| {
        json!({"type": "function", "name": name, "stateMutability": "view", "outputs": [],
               "inputs": [{"name": "x", "type": of_type}]})
    };
    let abi = token["abi"].as_array_mut().unwrap();
    abi.push(function("strange", "uint999z"));
    abi.push(function("ofLibrary", "Numbers.Data storage"));
    abi.push(function("strangeTuple", "tuple9"));
    let mut of_contract = function("pay", "IERC20");
    of_contract["inputs"][0]["internalType"] = "contract IERC20".into();
    abi.push(of_contract);
    let folder = Folder::with(&[("Token.json", token.to_string())]);
    let demo = scenario("demo");
    assert_eq!(
        folder.notes(&demo),
        ["not used: Token.json: abi[10]: `uint999z` is no type, and 1 more items"]
    );
    let token = demo
        .recording
        .contract_at(address_of_token(&demo.recording))
        .unwrap();
    let selector = *keccak256(b"pay(IERC20)").0.first_chunk().unwrap();
    assert_eq!(token.abi.function(selector), Some("pay"));
    assert!(has(&texts(&demo.recording, Topic::Calls, 2), ".transfer(to: 0x"));
}

#[test]
fn layouts_of_hardhat_are_read_from_its_build_info() {
    let text = fs::read_to_string(Path::new(SAMPLE_ARTIFACTS).join("Token.json")).unwrap();
    let token: Value = serde_json::from_str(&text).unwrap();
    let artifact = json!({"_format": "hh-zksolc-artifact-1", "contractName": "Token", "sourceName": "contracts/Token.sol",
        "abi": token["abi"], "bytecode": format!("0x{}", sample_code("token"))});
    let compiled = |code: &str| json!({"abi": token["abi"], "storageLayout": token["storageLayout"], "evm": {"bytecode": {"object": code}}});
    let build_info = |code: &str| {
        json!({"solcVersion": "0.8.24", "input": {}, "output": {"sources": {}, "contracts": {
            "contracts/Token.sol": {"Token": compiled(code)}}}})
        .to_string()
    };
    let written = |build_info: String| {
        let folder = Folder::with(&[
            ("contracts/Token.sol/Token.json", artifact.to_string()),
            ("build-info/of_the_run.json", build_info),
        ]);
        let demo = scenario("demo");
        (folder.notes(&demo), texts(&demo.recording, Topic::Pubdata, 2))
    };
    let (notes, texts) = written(build_info(&sample_code("token")));
    assert_eq!(notes, [""; 0]);
    assert!(has(&texts, "Token@c0de…946d.balances[0x"), "{texts:#?}");
    // That of an older version of the contract says nothing about this one.
    let (_, texts) = written(build_info(&sample_code("counter")));
    assert!(
        has(&texts, "Token@c0de…946d[0x") && !has(&texts, "balances"),
        "{texts:#?}"
    );
    // Foundry writes files without an output there, and solc writes nothing of code that it did not make.
    let unlinked = json!({"output": {"contracts": {"A.sol": {"A": {"evm": {"bytecode": {}}}}}}});
    let mut beside: Value = serde_json::from_str(&build_info(&sample_code("token"))).unwrap();
    beside["output"]["contracts"]["A.sol"] =
        json!({"A": {"storageLayout": 7}, "B": {"evm": {"bytecode": {"object": null}}}});
    let (notes, texts) = written(beside.to_string());
    assert!(notes.is_empty() && has(&texts, "balances[0x"), "{notes:?}");
    for useless in [
        r#"{"id": "1", "language": "Solidity"}"#.to_owned(),
        unlinked.to_string(),
    ] {
        assert_eq!(written(useless).0, [""; 0]);
    }
    let (notes, _) = written(r#"{"output": {"contracts": []}}"#.to_owned());
    let broken = "not used: build-info/of_the_run.json: output.contracts: invalid type: sequence";
    assert!(notes[0].starts_with(broken), "{notes:?}");
}

#[test]
fn a_folder_that_does_not_exist_is_an_error_that_names_it() {
    let error = Artifacts::read(&[PathBuf::from("no/such/zkout")])
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("no/such/zkout: "), "{error}");
}

#[test]
fn nothing_that_calldata_or_a_layout_says_can_stop_an_answer() {
    // A struct that holds itself, an element of no bytes, an array longer than storage.
    let types = json!({
        "t_self": {"encoding": "inplace", "label": "struct S", "numberOfBytes": "64", "members": [
            {"label": "again", "offset": 0, "slot": "0", "type": "t_self"}]},
        "t_none": {"encoding": "inplace", "label": "uint0", "numberOfBytes": "0"},
        "t_long": {"encoding": "inplace", "label": "uint0[]", "base": "t_none",
                   "numberOfBytes": U256::MAX.to_string()},
    });
    let storage: Vec<_> = ["t_self", "t_long", "t_missing"]
        .iter()
        .map(|of_type| json!({"label": "v", "offset": 40, "slot": "0", "type": of_type}))
        .collect();
    let abi = json!([{"type": "function", "name": "transfer", "stateMutability": "view", "outputs": [],
        "inputs": [{"type": "address", "name": ""}, {"type": "uint256", "name": ""}]}]);
    let text = json!({"abi": abi, "bytecode": sample_code("token"),
        "storageLayout": {"storage": storage, "types": types}});
    let folder = Folder::with(&[("Token.json", text.to_string())]);
    let demo = scenario("demo");
    assert_eq!(folder.notes(&demo), [""; 0]);
    let token = demo
        .recording
        .contract_at(address_of_token(&demo.recording))
        .unwrap();
    assert_eq!(token.name, "Token");
    for tx in 0..5 {
        texts(&demo.recording, Topic::Pubdata, tx);
        texts(&demo.recording, Topic::Calls, tx);
    }
    let slot = StorageKey {
        address: address_of_token(&demo.recording),
        key: U256::MAX,
    };
    demo.recording.slot_text(slot);
}

fn address_of_token(recording: &Recording) -> H160 {
    let mut found = None;
    let each = &mut |call: eradbg_tracer::analysis::calls::Call| {
        if call.function == "Token.transfer" {
            found = Some(call.this);
        }
        Ok(())
    };
    calls::<eradbg_tracer::Error>(recording, each).unwrap();
    found.unwrap()
}
