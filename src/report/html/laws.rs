//! How often users are active: laws by stage and tier, what is often said of them, and turning points of tenure.

use maud::{Markup, html};

use super::axis::{Axis, digits, round_step};
use super::plot::Plot;
use super::text::capital;
use super::value::{table, wide};
use super::{figure, no_figure};
use crate::card::{Card, LawsCard, StratumCard, TenureCard};
use crate::report::number::{decimals, thousands};
use crate::report::wording::laws::{
    claim, finding, law, name, p_value, rhythm, series, silence, stratum, turning, window, withheld,
};

/// The content of the section; `None` where the card has no laws.
pub(crate) fn section(card: &Card) -> Option<Markup> {
    let laws = card.laws.as_ref()?;
    Some(html! {
        (strata(laws))
        div.pair { @for series in &laws.series { (tenure(series)) } }
        div.notes {
            h3 { "What is often said" }
            ul {
                @for c in &laws.claims {
                    li { (claim(c)) ": " b { (finding(c.finding)) } ": " (c.reason) "." }
                }
            }
        }
    })
}

fn strata(laws: &LawsCard) -> Markup {
    let heading = "Which laws do active days and gaps follow?";
    if laws.strata.is_empty() {
        let reason = withheld(laws).unwrap_or_else(|| "No user was active before.".to_owned());
        return no_figure(heading, &reason);
    }
    let rows: Vec<Vec<String>> = laws.strata.iter().map(row).collect();
    let content = html! {
        (wide("Laws by stage and tier", table(&HEADINGS, &rows)))
        details.others {
            summary { "In sentences" }
            ul { @for s in &laws.strata { li { (stratum(s)) } } }
        }
    };
    let caption = html! {
        (window(laws)) ". The law is the nearest of four by AIC; it is adequate where p is above 0.05."
        @if let Some(withheld) = withheld(laws) { " " (withheld) }
    };
    figure("", heading, content, caption)
}

const HEADINGS: [&str; 8] = [
    "users of",
    "users",
    "law of active days",
    "adequate?",
    "law of gaps",
    "adequate?",
    "silence",
    "rhythm",
];

fn row(s: &StratumCard) -> Vec<String> {
    let unknown = || decimals(f64::NAN, 0);
    let p = |p: Option<f64>| p.map_or_else(unknown, p_value);
    let best = |best: Option<&crate::card::LawCard>| best.map_or_else(unknown, law);
    let gaps = s.gaps.as_ref();
    let of = |interval: Option<String>| interval.unwrap_or_else(unknown);
    vec![
        capital(&name(&s.name)),
        thousands(s.users),
        best(s.counts.laws.first()),
        p(s.counts.p_adequate),
        best(gaps.and_then(|gaps| gaps.laws.first())),
        p(gaps.and_then(|gaps| gaps.p_adequate)),
        of(gaps.and_then(|gaps| gaps.weibull_shape.as_ref().map(silence))),
        of(gaps.and_then(|gaps| gaps.regularity.as_ref().map(rhythm))),
    ]
}

/// A series with the rates between its turning points.
fn tenure(card: &TenureCard) -> Markup {
    let heading = format!("{} by week of tenure", capital(series(card.series)));
    let rates: Vec<(f64, f64)> = card
        .events
        .iter()
        .zip(&card.users)
        .zip(card.first_week..)
        .map(|((events, users), week)| (f64::from(week), *events as f64 / *users as f64))
        .collect();
    let (Some(first), Some(last)) = (rates.first(), rates.last()) else {
        return no_figure(&heading, "No week of tenure has enough users.");
    };
    let highest = rates.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
    let places = digits(round_step(highest.max(1e-6) / 4.0));
    let mut plot = Plot::new(
        format!("laws-{:?}", card.series).to_lowercase(),
        heading.clone(),
        Axis::new(first.0, last.0, "week of tenure", |week| decimals(week, 0)),
        Axis::new(0.0, highest, "in a week", |rate| decimals(rate, places)),
    );
    let weeks = rates.iter().zip(&card.users);
    for (point, users) in weeks {
        let text = format!(
            "week {}: {} of {}",
            point.0,
            decimals(point.1, 3),
            thousands(*users)
        );
        plot.dot(*point, 2.5, "arppu", &text);
    }
    let ends: Vec<f64> = card
        .points
        .iter()
        .map(|p| f64::from(p.week) - 0.5)
        .collect();
    let starts = std::iter::once(first.0).chain(ends.iter().copied());
    let stops = ends.iter().copied().chain([last.0]);
    let levels = card
        .points
        .iter()
        .map(|p| p.before)
        .chain(card.points.last().map(|p| p.after));
    for ((start, stop), level) in starts.zip(stops).zip(levels) {
        plot.line(&[(start, level), (stop, level)], "arpu");
    }
    let sentence = capital(&turning(card));
    let content = plot.finish(&sentence);
    figure("", &heading, content, html! { (sentence) })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::laws::laws;
    use super::super::render;
    use super::super::tests::{card, plain};
    use super::*;

    #[test]
    fn a_card_with_laws_has_a_section_on_them() {
        let mut card = card();
        assert!(section(&card).is_none() && !render(&card).contains("id=\"laws\""));
        card.laws = Some(laws());
        let page = render(&card);
        assert!(page.contains("<section id=\"laws\"") && page.contains("href=\"#laws\""));
        assert!(page.contains("&lt;gold&gt; &amp; more") && !page.contains("<gold>"));
        let text = plain(section(&card).unwrap());
        for part in [
            "negative binomial (r = 0.40, mean = 2.1)",
            "Pareto distribution early (acquisition): refuted: from 3 active days on",
            "Normal distribution late (mature): undecided: the stage has fewer than 30 users.",
            "Withheld, because they are fewer than 30 users, or would give such a group away: mature.",
            "the longer the silence, the less likely a return (Weibull shape 0.81, 0.75 to 0.88)",
            "from 0.898 to 0.437 a week with week 5 (4 to 6), p = 0.004",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn what_is_missing_has_its_reason() {
        let mut card = card();
        let mut laws = laws();
        laws.strata.clear();
        laws.series[0].users.clear();
        card.laws = Some(laws);
        let text = plain(section(&card).unwrap());
        assert!(
            text.contains("fewer than 30 users, or would give such a group away: mature"),
            "{text}"
        );
        assert!(
            text.contains("No week of tenure has enough users."),
            "{text}"
        );
        assert!(!text.contains("NaN"), "{text}");
    }
}
