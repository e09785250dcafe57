//! The stages. A root passes observe → pack → relay → observe_spoke → report, a request observe_spoke → request.

mod observe;
mod observe_spoke;
mod pack;
mod relay;
mod report;
mod request;

pub(crate) use observe::Observer;
pub(crate) use observe_spoke::observe_spoke;
pub(crate) use pack::{Hub, Range, pack};
pub(crate) use relay::relay;
pub(crate) use report::report;
pub(crate) use request::request;

/// What a round came to, and so how soon the next one is worth it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something was done and there may be more.
    Moved,
    /// An errand is under way.
    Waiting,
    /// There is nothing to do.
    Idle,
}
