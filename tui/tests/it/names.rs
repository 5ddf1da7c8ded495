//! Names from artifacts: `--artifacts`, and the configuration file.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::support::run_line;

/// A folder with the recording `r` of transfers of a token, and the artifacts of samples in `zkout`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("there is room");
    let scenario = r#"(
        accounts: { "operator": Address(at: "0x0000000000000000000000000000000000feeacc"), "alice": Rich(0) },
        contracts: { "token": (code: Sample("token"), storage: { "0": "alice" }) },
        chain: (operator: "operator"),
        blocks: [(steps: [
            Call(from: "alice", to: "token", function: "mint(address,uint256)", args: ["alice", 1000], expect: Success),
        ])],
    )"#;
    fs::write(folder.path().join("token.ron"), scenario).expect("there is room");
    run_line(folder.path(), "record token.ron -o r").ok();
    let artifacts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/artifacts");
    fs::create_dir(folder.path().join("zkout")).expect("there is room");
    for name in ["Token.json", "Counter.json"] {
        fs::copy(artifacts.join(name), folder.path().join("zkout").join(name)).expect("there is room");
    }
    folder
}

#[test]
fn artifacts_of_the_command_line_or_the_configuration_name_contracts() {
    let folder = folder();
    let path = folder.path();
    let unnamed = run_line(path, "show r calls").ok();
    assert!(
        unnamed.contains(".mint(to: ") && !unnamed.contains("Token@"),
        "{unnamed}"
    );
    let named = run_line(path, "show r calls --artifacts zkout");
    assert_eq!(named.stderr, "");
    let named = named.ok();
    assert!(
        named.contains(".mint(to: ") && named.contains("Token@"),
        "{named}"
    );
    fs::write(path.join("eradbg.ron"), "(artifacts: [\"zkout\"])").expect("there is room");
    assert_eq!(run_line(path, "show r calls").ok(), named);
    let exported = run_line(path, "export r calls --format csv").ok();
    assert!(exported.contains(",Token.mint,"), "{exported}");
    let contracts = run_line(path, "show r contracts").ok();
    assert!(
        contracts.contains("named by ") && contracts.contains("zkout/Token.json"),
        "{contracts}"
    );
}

#[test]
fn artifacts_that_are_missing_broken_or_do_not_fit_are_told() {
    let folder = folder();
    let path = folder.path();
    let missing = run_line(path, "show r calls --artifacts nowhere");
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("nowhere: "), "{}", missing.stderr);
    fs::write(
        path.join("zkout/Token.json"),
        "{\"abi\": 3, \"bytecode\": \"0x\"}",
    )
    .expect("there is room");
    let told = run_line(path, "show r calls --artifacts zkout");
    assert!(
        told.stderr
            .contains("not used: zkout/Token.json: abi: invalid type"),
        "{}",
        told.stderr
    );
    assert!(
        told.stderr
            .contains("none of the 1 contracts is in this recording"),
        "{}",
        told.stderr
    );
    assert!(told.ok().contains(".mint(to: "));
    fs::write(path.join("eradbg.ron"), "(artifacts: zkout)").expect("there is room");
    let broken = run_line(path, "show r calls");
    assert_eq!(broken.code, Some(1));
    assert!(broken.stderr.contains("eradbg.ron:1:"), "{}", broken.stderr);
}
