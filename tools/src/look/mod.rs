//! Looking into a session from outside: read-only mappings, no seat, nothing held back.

mod accounts;
mod follow;
mod rate;
pub mod ring;
pub mod session;

pub use follow::{Follower, From};
pub use rate::{Rates, Window};
pub use session::{Session, choose};
