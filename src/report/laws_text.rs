//! The laws of frequency as text for a terminal.

use std::fmt::{Result, Write};

use super::wording::laws::{claim, finding, stratum, turning, window, withheld};
use crate::card::LawsCard;

/// Each stratum in a sentence, the claims, and the turning points.
pub fn render(laws: &LawsCard) -> String {
    let mut text = String::new();
    // A String takes all that is written.
    let _ = write_laws(&mut text, laws);
    text
}

/// The same below the other figures of a card.
pub(crate) fn write_laws(out: &mut String, laws: &LawsCard) -> Result {
    let mut text = String::new();
    write_parts(&mut text, laws)?;
    // A terminal need not have the page's signs.
    out.write_str(&text.replace('−', "-"))
}

fn write_parts(out: &mut String, laws: &LawsCard) -> Result {
    writeln!(out, "{}", window(laws))?;
    for s in &laws.strata {
        writeln!(out, "  {}", stratum(s))?;
    }
    if let Some(withheld) = withheld(laws) {
        writeln!(out, "  {withheld}")?;
    }
    writeln!(out, "What is often said")?;
    for c in &laws.claims {
        writeln!(out, "  {}: {}: {}.", claim(c), finding(c.finding), c.reason)?;
    }
    writeln!(out, "Turning points by week of tenure")?;
    for series in &laws.series {
        writeln!(out, "  {}", turning(series))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::html::fixture::laws::laws;

    #[test]
    fn strata_claims_and_turning_points_are_sentences() {
        let text = render(&laws());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..2],
            [
                "Active days from 2011-11-10 to 2011-12-09, by where users stood when 2011-11-10 began",
                "  acquisition, 412 users: active days are negative binomial (r = 0.40, mean = 2.1), which is adequate \
                 (p = 0.430); from 3 days on a power law (exponent 2.2) is no better than a log-normal law (z = 0.3, \
                 p = 0.760); gaps in days are Weibull (shape = 0.81, scale = 12.3), the nearest of four but not adequate \
                 (p = 0.005); the longer the silence, the less likely a return (Weibull shape 0.81, 0.75 to 0.88); returns \
                 are clumpy (regularity 0.72, 0.66 to 0.79).",
            ]
        );
        assert_eq!(
            lines[3..],
            [
                "  Withheld, because they are fewer than 30 users, or would give such a group away: mature.",
                "What is often said",
                "  Pareto distribution early (acquisition): refuted: from 3 active days on, the power law is worse than the \
                 exponential law (z = -2.5, p = 0.012).",
                "  Normal distribution late (mature): undecided: the stage has fewer than 30 users.",
                "Turning points by week of tenure",
                "  active days of each user: from 0.898 to 0.437 a week with week 5 (4 to 6), p = 0.004.",
                "  share of users whose churn begins: no turning point in 6 weeks of tenure (p = 0.001 for the clearest, above 0.01 when \
                 corrected for all that were tried).",
            ]
        );
    }

    #[test]
    fn a_log_without_anything_to_say_is_said_so() {
        let mut laws = laws();
        laws.withheld.clear();
        laws.strata.truncate(1);
        laws.strata[0].counts.laws.clear();
        laws.strata[0].counts.tail = None;
        laws.strata[0].gaps = None;
        for series in &mut laws.series {
            series.points.clear();
        }
        laws.series[1].p_any = None;
        let text = render(&laws);
        assert!(text.contains("acquisition, 412 users: all have the same number of active days, 2; nobody came back"), "{text}");
        assert!(
            text.contains(
                "no turning point in 6 weeks of tenure (p = 0.001 for the clearest, above 0.01 when corrected for"
            ),
            "{text}"
        );
        assert!(
            text.contains("6 weeks of tenure are too few for a turning point."),
            "{text}"
        );
        assert!(!text.contains("Withheld"), "{text}");
    }
}
