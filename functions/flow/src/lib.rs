//! What happens to an event once it is stored, and how it leaves. Architecture invariant: nothing here knows a platform; an
//! event carries how it is read.

pub mod dead_letters;
pub mod dispatch;
pub mod expression;
pub mod guard;
pub mod request;
pub mod webhook;
