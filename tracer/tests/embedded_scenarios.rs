//! Every scenario that eradbg carries along comes out as it says.

use eradbg_fixtures::embedded::SCENARIOS;
use eradbg_tracer::drive::{self, DriveEnd};
use eradbg_tracer::source::run::Driver;
use eradbg_tracer::source::scenario;

#[test]
fn embedded_scenarios_meet_their_expectations() {
    let problems: Vec<String> = SCENARIOS.iter().flat_map(|it| problems(it.name)).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn each_scenario_file_is_embedded_and_expects_something() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/scenarios");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let mut names: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "ron"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let mut known: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    names.sort();
    known.sort_unstable();
    assert_eq!(names, known);
    for name in known {
        let loaded = scenario::embedded(name).unwrap();
        // In one go transactions have no results of their own.
        if loaded.run.driver == Driver::Batch {
            continue;
        }
        let expects_nothing = loaded
            .expectations
            .iter()
            .any(eradbg_tracer::source::scenario::Expectation::is_empty);
        assert!(!expects_nothing, "{name} has a transaction without expectation");
    }
}

/// Runs a scenario without recording it; what did not come true.
fn problems(name: &str) -> Vec<String> {
    let loaded = match scenario::embedded(name) {
        Ok(loaded) => loaded,
        Err(error) => return vec![error.to_string()],
    };
    let (driven, reports) = drive::run(loaded.input, loaded.script, &loaded.run);
    let end = driven.end;
    let tip = reports.batch.map(|batch| batch.block_tip.result);
    let halted = tip.filter(|tip| tip["status"] != "success");
    let whole =
        (end != Ok(DriveEnd::Finished) || halted.is_some()).then(|| format!("{name}: {end:?} {halted:?}"));
    let reports = reports.transactions;
    let differences = loaded
        .expectations
        .iter()
        .enumerate()
        .filter_map(|(index, expectation)| {
            let report = reports.iter().find(|report| report.index == index);
            let difference = expectation.difference(report)?;
            Some(format!("{name}, tx {index}: {difference}"))
        });
    whole.into_iter().chain(differences).collect()
}
