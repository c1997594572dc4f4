//! Findings for other programs: annotations of GitHub's workflows, JUnit's XML, and Markdown.

use maud::{PreEscaped, html};

use super::finding::{Checked, Finding};
use crate::report::later::table::{Table, escaped};

/// Workflow commands of GitHub: an error for each failure, a notice for each remark, and a line with the result. See
/// <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>.
pub fn github(findings: &[Finding], model: &str) -> String {
    let mut out = String::new();
    for finding in findings {
        let kind = match &finding.checked {
            None => "notice",
            Some(_) if finding.passed => continue,
            Some(_) => "error",
        };
        let title = match &finding.checked {
            Some(checked) => format!("Model {model}: {}", name(checked)),
            None => format!("Model {model}"),
        };
        out += &format!(
            "::{kind} title={}::{}\n",
            property(&title),
            message(&finding.line)
        );
    }
    out + &summary(findings, model) + "\n"
}

/// The result in a line.
fn summary(findings: &[Finding], model: &str) -> String {
    let checked = findings.iter().filter(|f| f.checked.is_some());
    let (passed, failed): (Vec<_>, Vec<_>) = checked.partition(|f| f.passed);
    let all = passed.len() + failed.len();
    match failed.len() {
        0 => format!("Model {model}: all {all} checks passed"),
        failed => format!("Model {model}: {failed} of {all} checks failed"),
    }
}

/// Text of a workflow command.
fn message(text: &str) -> String {
    let escaped = text
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A");
    escaped.replace(char::is_control, " ")
}

/// A property of a workflow command, which ends at a comma or a colon.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

/// A metric with its horizon.
fn name(checked: &Checked) -> String {
    match checked.horizon_days {
        Some(days) => format!("{} ({days} days)", checked.metric),
        None => checked.metric.to_owned(),
    }
}

/// The findings as a table of GitHub's Markdown, for the summary of a job.
pub fn markdown(findings: &[Finding], model: &str) -> String {
    let figure = |value: Option<f64>| value.map_or("-".to_owned(), figure);
    let mut table = Table::new(&[
        "check", "horizon", "value", "low", "high", "limit", "result",
    ]);
    for checked in findings.iter().filter_map(|f| f.checked.as_ref()) {
        let limit = checked.bound.zip(checked.limit);
        table.push(vec![
            checked.metric.to_owned(),
            checked
                .horizon_days
                .map_or("-".to_owned(), |d| d.to_string()),
            figure(checked.value),
            figure(checked.low),
            figure(checked.high),
            limit.map_or("-".to_owned(), |(bound, limit)| {
                format!("{} {limit}", bound.words())
            }),
            if checked.passed { "passed" } else { "FAILED" }.to_owned(),
        ]);
    }
    let mut out = format!(
        "## {}\n\n{}",
        escaped(&summary(findings, model)),
        table.markdown()
    );
    let told = findings.iter().filter(|f| f.checked.is_none() || !f.passed);
    let lines: Vec<String> = told.map(|f| format!("- {}\n", escaped(&f.line))).collect();
    if !lines.is_empty() {
        out += &format!("\n{}", lines.concat());
    }
    out
}

/// Shares and losses with four decimals, counts without.
fn figure(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() >= 1.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.4}")
    }
}

/// The findings as JUnit's XML: a test case for each check, remarks as the suite's output.
pub fn junit(findings: &[Finding], model: &str) -> String {
    let checked: Vec<(&Checked, &Finding)> = findings
        .iter()
        .filter_map(|f| Some((f.checked.as_ref()?, f)))
        .collect();
    let (tests, failures) = (
        checked.len(),
        checked.iter().filter(|(c, _)| !c.passed).count(),
    );
    let remarks = findings.iter().filter(|f| f.checked.is_none());
    let remarks: Vec<String> = remarks.map(|f| legal(&f.line)).collect();
    let suite = legal(&format!("ebb-train check of model {model}"));
    let class = |checked: &Checked| match checked.horizon_days {
        Some(days) => format!("ebb.horizon_{days}"),
        None => "ebb.bundle".to_owned(),
    };
    let page = html! {
        testsuites tests=(tests) failures=(failures) errors="0" {
            testsuite name=(suite) tests=(tests) failures=(failures) errors="0" skipped="0" time="0" {
                @for (checked, finding) in &checked {
                    testcase classname=(class(checked)) name=(checked.metric) time="0" {
                        @if !checked.passed {
                            failure type="threshold" message=(legal(&finding.line)) { (legal(&finding.line)) }
                        }
                    }
                }
                @if !remarks.is_empty() { system-out { (PreEscaped("\n")) @for line in &remarks { (line) "\n" } } }
            }
        }
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n",
        page.into_string()
    )
}

/// Text without the characters that XML does not allow.
fn legal(text: &str) -> String {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r') || c >= ' ';
    let kept = text.chars().map(|c| match c {
        '\u{fffe}' | '\u{ffff}' => ' ',
        c if allowed(c) => c,
        _ => ' ',
    });
    kept.collect()
}
