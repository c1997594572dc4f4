//! Whether a potential user will convert, and why.

use serde::Serialize;

use super::answer::{Answer, Contribution};
use super::sentences::{both_ways, why_not_scored, window};
use crate::features::percent;
use crate::history::{Day, HistoryView};
use crate::model::{Bundle, ConversionModel, HorizonScore, ModelError, Predictor};

/// The answer of the model of conversion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConversionAnswer {
    /// Whether the user is a potential one, who is asked about.
    pub is_potential: bool,
    /// Why the user is none, with the dates, in a sentence.
    pub why_not_potential: Option<String>,
    /// One for each horizon of conversion, shortest first; none for who is no potential user.
    pub horizons: Vec<ConversionHorizon>,
}

/// The answer for one horizon of conversion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConversionHorizon {
    /// The horizon in days.
    pub horizon_days: u16,
    /// The first day that counts: the as-of day plus the lead.
    pub from: Day,
    /// The last day that counts.
    pub last: Day,
    /// Probability of conversion.
    pub conversion_probability: f64,
    /// Log-odds of the probability: `base_log_odds` plus all contributions.
    pub log_odds: f64,
    /// Log-odds of the average potential user.
    pub base_log_odds: f64,
    /// What each feature group adds, by decreasing size; positive makes conversion likelier.
    pub reasons: Vec<Contribution>,
}

impl ConversionAnswer {
    /// The answer on a user as of a day; `None` for a bundle without a model of conversion. `predictor` and the records are of
    /// histories whose kinds are `kinds`.
    ///
    /// # Errors
    /// Those of [`Predictor::conversion`].
    pub(crate) fn new(
        bundle: &Bundle,
        predictor: &mut Predictor<'_>,
        kinds: &[String],
        (history, as_of): (HistoryView<'_>, Day),
    ) -> Result<Option<Self>, ModelError> {
        let Some(part) = bundle.conversion() else {
            return Ok(None);
        };
        let eligibility = part.eligibility(kinds);
        if let Err(reason) = eligibility.at(history, as_of) {
            let why = why_not_scored(part, &eligibility, history, as_of, reason);
            return Ok(Some(Self {
                is_potential: false,
                why_not_potential: Some(why),
                horizons: Vec::new(),
            }));
        }
        let scores = predictor.conversion(history, as_of, usize::MAX)?;
        let from = as_of.plus(part.spec().lead_days as i32);
        let horizons = scores.into_iter().flatten();
        Ok(Some(Self {
            is_potential: true,
            why_not_potential: None,
            horizons: horizons.map(|score| horizon(from, score)).collect(),
        }))
    }
}

fn horizon(from: Day, score: HorizonScore<'_>) -> ConversionHorizon {
    let HorizonScore {
        horizon_days,
        probability,
        // Bands are those of churn.
        band: _,
        log_odds,
        base_log_odds,
        reasons,
        other_contribution: _,
    } = score;
    ConversionHorizon {
        horizon_days,
        from,
        last: from.plus(i32::from(horizon_days) - 1),
        conversion_probability: probability,
        log_odds,
        base_log_odds,
        reasons: reasons.into_iter().map(Contribution::from).collect(),
    }
}

/// The sentences of an answer; none for a bundle without a model of conversion.
pub(crate) fn of_answer(bundle: &Bundle, user: &str, answer: &Answer) -> Vec<String> {
    let (Some(part), Some(model)) = (&answer.conversion, &bundle.spec().conversion) else {
        return Vec::new();
    };
    if let Some(why) = &part.why_not_potential {
        return vec![format!("{user} is no potential user: {why}.")];
    }
    let likely = part.horizons.iter().map(|h| {
        format!(
            "{user} is a potential user, and {} likely to convert, with {} {}.",
            percent(h.conversion_probability),
            events(model),
            window(h.horizon_days, h.from, h.last)
        )
    });
    let mut sentences: Vec<String> = likely.collect();
    if let Some(first) = part.horizons.first() {
        let headings = ["Makes conversion likelier", "Makes it less likely"];
        sentences.extend(both_ways(&first.reasons, headings));
    }
    sentences
}

/// What supposed events change; none for a bundle without a model of conversion.
pub(crate) fn of_change(bundle: &Bundle, before: &Answer, after: &Answer) -> Vec<String> {
    let (Some(before), Some(after)) = (&before.conversion, &after.conversion) else {
        return Vec::new();
    };
    let Some(model) = &bundle.spec().conversion else {
        return Vec::new();
    };
    match (&before.why_not_potential, &after.why_not_potential) {
        (None, None) => {
            let pairs = before.horizons.iter().zip(&after.horizons);
            let moved = pairs.map(|(before, after)| {
                format!(
                    "The probability of {} {} goes from {} to {} (log-odds {:+.2} to {:+.2}).",
                    events(model),
                    window(after.horizon_days, after.from, after.last),
                    percent(before.conversion_probability),
                    percent(after.conversion_probability),
                    before.log_odds,
                    after.log_odds
                )
            });
            moved.collect()
        }
        (None, Some(why)) => vec![format!(
            "With them the user is no potential user any more: {why}."
        )],
        (Some(_), None) => vec!["With them the user is a potential user.".to_owned()],
        (Some(_), Some(_)) => Vec::new(),
    }
}

/// The event that is conversion: ``an event `purchase` ``.
fn events(model: &ConversionModel) -> String {
    format!("an event `{}`", model.event.join("` or `"))
}
