//! A user's weeks as columns of a terminal.

use crate::explain::timeline::horizons_of;
use crate::explain::{UserExplanation, Week};
use crate::features::percent;
use crate::report::lines::{Line, Tone, left, width_of, wrapped};

/// From nothing to the most.
const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Columns of the names.
const NAME_COLUMNS: usize = 16;
/// What stands where there is no score.
const NO_SCORE: char = '·';

/// A row for the activity and one for each horizon's risk; a column is a week. Of more weeks than fit the newest are shown.
pub(crate) fn weeks(explanation: &UserExplanation, width: usize) -> Vec<Line> {
    let all = &explanation.timeline;
    let fit = width.saturating_sub(NAME_COLUMNS + 2).max(1);
    let shown = &all[all.len().saturating_sub(fit)..];
    let (Some(first), Some(last)) = (shown.first(), shown.last()) else {
        return Vec::new();
    };
    let heading = format!(
        "{} weeks from {} to {}, a column each; risk as known at the end of each",
        shown.len(),
        first.from,
        last.as_of.plus(-1)
    );
    let mut lines = wrapped(Tone::Heading, &heading, width);
    lines.extend(activity(shown, width));
    let horizons = horizons_of(shown).into_iter();
    lines.extend(horizons.flat_map(|days| risk(shown, days, width)));
    lines
}

fn activity(weeks: &[Week], width: usize) -> Vec<Line> {
    let most = weeks.iter().map(|week| week.active_days).max().unwrap_or(0);
    let columns = weeks
        .iter()
        .map(|week| level(f64::from(week.active_days) / f64::from(most.max(1))));
    let row =
        Line::new(Tone::Plain, name("active days")).with(Tone::Lowers, columns.collect::<String>());
    let days = if most == 1 { "day" } else { "days" };
    with_note(row, &format!("at most {most} {days} in a week"), width)
}

fn risk(weeks: &[Week], horizon_days: u16, width: usize) -> Vec<Line> {
    let risks: Vec<Option<f64>> = weeks
        .iter()
        .map(|week| week.risk(horizon_days).map(|h| h.churn_probability))
        .collect();
    let column = |risk: &Option<f64>| risk.map_or(NO_SCORE, level);
    let row = Line::new(Tone::Plain, name(&format!("risk, {horizon_days} days")))
        .with(Tone::Raises, risks.iter().map(column).collect::<String>());
    let known: Vec<f64> = risks.iter().flatten().copied().collect();
    let (Some(first), Some(last)) = (known.first(), known.last()) else {
        return vec![row];
    };
    let note = format!(
        "{} at first, {} at last{}",
        percent(*first),
        percent(*last),
        if known.len() < risks.len() {
            format!("; {NO_SCORE} without a score")
        } else {
            String::new()
        }
    );
    with_note(row, &note, width)
}

/// A row with a note below it, in line with its columns where there is room.
fn with_note(row: Line, note: &str, width: usize) -> Vec<Line> {
    let indent = " ".repeat(NAME_COLUMNS + 2);
    let mut lines = vec![row];
    if width_of(&indent) + width_of(note) <= width {
        lines.push(Line::new(Tone::Faint, indent + note));
    } else {
        lines.extend(wrapped(Tone::Faint, note, width));
    }
    lines
}

fn name(text: &str) -> String {
    format!("  {}", left(text, NAME_COLUMNS))
}

/// A block that is as high as a share from 0 to 1; anything above 0 is seen.
fn level(share: f64) -> char {
    let level = (share * 8.0).round().clamp(0.0, 8.0) as usize;
    LEVELS[level.max(usize::from(share > 0.0))]
}
