//! The laws of frequency as text for a terminal.

use std::fmt::{Result, Write};

use super::wording::laws::{claim, finding, stratum, turning, window, withheld};
use crate::card::LawsCard;

/// Each stratum in a sentence, the claims, and the turning points.
pub fn render(laws: &LawsCard) -> String {
    let mut text = String::new();
    #[expect(clippy::expect_used, reason = "a String takes all that is written")]
    write_laws(&mut text, laws).expect("text");
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
        insta::assert_snapshot!(render(&laws()), @"");
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
            text.contains("no turning point in 6 weeks of tenure (p = 0.001 for the clearest)"),
            "{text}"
        );
        assert!(
            text.contains("6 weeks of tenure are too few for a turning point."),
            "{text}"
        );
        assert!(!text.contains("Withheld"), "{text}");
    }
}
