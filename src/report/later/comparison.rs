//! Two bundles on the same users, for a terminal and as Markdown.

use super::evaluation::sampled;
use super::table::{Table, escaped, signed_span, span};
use crate::card::{ComparedHorizon, Comparison, Paired, Preference};
use crate::report::number::{counted, plain_percent};
use crate::report::wording::verdict::difference;

/// The comparison, readable.
pub fn text(compared: &Comparison) -> String {
    let mut out = format!("{}\n", head(compared));
    for h in &compared.horizons {
        out += &format!("\n{}\n  {}\n", title(h), conclusion(h));
        if let Some(left_out) = left_out(h) {
            out += &format!("  {left_out}\n");
        }
        if let Some(paired) = &h.paired {
            out += &figures(paired).text("    ");
        }
    }
    for note in notes(compared) {
        out += &format!("\nNote: {note}\n");
    }
    out
}

/// The comparison as GitHub's Markdown, for the summary of a job or a comment.
pub fn markdown(compared: &Comparison) -> String {
    let mut out = format!("## {}\n", escaped(&head(compared)));
    for h in &compared.horizons {
        out += &format!(
            "\n### {}\n\n{}\n",
            escaped(&title(h)),
            escaped(&conclusion(h))
        );
        if let Some(left_out) = left_out(h) {
            out += &format!("\n{}\n", escaped(&left_out));
        }
        if let Some(paired) = &h.paired {
            out += &format!("\n{}", figures(paired).markdown());
        }
    }
    for note in notes(compared) {
        out += &format!("\n> {}\n", escaped(&note));
    }
    out
}

fn head(compared: &Comparison) -> String {
    let Comparison { a, b, as_of, .. } = compared;
    format!(
        "A {} (fitted as of {}) and B {} (as of {}) at {as_of}{}",
        a.version,
        a.fitted_as_of,
        b.version,
        b.fitted_as_of,
        if compared.out_of_time {
            ""
        } else {
            " (not out of time)"
        }
    )
}

fn title(h: &ComparedHorizon) -> String {
    let last = h.until.plus(-1);
    format!("Horizon {} days, {} to {last}", h.horizon_days, h.from)
}

/// Which of the two is better, in a sentence.
fn conclusion(h: &ComparedHorizon) -> String {
    let Some(paired) = &h.paired else {
        return format!("Not compared: {}", not_compared(h));
    };
    let d = paired.log_loss_difference;
    let [value, low, high] = [d.value, d.low, d.high].map(difference);
    let interval = format!("its log loss is {value} (95 % interval: {low} to {high})");
    let users = format!(
        "On {} with churn {}",
        counted(paired.users, "user"),
        plain_percent(paired.churn_rate)
    );
    match paired.preference {
        Preference::Same => {
            format!("{users}, A and B are the same: every user has equal probabilities.")
        }
        Preference::A => format!("{users}, A is better than B: of B, {interval}."),
        Preference::B => format!("{users}, B is better than A: {interval}."),
        Preference::NotShown => {
            format!("{users}, neither is shown to be better: of B, {interval}.")
        }
    }
}

fn not_compared(h: &ComparedHorizon) -> String {
    match &h.untested {
        Some(untested) => crate::report::wording::untested::few(untested),
        None => "no figures.".to_owned(),
    }
}

/// The users that only one of the two scores, and those that were not looked at.
fn left_out(h: &ComparedHorizon) -> Option<String> {
    let mut sentences = Vec::new();
    if h.only_a + h.only_b > 0 {
        sentences.push(format!(
            "Left out: {} that only A scores, {} that only B scores.",
            counted(h.only_a, "user"),
            counted(h.only_b, "user")
        ));
    }
    sentences.extend(sampled(h.user_step));
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn figures(paired: &Paired) -> Table {
    let mut table = Table::new(&["", "A", "B", "B less A"]);
    let Paired { a, b, .. } = paired;
    let rows = [
        (
            "log loss",
            a.log_loss,
            b.log_loss,
            paired.log_loss_difference,
        ),
        ("AUC", a.auc, b.auc, paired.auc_difference),
        ("Brier score", a.brier, b.brier, paired.brier_difference),
        ("calibration error", a.ece, b.ece, paired.ece_difference),
    ];
    for (name, a, b, difference) in rows {
        table.push(vec![
            name.to_owned(),
            span(a),
            span(b),
            signed_span(difference),
        ]);
    }
    table
}

fn notes(compared: &Comparison) -> Vec<String> {
    let mut notes = compared.notes.clone();
    if !compared.left_out_horizons.is_empty() {
        let days: Vec<String> = compared
            .left_out_horizons
            .iter()
            .map(u16::to_string)
            .collect();
        notes.push(format!(
            "Only one of the two has a model of {} days.",
            days.join(", ")
        ));
    }
    notes
}
