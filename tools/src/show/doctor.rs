//! Findings for people: what failed first, in full; what passed last, a line each; then what to type, and the verdict.

use ephapse_rtconfig::doctor::verdict::{Steps, time};
use ephapse_rtconfig::doctor::{Finding, Fix, FixKind, Severity, State, Verdict};

/// All findings and the verdict, which is the last line.
pub fn doctor_text(head: &str, findings: &[Finding], verdict: &Verdict) -> String {
    let mut out = format!("{head}\n\n");
    let mut failed: Vec<&Finding> = with(findings, State::Failed).collect();
    failed.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for finding in failed {
        let severity = word(finding.severity).to_uppercase();
        out += &format!("{severity:<9} {}: {}\n", finding.check, finding.what);
        for reading in &finding.read {
            line(
                &mut out,
                "read",
                &format!("{}: {}", reading.from, reading.value),
            );
        }
        line(&mut out, "why", finding.why);
        for fix in &finding.fix {
            line(&mut out, "fix", &in_words(fix));
        }
        out.push('\n');
    }
    for finding in with(findings, State::Unknown) {
        out += &format!(
            "unknown   {}: {} ({} if wrong: {})\n",
            finding.check,
            finding.what,
            word(finding.severity),
            finding.why
        );
    }
    for finding in with(findings, State::Passed) {
        let from = finding.read.last().map_or("", |reading| &reading.from);
        out += &format!("passed    {}: {} [{from}]\n", finding.check, finding.what);
    }
    out.push('\n');
    to_type(&mut out, "What a real-time run needs:", &verdict.to_run);
    for tick in &verdict.ticks {
        let title = format!("What {} ticks need:", time(tick.tick_ns));
        to_type(&mut out, &title, &tick.steps);
    }
    let boot: Vec<&str> = with(findings, State::Failed)
        .flat_map(|finding| &finding.fix)
        .filter(|fix| fix.kind == FixKind::Boot)
        .map(|fix| fix.text.as_str())
        .collect();
    if !boot.is_empty() {
        out +=
            "To take everything else off these CPUs, on the kernel's command line, and reboot:\n";
        out += &format!("  {}\n\n", boot.join(" "));
    }
    out + &verdict.sentence
}

fn with(findings: &[Finding], state: State) -> impl Iterator<Item = &Finding> {
    findings
        .iter()
        .filter(move |finding| finding.state == state)
}

fn line(out: &mut String, what: &str, text: &str) {
    *out += &format!("          {what:<5} {text}\n");
}

fn to_type(out: &mut String, title: &str, steps: &Steps) {
    if steps.commands.is_empty() {
        return;
    }
    *out += &format!("{title}\n");
    for command in &steps.commands {
        *out += &format!("  {command}\n");
    }
    out.push('\n');
}

fn in_words(fix: &Fix) -> String {
    match fix.kind {
        FixKind::Command | FixKind::Advice => fix.text.clone(),
        FixKind::Boot => format!("boot with {}", fix.text),
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}
