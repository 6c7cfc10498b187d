//! The Python package in real interpreters: its own tests, and stages in processes of their own, driven as a launcher would.

mod accounts;
mod faults;
mod launched;
mod package_tests;
mod streams;

/// The package's folder in the tree.
pub const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");
