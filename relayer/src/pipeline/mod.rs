//! The stages, in the order in which a root passes them: observe → pack → relay → report.

mod observe;
mod pack;
mod relay;
mod report;

pub(crate) use observe::Observer;
pub(crate) use pack::{Hub, Range, pack};
pub(crate) use relay::relay;
pub(crate) use report::report;

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
