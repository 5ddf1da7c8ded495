//! What eradbg carries along is in order.

use eradbg_fixtures::embedded::{BOOTLOADER, DEFAULT_ACCOUNT, SAMPLES, SYSTEM};
use eradbg_tracer::source::assembly::assemble;
use eradbg_vm::outcome::PanicCause;

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

#[test]
fn the_panics_sample_has_a_function_for_each_cause_in_their_order() {
    let panics = SAMPLES.iter().find(|sample| sample.name == "panics").unwrap();
    let (_, table) = panics.text.split_once("TABLE:\n").unwrap();
    let functions: Vec<&str> = table
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix(".cell selector(\"")?
                .strip_suffix("()\")")
        })
        .collect();
    let causes: Vec<String> = PanicCause::ALL
        .iter()
        .map(|cause| camel_case(cause.name()))
        .collect();
    assert_eq!(functions[..causes.len()], causes);
}

/// `out_of_ergs` as `outOfErgs`.
fn camel_case(name: &str) -> String {
    let (first, rest) = name.split_once('_').unwrap_or((name, ""));
    let capitalized = rest.split('_').map(|word| {
        let (letter, rest) = word.split_at(word.len().min(1));
        letter.to_uppercase() + rest
    });
    first.to_owned() + &capitalized.collect::<String>()
}
