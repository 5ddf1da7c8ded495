//! What eradbg carries along is in order.

use eradbg_fixtures::embedded::{BOOTLOADER, DEFAULT_ACCOUNT, SAMPLES, SYSTEM};
use eradbg_tracer::source::assembly::assemble;

#[test]
fn every_embedded_contract_assembles() {
    let system = SYSTEM.iter().map(|(_, contract)| contract);
    let all = [&BOOTLOADER, &DEFAULT_ACCOUNT]
        .into_iter()
        .chain(system)
        .chain(SAMPLES);
    let errors: Vec<String> = all
        .filter_map(|contract| {
            let error = assemble(contract.text).err()?;
            Some(format!("{}:{error}", contract.file))
        })
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}
