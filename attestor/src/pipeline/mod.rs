//! The stages, in the order in which a fact passes them: observe → sign.

mod observe;
mod sign;

pub use observe::observe;
pub use sign::{Signed, sign};
