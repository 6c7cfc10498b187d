//! `devices`: serial ports behind USB, and which of them may be a Cyton.

use crate::cli::DevicesArgs;
use crate::output::sayln;
use ephapse_drivers::acquire::cyton::adapters::{Adapter, list};
use serde_json::{Value, json};
use std::process::ExitCode;

/// `ephapse devices`.
pub fn devices(args: &DevicesArgs) -> anyhow::Result<ExitCode> {
    let adapters = list(&args.root);
    if args.json {
        let all: Vec<Value> = adapters.iter().map(as_json).collect();
        sayln!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    if adapters.is_empty() {
        sayln!(
            "no serial port behind USB; without a board, `ephapse twin cyton` stands in for one"
        );
    }
    for adapter in &adapters {
        let what = if adapter.looks_like_cyton() {
            "may be an OpenBCI Cyton"
        } else {
            "another device"
        };
        let timer = match adapter.latency_ms {
            Some(1) => "latency_timer 1 ms".to_owned(),
            Some(ms) => format!("latency_timer {ms} ms (acquire.cyton sets it to 1 ms)"),
            None => "no latency_timer".to_owned(),
        };
        let port = adapter.by_id.as_ref().unwrap_or(&adapter.port);
        sayln!(
            "{}  {what}: {} {} {}, {timer}; port = \"{}\"",
            adapter.port.display(),
            adapter.vendor_product,
            adapter.product,
            adapter.serial,
            port.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(adapter: &Adapter) -> Value {
    json!({
        "port": adapter.port,
        "by_id": adapter.by_id,
        "vendor_product": adapter.vendor_product,
        "product": adapter.product,
        "serial": adapter.serial,
        "latency_ms": adapter.latency_ms,
        "kinds": if adapter.looks_like_cyton() { vec!["acquire.cyton"] } else { vec![] },
    })
}
