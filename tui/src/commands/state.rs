//! The state of a chain that a batch starts from, and what becomes of it after the run.

use anyhow::Result;
use eradbg_tracer::chain::{ChainState, ClosedBatch, Contents, Uncommittable};

use crate::Exit;
use crate::text::grouped;

/// A state that this process holds while a batch runs.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) state: ChainState,
    /// What the batch starts from: the state, and what the scenario sets up besides.
    pub(crate) start: Contents,
}

/// A run that came to its end, or was stopped.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Exit,
    /// What the batch leaves to its chain.
    pub(crate) closed: Result<ClosedBatch, Uncommittable>,
}

/// Commits the batch if it was closed and did what was expected, and says what became of the state. The exit code is that
/// of something unexpected if a batch that was to be committed was not.
///
/// # Errors
/// When the run failed, or the commit does.
pub(crate) fn settle(chain: Option<Chain>, ran: Result<Ran>) -> Result<Exit> {
    let Some(mut chain) = chain else {
        return ran.map(|ran| ran.exit);
    };
    let (why, exit) = match ran {
        Ok(Ran {
            exit: Exit::Done,
            closed: Ok(batch),
        }) => {
            chain.state.commit(&chain.start, &batch)?;
            println!(
                "state {}: batch {} committed, {} slots changed",
                chain.state.path().display(),
                batch.batch.number,
                grouped(batch.changes.len() as u64)
            );
            return Ok(Exit::Done);
        }
        Ok(Ran {
            exit: Exit::Done,
            closed: Err(why),
        }) => (why.to_string(), Ok(Exit::Unexpected)),
        Ok(Ran {
            exit: Exit::Bad,
            closed: Err(why),
        }) => (why.to_string(), Ok(Exit::Bad)),
        Ok(Ran {
            exit: Exit::Stopped, ..
        }) => ("the run was stopped".to_owned(), Ok(Exit::Stopped)),
        Ok(Ran { exit, .. }) => ("a transaction did not do what was expected".to_owned(), Ok(exit)),
        Err(error) => ("the run failed".to_owned(), Err(error)),
    };
    println!("state {} unchanged: {why}", chain.state.path().display());
    exit
}
