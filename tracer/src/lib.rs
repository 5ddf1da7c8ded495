//! Recordings of EraVM batches: inputs, the driver, the recorder, replay, the timeline, exports.
//!
//! Data flows one way: an input becomes a batch ([`source`]), the operator runs it ([`drive`]), the [`recorder`]
//! watches, and everything that a person sees comes from a [`recording`] alone: a [`timeline`] over it, or an
//! [`export`] of it. What a batch leaves to the next one is a [`chain`].

mod again;
pub mod analysis;
pub mod chain;
pub mod delta;
pub mod drive;
pub mod error;
pub mod export;
pub mod index;
pub mod keyframe;
pub mod ledger;
pub mod listing;
pub mod log;
pub mod manifest;
pub mod numbers;
pub mod query;
pub mod recorder;
pub mod recording;
pub mod replay;
pub mod report;
pub mod source;
pub mod state_view;
pub mod store;
pub mod symbols;
pub mod timeline;
pub mod verify;

pub use error::{Error, Result};
pub use recording::Recording;
pub use timeline::Timeline;
