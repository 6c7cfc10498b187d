//! The result as one page that needs nothing but itself.

use super::contract::BenchResult;

/// Draws the page.
pub fn html(result: &BenchResult) -> String {
    format!("<pre>{}</pre>", super::text(result))
}
