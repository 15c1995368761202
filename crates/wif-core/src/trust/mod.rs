//! What was presented against what is trusted, and where they part.

pub mod compare;
pub mod presented;
pub mod side_by_side;
pub mod subject;
