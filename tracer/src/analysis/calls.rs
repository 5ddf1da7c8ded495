//! Near and far calls, as a tree in order of time: who called whom with what, and what came back.

mod watcher;

use eradbg_vm::H160;
use serde::Serialize;

use crate::analysis::calls::watcher::Watcher;
use crate::analysis::stretches::{Stretch, watch_all, watch_part};
use crate::error::Result;
use crate::recording::{Part, Recording};

/// A near or far call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Call {
    /// The step that made it.
    pub step: u64,
    /// The step that left the callee; `None` where the recording ends in it, or the operator rolled back in it.
    pub left_at: Option<u64>,
    /// The transaction that it belongs to, counted from 0.
    pub tx: Option<u32>,
    /// Near and far calls around it, the outermost frame not counted.
    pub depth: u32,
    /// The step of the call around it.
    pub within: Option<u64>,
    /// `normal`, `delegate`, `mimic` or `near`.
    pub kind: &'static str,
    /// Whether the callee may not change state.
    pub is_static: bool,
    /// Whether it was called as a system contract.
    pub is_system: bool,
    /// Whether it was called as a constructor.
    pub is_constructor: bool,
    /// Address that called, as the callee sees it.
    pub caller: H160,
    /// Address whose storage the callee works on.
    pub this: H160,
    /// Address that its code belongs to.
    pub code: H160,
    /// The function that its calldata asks for, when the selector is known; empty for a near call.
    pub function: String,
    /// The value that goes with the call, in wei.
    #[serde(serialize_with = "decimal")]
    pub value: u128,
    /// Ergs that it got.
    pub ergs: u32,
    /// Ergs that it gave back.
    pub returned: Option<u32>,
    /// `ok`, `revert`, `panic`; nothing where it did not end.
    pub end: &'static str,
    /// Why it panicked: the short name of the cause.
    pub cause: &'static str,
    /// Memory page of the calldata.
    pub calldata_page: u32,
    /// Memory page of its heap; its aux heap has the next.
    pub heap_page: u32,
    /// Calldata.
    #[serde(serialize_with = "impl_serde::serialize::serialize")]
    pub input: Vec<u8>,
    /// Returndata.
    #[serde(serialize_with = "impl_serde::serialize::serialize")]
    pub output: Vec<u8>,
    /// Bytes of the calldata; more than are kept where the calls of its stretch have too many.
    pub input_bytes: u32,
    /// Bytes of the returndata, in the same way.
    pub output_bytes: u32,
    /// Position at which the operator rolls it back.
    pub rolled_back_at: Option<u64>,
    /// The selector of the function, where the calldata has one.
    #[serde(skip)]
    pub selector: Option<[u8; 4]>,
    /// Whether the machine could start the callee.
    #[serde(skip)]
    pub has_code: bool,
    /// The call around it, by its place in the stretch.
    #[serde(skip)]
    pub parent: Option<usize>,
}

impl Call {
    /// Whether calldata or returndata are cut.
    pub fn is_cut(&self) -> bool {
        self.input.len() < self.input_bytes as usize || self.output.len() < self.output_bytes as usize
    }

    fn find_function(&mut self, recording: &Recording) {
        let name = |selector| recording.function_name(self.code, selector);
        self.function = self.selector.and_then(name).unwrap_or_default();
    }
}

/// Hands on all calls in order of time.
///
/// # Errors
/// When the recording is damaged, and what `each` says.
pub fn calls<E: From<crate::Error>>(
    recording: &Recording,
    each: &mut dyn FnMut(Call) -> Result<(), E>,
) -> Result<(), E> {
    watch_all::<Watcher, E>(recording, &mut |mut call| {
        call.find_function(recording);
        each(call)
    })
}

/// Calls of a part's stretches. The recording's overview is loaded.
///
/// # Errors
/// When there is no such part, or the recording is damaged.
pub fn of_part(recording: &Recording, part: Part) -> Result<Vec<(Stretch, Vec<Call>)>> {
    let mut stretches = watch_part::<Watcher>(recording, part)?;
    for call in stretches.iter_mut().flat_map(|(_, calls)| calls) {
        call.find_function(recording);
    }
    Ok(stretches)
}

/// A number that JSON has no type for.
fn decimal<S: serde::Serializer>(number: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}
