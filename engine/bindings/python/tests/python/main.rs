//! The Python package in real interpreters: its own tests, and stages in processes of their own, driven as a launcher would.

mod accounts;
mod faults;
mod launched;
mod package_tests;
mod streams;
