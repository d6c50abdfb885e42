//! Webhook bodies: JSON and forms in any charset, exact numbers, and the fields that a mapping locates in them. No I/O.

pub mod body;
pub mod mapping;
pub mod number;
pub mod shape;
pub mod view;

pub use mapping::{Field, Mapping, Reading};
pub use view::View;
