//! Which days of a log are taken in.

use super::Day;

/// Days from today on whose rows are not yet set aside as rows of the future: time zones differ by about one.
pub const FUTURE_DAYS: i32 = 2;

/// Which days are taken in; by default all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayBounds {
    /// The as-of day: rows on or after it are counted, but not seen.
    pub as_of: Option<Day>,
    /// The first day that the log covers.
    pub from: Option<Day>,
    /// The day after the last one that the log covers.
    pub until: Option<Day>,
    /// The first day that cannot have come yet.
    pub future: Option<Day>,
}

/// Why a row is set aside: its day lies where the log has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stray {
    /// Before the first day that the log covers.
    BeforeCoverage,
    /// After the last day that the log covers.
    AfterCoverage,
    /// On a day that has not come yet.
    InTheFuture,
}

/// What becomes of a row because of its day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It is taken in.
    Seen,
    /// It lies on or after the as-of day.
    AfterAsOf,
    /// It is set aside.
    Stray(Stray),
}

impl DayBounds {
    /// All days before an as-of day, or all.
    pub fn before(as_of: Option<Day>) -> Self {
        Self {
            as_of,
            ..Self::default()
        }
    }

    /// What becomes of a row of this day. What lies on or after the as-of day is not looked at further: it is not known yet.
    pub fn place(&self, day: Day) -> Placement {
        if self.as_of.is_some_and(|as_of| day >= as_of) {
            return Placement::AfterAsOf;
        }
        if self.from.is_some_and(|from| day < from) {
            return Placement::Stray(Stray::BeforeCoverage);
        }
        if self.future.is_some_and(|future| day >= future) {
            return Placement::Stray(Stray::InTheFuture);
        }
        if self.until.is_some_and(|until| day >= until) {
            return Placement::Stray(Stray::AfterCoverage);
        }
        Placement::Seen
    }

    /// The days that are expected, in words.
    pub fn describe(&self) -> String {
        let until = [self.until, self.future].into_iter().flatten().min();
        match (self.from, until) {
            (Some(from), Some(until)) => format!("a day from {from} to {}", until.plus(-1)),
            (Some(from), None) => format!("a day from {from} on"),
            (None, Some(until)) => format!("a day up to {}", until.plus(-1)),
            (None, None) => "a day".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_as_of_day_comes_first_and_every_bound_is_half_open() {
        let day = |number| Day::new(number).unwrap();
        let bounds = DayBounds {
            as_of: Some(day(50)),
            from: Some(day(10)),
            until: Some(day(30)),
            future: Some(day(40)),
        };
        let placed = |number| bounds.place(day(number));
        assert_eq!(placed(9), Placement::Stray(Stray::BeforeCoverage));
        assert_eq!((placed(10), placed(29)), (Placement::Seen, Placement::Seen));
        assert_eq!(
            [placed(30), placed(39)],
            [Placement::Stray(Stray::AfterCoverage); 2]
        );
        assert_eq!(placed(40), Placement::Stray(Stray::InTheFuture));
        assert_eq!(placed(50), Placement::AfterAsOf);
        assert_eq!(DayBounds::default().place(day(9_999)), Placement::Seen);
        assert_eq!(bounds.describe(), "a day from 1970-01-11 to 1970-01-30");
    }
}
