//! Findings for people: what failed first, in full; what passed last, a line each; then what to type, and the verdict.

use ephapse_rtconfig::doctor::verdict::{Steps, time};
use ephapse_rtconfig::doctor::{Finding, Fix, FixKind, Severity, State, Verdict};

/// More readings of one finding are only counted.
const MOST_READINGS: usize = 6;

/// All findings and the verdict, which is the last line.
pub fn doctor_text(head: &str, findings: &[Finding], verdict: &Verdict) -> String {
    let mut out = format!("{head}\n\n");
    let mut failed: Vec<&Finding> = with(findings, State::Failed).collect();
    failed.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for finding in failed {
        let severity = word(finding.severity).to_uppercase();
        out += &format!("{severity:<9} {}: {}\n", finding.check, finding.what);
        for reading in finding.read.iter().take(MOST_READINGS) {
            let text = format!("{}: {}", reading.from, reading.value);
            line(&mut out, "read", &text);
        }
        if let Some(more @ 1..) = finding.read.len().checked_sub(MOST_READINGS) {
            line(&mut out, "read", &format!("{more} more (--json has all)"));
        }
        line(&mut out, "why", finding.why);
        for fix in &finding.fix {
            line(&mut out, "fix", &in_words(fix));
        }
        out.push('\n');
    }
    for finding in with(findings, State::Unknown) {
        out += &format!("unknown   {}: {}\n", finding.check, finding.what);
        line(&mut out, "why", finding.why);
    }
    out.push('\n');
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

#[cfg(test)]
mod tests {
    use super::*;
    use ephapse_rtconfig::doctor::{Harm, Reading};

    fn finding(check: &'static str, state: State, fix: Vec<Fix>) -> Finding {
        Finding {
            check,
            state,
            severity: Severity::Warning,
            what: "as it is".to_owned(),
            why: "it matters",
            read: vec![Reading {
                from: "/proc/file".to_owned(),
                value: "1".to_owned(),
            }],
            harm: match fix.is_empty() {
                true => Harm::None,
                false => Harm::Delay { delay_ns: 200_000 },
            },
            fix,
        }
    }

    #[test]
    fn failures_come_first_in_full_and_the_verdict_is_the_last_line() {
        let write = Fix::write(vec!["/proc/file".to_owned()], "0");
        let findings = [
            finding("good", State::Passed, vec![]),
            finding("dark", State::Unknown, vec![]),
            finding("bad", State::Failed, vec![write, Fix::boot("quiet=2")]),
        ];
        let verdict = Verdict::of(&findings, &[10_000_000, 1_000_000]);
        let text = doctor_text("this host", &findings, &verdict);
        assert_eq!(
            text,
            "\
this host

WARNING   bad: as it is
          read  /proc/file: 1
          why   it matters
          fix   echo 0 | sudo tee /proc/file > /dev/null
          fix   boot with quiet=2

unknown   dark: as it is
          why   it matters

passed    good: as it is [/proc/file]

What 1 ms ticks need:
  echo 0 | sudo tee /proc/file > /dev/null

To take everything else off these CPUs, on the kernel's command line, and reboot:
  quiet=2

Good for 10 ms ticks as it is; for 1 ms: one command, printed here, kernel parameters and a reboot; one check could not be read"
        );
    }
}
