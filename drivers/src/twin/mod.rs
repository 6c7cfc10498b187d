//! Twins: simulators that speak a device's own protocol, for tests and for everyone without the device.

pub mod cyton;
