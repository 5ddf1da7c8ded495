//! Bytes of a fuzzer as programs on both machines.

use eradbg_fuzz::choices::Choices;
use eradbg_fuzz::lockstep::{Lockstep, Verdict};
use eradbg_fuzz::statistics::Statistics;
use eradbg_fuzz::{generate, report};

#[test]
fn programs() {
    bolero::check!().with_max_len(1 << 14).for_each(|bytes: &[u8]| {
        let case = generate::case(&mut Choices::from_bytes(bytes));
        let verdict = Lockstep::new(&case).run(&mut Statistics::default());
        let differs = matches!(verdict, Verdict::Differs(_));
        assert!(!differs, "{}", report::difference(&case));
    });
}
