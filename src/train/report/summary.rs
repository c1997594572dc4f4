//! The head of the page: what was asked, of how many, and the answer in plain words.

use super::super::card::{Card, Evaluation, HorizonCard};
use super::super::probe::LeakageProbe;
use super::text::{any_of, count, counted, decimals, escape, nowrap, percent, points, words};

/// The page's title.
pub(super) fn title(card: &Card) -> String {
    format!("Churn model report as of {}", card.as_of)
}

/// Question, verdicts, notes and facts.
pub(super) fn header(card: &Card) -> String {
    let verdicts: String = card.horizons.iter().map(verdict).collect();
    format!(
        "<header><p class=\"eyebrow\">Churn model report</p><h1>{}</h1><p class=\"lede\">{}</p>\
         <ul class=\"verdicts\">{verdicts}</ul>{}{}{}</header>",
        escape(&question(card)),
        escape(&asked(card)),
        notes(&card.notes),
        facts(card),
        probed(&card.leakage_probe),
    )
}

/// Where the page comes from.
pub(super) fn footer(card: &Card) -> String {
    format!(
        "<footer>Ebb {} · data {} · seed {} · intervals are 95{}% bootstrap intervals over users</footer>",
        escape(&card.ebb_version),
        escape(&short_hash(card)),
        card.seed,
        super::text::THIN,
    )
}

/// The churn question as a sentence.
fn question(card: &Card) -> String {
    let q = &card.question;
    let horizons: Vec<String> = q.horizon_days.iter().map(u16::to_string).collect();
    let when = match q.lead_days {
        0 => format!("in the next {} days", any_of(&horizons)),
        lead => format!("in the {} days that start {} later", any_of(&horizons), counted(u64::from(lead), "day")),
    };
    match &q.churn_event {
        Some(event) => format!("Which users will reach “{}” {when}?", words(event)),
        None => format!("Which users will have no {} {when}?", activity(card)),
    }
}

fn activity(card: &Card) -> String {
    any_of(&card.question.activity.iter().map(|a| words(a)).collect::<Vec<_>>())
}

/// Who was asked about.
fn asked(card: &Card) -> String {
    let days = u64::from(card.question.active_within_days);
    format!("Asked of every user with {} in the {} before.", article(&activity(card)), counted(days, "day"))
}

fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// How a model did, in a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grade {
    Good,
    Doubtful,
    Bad,
}

impl Grade {
    fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Doubtful => "doubtful",
            Self::Bad => "bad",
        }
    }
}

/// Probabilities that are off by more than this are worth a warning.
const ECE_DOUBTFUL: f64 = 0.05;

fn grade(evaluation: Option<&Evaluation>) -> (Grade, &'static str) {
    let Some(e) = evaluation else { return (Grade::Doubtful, "Not tested") };
    let loss = e.model.log_loss.value;
    let no_better_than = |name| e.rival(name).is_some_and(|r| loss >= r.metrics.log_loss.value);
    if no_better_than("base_rate") || e.model.auc.low <= 0.5 {
        (Grade::Bad, "No better than one probability for everyone")
    } else if no_better_than("recency_only") {
        (Grade::Doubtful, "No better than recency alone")
    } else if e.model.ece.value > ECE_DOUBTFUL {
        (Grade::Doubtful, "Better than its baselines, probabilities off")
    } else {
        (Grade::Good, "Better than its baselines")
    }
}

/// The verdict on one horizon, in a few plain sentences.
fn verdict(h: &HorizonCard) -> String {
    let (grade, badge) = grade(h.evaluation.as_ref());
    let said = h.evaluation.as_ref().map_or_else(|| escape(&untested(h)), |e| tested(h, e));
    format!(
        "<li class=\"card\"><h2>{} days</h2><span class=\"badge {}\">{badge}</span><p>{}</p></li>",
        h.horizon_days,
        grade.class(),
        said
    )
}

/// Why there are no figures.
pub(super) fn untested(h: &HorizonCard) -> String {
    format!(
        "The log is too short to judge this model on a later date, so nobody knows yet how good it is. \
         It was fitted on {} with a churn rate of {}.",
        counted(h.rows, "row"),
        percent(h.churn_rate)
    )
}

/// The figures of one horizon in sentences, as HTML.
fn tested(h: &HorizonCard, e: &Evaluation) -> String {
    let mut said = format!(
        "Of {} on {}, {} left within {} days.",
        counted(e.users, "user"),
        nowrap(e.test),
        strong(&percent(e.churn_rate)),
        h.horizon_days
    );
    if let Some(share) = e.gains.get(19) {
        said.push_str(&format!(
            " The riskiest {} of users hold {} of the churners, {} times their share; probabilities are off by {} on \
             average.",
            percent(0.2),
            strong(&percent(*share)),
            decimals(share / 0.2, 1),
            strong(&format!("{} points", points(e.model.ece.value))),
        ));
        let bias = e.model.bias;
        // Which way they are off is only said where most of the error goes one way, and not by chance.
        if bias.value.abs() > e.model.ece.value / 2.0 && bias.low * bias.high > 0.0 {
            said = said.trim_end_matches('.').to_owned();
            said.push_str(if bias.value > 0.0 { ", mostly too high." } else { ", mostly too low." });
        }
    }
    said.push_str(&against_baselines(e));
    said
}

fn strong(text: &str) -> String {
    format!("<strong>{}</strong>", escape(text))
}

fn against_baselines(e: &Evaluation) -> String {
    let against = |name: &str, words: &str| {
        let theirs = e.rival(name)?.metrics.log_loss.value;
        let gain = 1.0 - e.model.log_loss.value / theirs;
        let way = if gain >= 0.0 { "below" } else { "above" };
        gain.is_finite().then(|| format!("{} {way} that of {words}", percent(gain.abs())))
    };
    let all = [against("base_rate", "the base rate"), against("recency_only", "recency alone")];
    let all: Vec<String> = all.into_iter().flatten().collect();
    if all.is_empty() { String::new() } else { format!(" Its log loss is {}.", all.join(" and ")) }
}

fn notes(notes: &[String]) -> String {
    if notes.is_empty() {
        return String::new();
    }
    let items: String = notes.iter().map(|n| format!("<li>{}</li>", escape(n))).collect();
    format!("<div class=\"notes\"><h2>Good to know</h2><ul>{items}</ul></div>")
}

fn facts(card: &Card) -> String {
    let days = i64::from(card.last_day.since(card.first_day)) + 1;
    let rows: Vec<String> =
        card.horizons.iter().map(|h| format!("{} ({} days)", count(h.rows), h.horizon_days)).collect();
    let facts = [
        ("As of", nowrap(card.as_of)),
        ("Log", format!("{} to {}", nowrap(card.first_day), nowrap(card.last_day))),
        ("Days", count(days.max(0) as u64)),
        ("Users", count(card.users)),
        ("Records (user, day, kind)", count(card.records)),
        ("Data hash", escape(&short_hash(card))),
        ("Rows fitted", rows.join(", ")),
    ];
    let items: String =
        facts.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>")).collect();
    format!("<dl class=\"facts\">{items}</dl>")
}

/// What was done to make sure that no feature looks ahead.
fn probed(probe: &LeakageProbe) -> String {
    format!(
        "<p class=\"aside\">No feature saw the future: {} of {} at {} were held against futures that were deleted, \
         shuffled and invented.</p>",
        counted(probe.comparisons, "vector"),
        counted(probe.users, "user"),
        counted(probe.dates, "date"),
    )
}

fn short_hash(card: &Card) -> String {
    card.data_hash.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::metrics::Interval;
    use super::super::tests::card;
    use super::*;

    #[test]
    fn the_question_is_a_sentence() {
        let mut card = card();
        assert_eq!(question(&card), "Which users will have no purchase in the next 30 or 90 days?");
        assert_eq!(asked(&card), "Asked of every user with a purchase in the 180 days before.");
        card.question.lead_days = 1;
        card.question.churn_event = Some("plan_cancel".into());
        assert_eq!(
            question(&card),
            "Which users will reach “plan cancel” in the 30 or 90 days that start 1 day later?"
        );
    }

    #[test]
    fn the_head_says_how_far_the_probe_for_leaks_went() {
        let head = header(&card());
        assert!(head.contains("No feature saw the future: 7,131 vectors of 200 users at 12 dates were held"), "{head}");
    }

    #[test]
    fn the_grade_is_never_better_than_the_figures() {
        let card = card();
        let mut e = card.horizons[0].evaluation.clone().unwrap();
        assert_eq!(grade(Some(&e)).0, Grade::Good);
        e.model.ece.value = 0.06;
        assert_eq!(grade(Some(&e)), (Grade::Doubtful, "Better than its baselines, probabilities off"));
        e.model.log_loss.value = e.rival("recency_only").unwrap().metrics.log_loss.value;
        assert_eq!(grade(Some(&e)), (Grade::Doubtful, "No better than recency alone"));
        e.model.log_loss.value = e.rival("base_rate").unwrap().metrics.log_loss.value;
        assert_eq!(grade(Some(&e)).0, Grade::Bad);
        assert_eq!(grade(None), (Grade::Doubtful, "Not tested"));
    }

    #[test]
    fn the_verdict_reads_as_a_sentence() {
        let card = card();
        let said = verdict(&card.horizons[0]).replace(super::super::text::THIN, " ");
        let said = said.replace("<strong>", "").replace("</strong>", "");
        assert!(said.contains("The riskiest 20 % of users hold 38 % of the churners, 1.9 times their share"), "{said}");
        assert!(said.contains("off by 0.8 points on average. Its"), "{said}");
        assert!(said.contains("below that of the base rate and"), "{said}");
        let mut biased = card.horizons[0].clone();
        let e = biased.evaluation.as_mut().unwrap();
        e.model.bias = Interval { value: -0.007, low: -0.012, high: -0.002 };
        assert!(verdict(&biased).contains("on average, mostly too low. Its"));
    }
}
