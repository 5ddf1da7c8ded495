//! Limits of transactions and batches on the real contracts: to the last unit, and one beyond.

use std::fmt::Write;

use eradbg_tracer::drive::{self, DriveEnd};

use crate::real::{RealContracts, problems};

/// Gas that is kept for the end of a batch: `BOOTLOADER_BATCH_TIP_OVERHEAD` in `matter-labs/zksync-era`
/// `core/lib/multivm/src/versions/vm_latest/constants.rs`.
const TIP_RESERVE: u32 = 400_000_000;

fn scenario(contracts: &str, steps: &str) -> String {
    format!(
        r#"(
            base: "zkout",
            accounts: {{ "alice": Rich(0), "bob": Rich(1) }},
            contracts: {{ {contracts} }},
            blocks: [(steps: [{steps}])],
        )"#
    )
}

#[test]
fn a_transaction_brings_at_most_64_bytecodes() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    // A transaction does not name a bytecode twice.
    let contract =
        |number: usize| format!("\"{number}\": (code: Bytecode(\"0x{number:064x}\"), deployed: false),");
    let codes: String = (0..65).map(contract).collect();
    let mut steps = String::new();
    for (count, end) in [(65, "Rejected(\"too many factory deps\")"), (64, "Success")] {
        let names: Vec<String> = (0..count).map(|number| format!("\"{number}\"")).collect();
        let names = names.join(", ");
        write!(
            steps,
            r#"
            Call(from: "alice", to: "bob", factory_deps: [{names}], gas_limit: 80_000_000, expect: {end}),
            Priority(from: "bob", to: "alice", factory_deps: [{names}], gas_limit: 80_000_000, expect: {end}),
            "#
        )
        .unwrap();
    }
    let found = problems(contracts.load_text("many_bytecodes", &scenario(&codes, &steps)));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_end_of_a_batch_full_of_logs_and_pubdata_stays_within_the_gas_that_is_kept_for_it() {
    let Some(contracts) = RealContracts::new() else {
        return;
    };
    // More would be sealed before: the messages alone fill five of six blobs.
    let messages = |count: usize, bytes: usize, times: usize| {
        let call = format!(
            r#"Call(from: "alice", to: "heavy", function: "messages(uint256,uint256)", args: [{count}, {bytes}],
                    gas_limit: 80_000_000, expect: Success, checks: (l2_to_l1_logs: {count})),"#
        );
        call.repeat(times)
    };
    let writes = r#"Call(from: "bob", to: "heavy", function: "writes(uint256,uint256,uint256)", args: [0, 1000, 1],
                         gas_limit: 80_000_000, expect: Success),"#;
    let steps = messages(1, 90_000, 5) + &messages(800, 0, 3) + writes;
    let heavy = r#""heavy": (code: Assembly("heavy.asm"))"#;
    let loaded = contracts.load_text("full", &scenario(heavy, &steps));
    let found = problems(loaded.clone());
    assert!(found.is_empty(), "{}", found.join("\n"));
    let (driven, reports) = drive::run(loaded.input, loaded.script, &loaded.run);
    assert_eq!(driven.end, Ok(DriveEnd::Finished));
    let batch = reports.batch.unwrap();
    let pubdata = batch.pubdata_input.len();
    assert!(pubdata > 650_000, "{pubdata} bytes of pubdata");
    let used = batch.block_tip.gas_used;
    assert!((1_000_000..TIP_RESERVE).contains(&used), "{used}");
}
