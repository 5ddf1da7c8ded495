//! `why`, `show`, and the ledgers of `export`.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{run, run_line, write_mini};

/// A folder with the recording `r` of the small batch: of its six transactions the third reverts and the fourth halts.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("there is room");
    write_mini(folder.path(), "mini.json", 6);
    run_line(folder.path(), "record mini.json -o r").ok();
    folder
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

#[test]
fn why_explains_the_first_failure_and_names_the_others() {
    let folder = folder();
    let path = folder.path();
    let explained = run_line(path, "why r");
    assert!(
        explained.stderr.contains("transaction 3 failed too (--tx 3)"),
        "{}",
        explained.stderr
    );
    let text = explained.ok();
    assert!(
        text.contains("transaction 2 REVERTED in execution: nope"),
        "{text}"
    );
    let told = json(&run_line(path, "why r --tx 3 --json").ok());
    assert_eq!((&told["tx"], &told["status"]), (&json!(3), &json!("halt")));
    let missing = run_line(path, "why r --tx 6");
    assert_eq!(missing.code, Some(1));
    assert!(
        missing.stderr.contains("there is no transaction 6"),
        "{}",
        missing.stderr
    );
}

#[test]
fn every_topic_is_shown_in_every_order() {
    let folder = folder();
    let path = folder.path();
    for (topic, orders) in [
        (
            "transactions",
            &["ergs", "steps", "pubdata", "status", "loads"][..],
        ),
        ("calls", &["near calls too", "without system contracts"]),
        ("contracts", &["address"]),
        ("timeline", &["all open"]),
        ("refunds", &["slot"]),
        ("ergs", &["contract"]),
        ("pubdata", &["slot", "contract"]),
        ("why", &[]),
        ("sheet", &[]),
        ("published", &[]),
        ("rollbacks", &[]),
        ("events", &[]),
    ] {
        let usual = run(path, ["show", "r", topic, "--tx", "2"]).ok();
        assert!(usual.lines().count() > 1, "{topic}: {usual}");
        for order in orders {
            let other = run(path, ["show", "r", topic, "--tx", "2", "--by", order]).ok();
            assert!(
                other.lines().count() > 1 && other != usual,
                "{topic} by {order}: {other}"
            );
        }
        let wrong = run(path, ["show", "r", topic, "--by", "size"]);
        assert_eq!(wrong.code, Some(2), "{topic}: {wrong:?}");
        assert!(
            wrong.stderr.starts_with(&format!("eradbg: {topic}: ")),
            "{wrong:?}"
        );
    }
    for topic in ["sheet", "ergs", "calls", "refunds", "pubdata", "rollbacks"] {
        let missing = run_line(path, &format!("show r {topic} --tx 6"));
        assert_eq!(missing.code, Some(1), "{topic}");
        assert!(
            missing.stderr.contains("there is no transaction 6"),
            "{missing:?}"
        );
    }
    for topic in [
        "calls",
        "ergs",
        "refunds",
        "pubdata",
        "rollbacks",
        "events",
        "timeline",
    ] {
        let at_end = run_line(path, &format!("show r {topic} --tx end")).ok();
        assert!(
            at_end.lines().next().unwrap().contains("end of the batch"),
            "{topic}: {at_end}"
        );
        let usual = run_line(path, &format!("show r {topic} --tx 2")).ok();
        let lines = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        assert!(
            !lines(&at_end).is_empty() && lines(&at_end) != lines(&usual),
            "{topic}: {at_end}"
        );
    }
    let nobody = run_line(path, "show r sheet --tx end");
    assert!(
        nobody.code == Some(1) && nobody.stderr.contains("sheet is about a transaction"),
        "{nobody:?}"
    );
    let unknown = run_line(path, "show r gas");
    assert!(
        unknown.code == Some(2) && unknown.stderr.contains("sheet"),
        "{unknown:?}"
    );
}

#[test]
fn ledgers_have_the_same_rows_in_both_formats() {
    let folder = folder();
    let path = folder.path();
    for ledger in ["calls", "ergs", "refunds", "pubdata", "rollbacks", "hooks"] {
        let objects = json(&run_line(path, &format!("export r {ledger}")).ok());
        let csv = run_line(path, &format!("export r {ledger} --format csv")).ok();
        let count = objects.as_array().expect("an array").len();
        assert!(count > 0 && csv.lines().count() == 1 + count, "{ledger}");
        let columns = csv.lines().next().expect("a line of names").split(',').count();
        assert_eq!(
            objects[0].as_object().expect("an object").len(),
            columns,
            "{ledger}"
        );
    }
}

#[test]
fn only_calls_are_traced_as_a_node_does_and_rejected_transactions_are_left_out() {
    let folder = folder();
    let path = folder.path();
    let traced = json(&run_line(path, "export r calls --format calltracer").ok());
    let traced = traced.as_array().expect("an array");
    assert_eq!(traced.len(), 5);
    assert_eq!(traced[2]["result"]["revertReason"], "nope");
    assert_eq!(run_line(path, "export r ergs --format calltracer").code, Some(2));
}
