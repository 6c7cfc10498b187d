//! Where streams end.

pub mod record;
