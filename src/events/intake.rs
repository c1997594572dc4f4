use super::EventsError;
use super::config::OnBadRow;
use super::duplicates::Duplicates;
use super::quality::{FileQuality, PLACES_SHOWN, Place, QualityReport, RefusedRows};
use super::reason::{Refusal, RefusalReason};
use super::render::render_refused;
use crate::history::{Amount, Day, DayRecord, Histories, HistoriesBuilder, HistoryError, RollupRead};

/// Takes in the events of all files and counts what is kept and what is not.
pub(super) struct Intake {
    builder: HistoriesBuilder,
    until: Option<Day>,
    on_bad_row: OnBadRow,
    pub(super) duplicates: Duplicates,
    pub(super) report: QualityReport,
    /// The first and last day of all rows that have one, kept or not.
    span: Option<(Day, Day)>,
    /// By the kinds' numbers; without a name for those that only roll-ups have.
    kinds: Vec<KindSeen>,
}

#[derive(Default)]
struct KindSeen {
    name: String,
    /// Events below zero.
    negative: u64,
}

/// Most logs have few kinds, which are found faster by comparing than by hashing.
const COMPARED_KINDS: usize = 16;

impl Intake {
    pub(super) fn new(until: Option<Day>, on_bad_row: OnBadRow) -> Self {
        Self {
            builder: HistoriesBuilder::default(),
            until,
            on_bad_row,
            duplicates: Duplicates::default(),
            report: QualityReport::default(),
            span: None,
            kinds: Vec::new(),
        }
    }

    /// Takes note of a row's day; whether it lies before the as-of day, so that the rest of the row may be seen.
    pub(super) fn admits(&mut self, day: Day) -> bool {
        self.widen(day, day);
        let before = self.until.is_none_or(|until| day < until);
        self.report.rows_after_as_of += u64::from(!before);
        before
    }

    fn widen(&mut self, from: Day, to: Day) {
        let (first, last) = self.span.unwrap_or((from, to));
        self.span = Some((first.min(from), last.max(to)));
    }

    /// Keeps one event; `None` for an amount that is mapped but empty.
    pub(super) fn keep(
        &mut self,
        user: &str,
        kind: &str,
        day: Day,
        amount: Option<Amount>,
    ) -> Result<(), HistoryError> {
        let kind = self.kind(kind)?;
        let amount = amount.unwrap_or_else(|| {
            self.report.empty_amounts += 1;
            Amount::default()
        });
        if amount < Amount::default()
            && let Some(seen) = self.kinds.get_mut(usize::from(kind))
        {
            seen.negative += 1;
        }
        self.builder.add(user, DayRecord { amount, day, count: 1, kind })?;
        self.report.events += 1;
        Ok(())
    }

    fn kind(&mut self, name: &str) -> Result<u16, HistoryError> {
        if let Some(id) = self.kinds.iter().take(COMPARED_KINDS).position(|seen| seen.name == name) {
            return Ok(id as u16);
        }
        let id = self.builder.kind(name)?;
        if self.kinds.len() <= usize::from(id) {
            self.kinds.resize_with(usize::from(id) + 1, KindSeen::default);
        }
        match self.kinds.get_mut(usize::from(id)) {
            Some(seen) if seen.name.is_empty() => name.clone_into(&mut seen.name),
            _ => {}
        }
        Ok(id)
    }

    /// Counts a refused row; an error where the configuration wants one.
    pub(super) fn refuse(
        &mut self,
        refusal: Refusal,
        file: &str,
        line: u64,
        column: String,
    ) -> Result<(), EventsError> {
        let Refusal { reason, value, expected, .. } = refusal;
        if self.on_bad_row == OnBadRow::Fail {
            return Err(EventsError::Refused { reason, place: Place::new(file, line, column, &value, &expected) });
        }
        let position = self.report.refused.iter().position(|refused| refused.reason == reason);
        let position = position.unwrap_or_else(|| {
            self.report.refused.push(RefusedRows { reason, rows: 0, first: Vec::new() });
            self.report.refused.len() - 1
        });
        if let Some(refused) = self.report.refused.get_mut(position) {
            refused.rows += 1;
            if refused.first.len() < PLACES_SHOWN {
                refused.first.push(Place::new(file, line, column, &value, &expected));
            }
        }
        Ok(())
    }

    /// Whether the next place of a refusal for `reason` is shown, so that it is worth describing.
    pub(super) fn shows(&self, reason: RefusalReason) -> bool {
        let known = self.report.refused.iter().find(|refused| refused.reason == reason);
        known.is_none_or(|refused| refused.first.len() < PLACES_SHOWN)
    }

    /// The place where roll-ups put their rows, and the as-of day.
    pub(super) fn rollup_target(&mut self) -> (&mut HistoriesBuilder, Option<Day>) {
        (&mut self.builder, self.until)
    }

    /// Counts what was read from a roll-up.
    pub(super) fn count_rollup(&mut self, read: &RollupRead) {
        self.report.events += read.events;
        self.report.rows_after_as_of += read.rows_after_until;
        if let Some((first, last)) = read.span {
            self.widen(first, last);
        }
    }

    /// Counts a file that was read to its end.
    pub(super) fn count_file(&mut self, file: FileQuality) {
        self.report.rows += file.rows;
        self.report.files.push(file);
    }

    /// The histories and the report; an error when no event was kept.
    pub(super) fn finish(mut self) -> Result<(Histories, QualityReport), EventsError> {
        (self.report.duplicates, self.report.duplicates_estimated) = self.duplicates.count();
        self.report.duplicates_compared = self.duplicates.compared();
        self.report.refused.sort_by_key(|refused| refused.reason);
        if self.report.events == 0 {
            return Err(EventsError::Empty { as_of: self.until, detail: self.why_empty() });
        }
        let histories = self.builder.finish()?;
        let negative: Vec<(String, u64)> = self.kinds.into_iter().map(|seen| (seen.name, seen.negative)).collect();
        self.report.describe(&histories, &negative)?;
        Ok((histories, self.report))
    }

    fn why_empty(&self) -> String {
        let mut text = match self.span {
            Some((first, last)) => format!(
                "the log spans {first} to {last}; choose an as-of day after {first}, or {} to see all of it",
                last.plus(1)
            ),
            None if self.report.rows == 0 => "the files have no rows".to_owned(),
            None => format!("none of the {} rows could be read", self.report.rows),
        };
        text.push('\n');
        // Writing to a string cannot fail.
        let _ = render_refused(&self.report.refused, &mut text);
        text.trim_end().to_owned()
    }
}
