//! The page of a bundle that was judged on a later day.

use maud::{Markup, html};

use super::text::{capital, nowrap};
use super::{Section, baseline_comparison, calibration, gains, horizon, metric_tiles, slices};
use crate::card::{BaselineSource, Interval, LaterEvaluation, LaterHorizon, Promise, Standing};
use crate::report::later::evaluation::{FROM_BUNDLE, conclusion, head, horizon_title, metric_name};
use crate::report::number::{THIN, counted, counted_share, decimals, signed};
use crate::report::wording;

/// The page: a whole HTML document.
pub fn render(judged: &LaterEvaluation) -> String {
    let footer = html! {
        footer {
            "Ebb " (judged.ebb_version) " · intervals are 95" (THIN) "% bootstrap intervals over users"
        }
    };
    super::document(
        &format!("Churn model judged at {}", judged.as_of),
        header(judged),
        &sections(judged),
        footer,
    )
}

fn header(judged: &LaterEvaluation) -> Markup {
    html! {
        header {
            p.eyebrow { "Churn model on later data" }
            h1 { (super::summary::question(&judged.label_definition)) }
            p.lede { (head(judged)) "." }
            ul.headline {
                @for h in &judged.horizons {
                    @let badge = badge(h);
                    li class={ "badge " (badge.0) } { (h.horizon_days) " days: " (badge.1) }
                }
                @if !judged.out_of_time { li.badge.bad { "Not out of time" } }
            }
            (facts(judged))
        }
    }
}

fn facts(judged: &LaterEvaluation) -> Markup {
    let users = judged.horizons.iter();
    let users = users.filter_map(|h| h.evaluation.as_ref()).map(|e| e.users);
    super::facts([
        ("Model", html! { (judged.model.version) }),
        ("Fitted as of", nowrap(judged.model.fitted_as_of)),
        ("Judged at", nowrap(judged.as_of)),
        (
            "Users",
            html! { (counted(users.max().unwrap_or(0), "user")) },
        ),
    ])
}

/// The colours and the words of a standing.
fn badge(h: &LaterHorizon) -> (&'static str, &'static str) {
    match (h.standing, &h.evaluation) {
        (Some(Standing::Better), _) => ("good", "better than the card"),
        (Some(Standing::Within), _) => ("good", "as the card promised"),
        (Some(Standing::Worse), _) => ("bad", "worse than the card"),
        (None, Some(_)) => ("doubtful", "nothing was promised"),
        (None, None) => ("doubtful", "not judged"),
    }
}

fn sections(judged: &LaterEvaluation) -> [Section; 3] {
    let all = judged.horizons.iter().map(|h| (h.horizon_days, h));
    let all: Vec<(u16, &LaterHorizon)> = all.collect();
    let panels = |prefix, content: fn(&LaterHorizon) -> Markup| {
        horizon::panels_of(&all, prefix, |h| match h.evaluation {
            Some(_) => content(h),
            None => html! { p.card.empty { (conclusion(judged, h)) } },
        })
    };
    [
        Section {
            id: "verdict",
            name: "Verdict",
            heading: "Did the model keep what its card promised?",
            content: html! { (verdicts(judged)) (panels('p', promises)) },
        },
        Section {
            id: "evidence",
            name: "Evidence",
            heading: "How good is the model on this day?",
            content: panels('h', evidence),
        },
        Section {
            id: "budget",
            name: "Budget",
            heading: "What would a contact budget have reached?",
            content: panels('b', |h| match &h.evaluation {
                Some(e) => gains::figure(h.horizon_days, e),
                None => html! {},
            }),
        },
    ]
}

fn verdicts(judged: &LaterEvaluation) -> Markup {
    html! {
        ul.verdicts { @for h in &judged.horizons { (verdict(judged, h)) } }
        @if !judged.notes.is_empty() {
            div.notes { h3 { "Notes" } ul { @for note in &judged.notes { li { (note) } } } }
        }
    }
}

fn verdict(judged: &LaterEvaluation, h: &LaterHorizon) -> Markup {
    let (class, words) = badge(h);
    html! {
        li.card {
            h3 { (h.horizon_days) " days" }
            span class={ "badge " (class) } { (capital(words)) }
            p { (conclusion(judged, h)) }
            @if let Some(e) = &h.evaluation {
                p {
                    "Of " (counted(e.users, "user")) " on " (nowrap(e.test)) ", "
                    strong { (counted_share(e.churn_rate)) } " churned within " (h.horizon_days) " days. "
                    @if let Some(verdict) = &e.verdict { (wording::verdict(verdict, e)) "." }
                }
            }
        }
    }
}

/// The figures beside those of the card.
fn promises(h: &LaterHorizon) -> Markup {
    let span = |i: Interval| {
        let [value, low, high] = [i.value, i.low, i.high].map(|v| decimals(v, 4));
        html! { (value) " (" (low) " to " (high) ")" }
    };
    let cell = |i: Option<Interval>| i.map_or_else(|| html! { "–" }, span);
    let row = |p: &Promise| {
        let difference = p.difference.map(|d| signed(d.value, 4));
        html! {
            tr {
                th scope="row" { (capital(&metric_name(&p.metric))) }
                td { (span(p.found)) }
                td { (cell(p.promised)) }
                td { (difference.unwrap_or_else(|| "–".to_owned())) }
                td { (standing(p.standing)) }
            }
        }
    };
    let table = html! {
        table.plain {
            thead { tr { th {} th { "found" } th { "on the card" } th { "difference" } th {} } }
            tbody { @for p in &h.promises { (row(p)) } }
        }
    };
    let caption = html! {
        (horizon_title(h)) ". A figure is within the promise where the interval of its difference to the card's contains 0; \
        of bias and of the calibration line it is the distances from their ideal that are compared."
    };
    super::figure("", "What was promised, and what came?", table, caption)
}

/// A standing in a word, coloured where it is not as promised.
fn standing(standing: Option<Standing>) -> Markup {
    let Some(standing) = standing else {
        return html! { "–" };
    };
    let class = match standing {
        Standing::Better => "good",
        Standing::Within => return html! { (standing.name()) },
        Standing::Worse => "bad",
    };
    html! { span class={ "badge " (class) } { (standing.name()) } }
}

fn evidence(h: &LaterHorizon) -> Markup {
    let Some(e) = &h.evaluation else {
        return html! {};
    };
    html! {
        (metric_tiles::tiles(e))
        p.aside {
            "Measured on " (nowrap(e.test)) " on the users that the model scores then. "
            @match h.baselines_from {
                Some(BaselineSource::Bundle) => { (FROM_BUNDLE) }
                _ => { "Baselines were fitted on what the log held before that day, on other users." }
            }
        }
        div.pair {
            (calibration::figure(h.horizon_days, e))
            (baseline_comparison::figure(&[], e))
        }
        (slices::figures(e))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::plain;
    use super::*;
    use crate::report::later::fixture::judged;

    #[test]
    fn the_page_says_what_was_promised_and_what_was_not_judged() {
        let page = render(&judged());
        assert!(page.contains("30 days: as the card promised"), "no badge");
        assert!(page.contains("90 days: not judged"), "no badge");
        assert_eq!(page.matches("class=\"badge bad\">worse").count(), 1);
        assert!(page.contains("are not complete for the 90-day model"));
        let mut ids: Vec<&str> = page.split(" id=\"").skip(1).collect();
        ids = ids
            .iter()
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert!(all > 10 && ids.len() == all, "an id is there twice");
        let (body, _) = page.split_once("<script>").unwrap();
        assert!(!body.contains("NaN") && !body.contains(">inf"));
    }

    #[test]
    fn names_of_data_never_become_markup() {
        let mut judged = judged();
        let evil = "</title></script><img src=x onerror=alert(1)>\"'";
        judged.model.version = evil.into();
        judged.notes = vec![evil.into()];
        let e = judged.horizons[0].evaluation.as_mut().unwrap();
        e.slices
            .iter_mut()
            .for_each(|slice| slice.name = evil.into());
        judged.label_definition.activity = vec![evil.into()];
        let page = render(&judged);
        assert!(
            page.matches("&lt;img src=x").count() > 5,
            "no text from data"
        );
        assert!(!page.contains("<img") && page.matches("</script>").count() == 1);
    }

    #[test]
    fn a_model_whose_card_promised_nothing_has_no_standing() {
        let mut judged = judged();
        let h = &mut judged.horizons[0];
        h.standing = None;
        for p in &mut h.promises {
            (p.promised, p.difference, p.standing) = (None, None, None);
        }
        let text = plain(verdict(&judged, &judged.horizons[0]));
        assert!(
            text.contains("Nothing was promised")
                && text.contains("nothing was promised: log loss"),
            "{text}"
        );
    }
}
