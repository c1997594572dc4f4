//! A bundle judged on a later day, for a terminal and as Markdown.

use std::fmt::{Result, Write};

use super::table::{Table, escaped, signed_span, span};
use crate::card::{BaselineSource, Evaluation, LaterEvaluation, LaterHorizon, Promise, Standing};
use crate::report::number::{counted, plain_percent};
use crate::report::wording::untested::cause;
use crate::report::{text as card_text, wording};

/// The evaluation, readable.
pub fn text(judged: &LaterEvaluation) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_text(&mut text, judged);
    text
}

fn write_text(out: &mut String, judged: &LaterEvaluation) -> Result {
    writeln!(out, "{}", head(judged))?;
    writeln!(out, "{}", card_text::label(&judged.label_definition))?;
    for h in &judged.horizons {
        writeln!(out, "\n{}", horizon_title(h))?;
        writeln!(out, "  {}", conclusion(judged, h))?;
        let Some(e) = &h.evaluation else { continue };
        card_text::write_evaluation(out, e)?;
        writeln!(out, "  beside the card's test date")?;
        write!(out, "{}", promises(h).text("    "))?;
        if h.baselines_from == Some(BaselineSource::Bundle) {
            writeln!(out, "  {FROM_BUNDLE}")?;
        }
    }
    for note in &judged.notes {
        writeln!(out, "\nNote: {note}")?;
    }
    Ok(())
}

/// What to know of baselines that the log could not give.
pub(crate) const FROM_BUNDLE: &str = "The log has too little before this day to fit baselines: the base rate is that of \
                                      the bundle's training rows, and BG/NBD is the bundle's own.";

/// That only some of the users were looked at; `None` where all were.
pub(crate) fn sampled(user_step: u64) -> Option<String> {
    (user_step > 1)
        .then(|| format!("Of the users one in {user_step} was looked at (model.most_rows)."))
}

/// What was judged, in a line.
pub(crate) fn head(judged: &LaterEvaluation) -> String {
    format!(
        "Model {}, fitted as of {}, judged at {}{}",
        judged.model.version,
        judged.model.fitted_as_of,
        judged.as_of,
        if judged.out_of_time {
            ""
        } else {
            " (not out of time)"
        }
    )
}

/// A horizon with its label window.
pub(crate) fn horizon_title(h: &LaterHorizon) -> String {
    format!(
        "Horizon {} days, {} to {}",
        h.horizon_days,
        h.from,
        h.until.plus(-1)
    )
}

/// Whether a horizon's model kept what its card promised, in a sentence or two.
pub(crate) fn conclusion(judged: &LaterEvaluation, h: &LaterHorizon) -> String {
    let Some(e) = &h.evaluation else {
        return match &h.untested {
            Some(untested) => cause(untested, &judged.label_definition, h.horizon_days),
            None => format!("The {}-day model was not judged.", h.horizon_days),
        };
    };
    let log_loss = h.promises.iter().find(|p| p.metric == "log_loss");
    let promised = log_loss.and_then(|p| Some((p.found, p.promised?, p.difference?)));
    let (Some(standing), Some((found, promised, difference))) = (h.standing, promised) else {
        return format!(
            "The card has no test of the {}-day model, so nothing was promised: log loss {}.",
            h.horizon_days,
            span(e.model.log_loss)
        );
    };
    let kept = match standing {
        Standing::Better => "Better than the card",
        Standing::Within => "Within what the card promised",
        Standing::Worse => "Worse than the card",
    };
    let others = h.promises.iter().filter(|p| p.metric != "log_loss");
    let worse: Vec<String> = others
        .filter(|p| p.standing == Some(Standing::Worse))
        .map(|p| metric_name(&p.metric))
        .collect();
    let worse = match worse.as_slice() {
        [] => String::new(),
        names => format!(" Worse than on the card: {}.", names.join(", ")),
    };
    let churn = h.promised_churn_rate.map(|promised| {
        let rates = [e.churn_rate, promised].map(plain_percent);
        format!(" (churn {}, on the card {})", rates[0], rates[1])
    });
    let sampled = sampled(h.user_step).map(|sentence| format!(" {sentence}"));
    format!(
        "{kept}: log loss {:.4}, on the card {:.4}, difference {}{}.{worse}{}",
        found.value,
        promised.value,
        signed_span(difference),
        churn.unwrap_or_default(),
        sampled.unwrap_or_default()
    )
}

/// A metric's name in a sentence.
pub(crate) fn metric_name(metric: &str) -> String {
    match metric {
        "auc" => "AUC".to_owned(),
        "ece" => "calibration error".to_owned(),
        "brier" => "Brier score".to_owned(),
        "top_decile_lift" => "lift of the riskiest tenth".to_owned(),
        other => match other.strip_prefix("gain_over_") {
            Some(baseline) => format!("gain over {}", wording::verdict::simple_baseline(baseline)),
            None => other.replace('_', " "),
        },
    }
}

/// Every figure beside the card's.
fn promises(h: &LaterHorizon) -> Table {
    let mut table = Table::new(&["", "found", "card", "difference", ""]);
    for Promise {
        metric,
        found,
        promised,
        difference,
        standing,
    } in &h.promises
    {
        table.push(vec![
            metric_name(metric),
            span(*found),
            promised.map_or("-".to_owned(), span),
            difference.map_or("-".to_owned(), signed_span),
            standing.map_or("-", Standing::name).to_owned(),
        ]);
    }
    table
}

/// The evaluation as GitHub's Markdown, for the summary of a job or a comment.
pub fn markdown(judged: &LaterEvaluation) -> String {
    let mut out = format!("## {}\n", escaped(&head(judged)));
    for h in &judged.horizons {
        let title = escaped(&horizon_title(h));
        let conclusion = escaped(&conclusion(judged, h));
        out += &format!("\n### {title}\n\n{conclusion}\n");
        if let Some(e) = &h.evaluation {
            out += &format!("\n{}\n\n{}", escaped(&tested(e)), promises(h).markdown());
            out += &format!("\n{}", slices(e).markdown());
        }
    }
    for note in &judged.notes {
        out += &format!("\n> {}\n", escaped(note));
    }
    out
}

/// How many users were judged, and how far the model beats its baselines.
fn tested(e: &Evaluation) -> String {
    let verdict = e.verdict.as_ref().map(|v| wording::verdict(v, e));
    let verdict = verdict.map(|sentence| format!(" {sentence}."));
    format!(
        "{} at {}, churn {}.{}",
        counted(e.users, "user"),
        e.test,
        plain_percent(e.churn_rate),
        verdict.unwrap_or_default()
    )
}

fn slices(e: &Evaluation) -> Table {
    let mut table = Table::new(&["users", "number", "churn", "predicted", "AUC", "bias"]);
    for slice in &e.slices {
        let metrics = slice.metrics.as_ref();
        let auc = metrics.and_then(|m| m.auc).map_or("-".to_owned(), span);
        table.push(vec![
            format!("{}: {}", slice.dimension, slice.name),
            slice.users.to_string(),
            plain_percent(slice.churn_rate),
            plain_percent(slice.predicted),
            auc,
            metrics.map_or("-".to_owned(), |m| signed_span(m.bias)),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::fixture::judged;
    use super::*;

    #[test]
    fn the_conclusion_names_what_got_worse_and_why_a_horizon_was_not_judged() {
        let judged = judged();
        let said = |k: usize| conclusion(&judged, &judged.horizons[k]);
        assert!(said(0).starts_with("Within what the card promised: log loss 0."));
        assert!(said(0).contains("on the card 50.0 %)"), "{}", said(0));
        assert!(
            said(0).ends_with("Worse than on the card: bias."),
            "{}",
            said(0)
        );
        assert!(
            said(1).contains("The labels of 2011-10-10 are not complete for the 90-day model: its window lasts until 2012-01-07"),
            "{}",
            said(1)
        );
    }

    #[test]
    fn the_text_has_every_figure_and_nothing_unwritten() {
        let mut judged = judged();
        judged.out_of_time = false;
        judged.notes = vec!["Not out of time: x.".to_owned()];
        let text = text(&judged);
        assert!(text.starts_with(
            "Model 0123456789ab, fitted as of 2011-09-01, judged at 2011-10-10 (not out of time)\n"
        ));
        assert!(text.contains("gain over BG/NBD") && text.contains("Note: Not out of time"));
        assert!(!text.contains("NaN"), "{text}");
    }

    /// Names from a log are neither a cell of their own nor a link.
    #[test]
    fn names_are_no_markup_in_markdown() {
        let mut judged = judged();
        let e = judged.horizons[0].evaluation.as_mut().unwrap();
        let columns = |text: &str| {
            let rows = text
                .lines()
                .filter(|l| l.starts_with("| ") && l.contains("evil"));
            let bare = rows.map(|l| l.replace("\\|", "")).collect::<Vec<_>>();
            assert_eq!(bare.len(), 1);
            bare[0].matches('|').count()
        };
        e.slices[0].name = "evil".to_owned();
        let plain = columns(&markdown(&judged));
        let e = judged.horizons[0].evaluation.as_mut().unwrap();
        e.slices[0].name = "a|b\n| [evil](http://x) <img>".to_owned();
        let text = markdown(&judged);
        assert_eq!(columns(&text), plain);
        assert!(
            !text.contains("[evil]") && !text.contains("<img>"),
            "{text}"
        );
    }
}
