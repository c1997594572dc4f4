//! How many refused rows are too many.

use std::fmt;

use super::rejection::RefusalReason;
use super::report::{Place, QualityReport};
use crate::events::config::{EventsConfig, Share};

/// What may be refused unless a setting says otherwise.
const REFUSED: f64 = 0.2;
/// What may lack a user.
const WITHOUT_USER: f64 = 0.5;

/// More refused rows than a setting allows.
#[derive(Clone, Debug, PartialEq)]
pub struct TooManyRefused {
    /// The share of rows that were refused.
    pub share: f64,
    /// The share that the setting allows.
    pub allowed: f64,
    /// The setting's key in the `[events]` table.
    pub setting: &'static str,
    /// Why most of them were.
    pub reason: RefusalReason,
    /// How many rows were refused for that reason.
    pub rows: u64,
    /// The first of these.
    pub first: Option<Place>,
}

impl fmt::Display for TooManyRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            share,
            allowed,
            setting,
            reason,
            rows,
            first,
        } = self;
        let missing = *reason == RefusalReason::EmptyUser;
        let what = if missing {
            "have no user"
        } else {
            "were refused"
        };
        write!(
            f,
            "{:.1} % of the rows {what}, more than `events.{setting}` = {allowed} allows",
            100.0 * share
        )?;
        if !missing {
            write!(f, ", most of them for {reason} ({rows} rows)")?;
        }
        if let Some(place) = first {
            write!(
                f,
                "; the first is {}: {}",
                place.position(),
                place.problem()
            )?;
        }
        let mapping = if missing {
            "`events.user`"
        } else {
            "the mapping"
        };
        write!(
            f,
            "; correct {mapping}, or allow more by `events.{setting}`"
        )
    }
}

impl QualityReport {
    /// Where more rows were refused than the settings allow for a fit: the setting that is exceeded by most.
    pub fn too_many_refused(&self, config: &EventsConfig) -> Option<TooManyRefused> {
        let refused = |missing: bool| {
            let reasons = self
                .refused
                .iter()
                .filter(move |r| (r.reason == RefusalReason::EmptyUser) == missing);
            reasons.max_by_key(|refused| refused.rows)
        };
        let judge = |share: f64, allowed: Option<Share>, usual: f64, setting, missing| {
            let allowed = allowed.map_or(usual, Share::value);
            let worst = refused(missing).filter(|_| share > allowed)?;
            let (reason, rows, first) = (worst.reason, worst.rows, worst.first.first().cloned());
            Some(TooManyRefused {
                share,
                allowed,
                setting,
                reason,
                rows,
                first,
            })
        };
        let judged = [
            judge(
                self.refused_share,
                config.max_refused_share,
                REFUSED,
                "max_refused_share",
                false,
            ),
            judge(
                self.without_user_share,
                config.max_rows_without_user_share,
                WITHOUT_USER,
                "max_rows_without_user_share",
                true,
            ),
        ];
        let excess = |found: &TooManyRefused| found.share - found.allowed;
        judged
            .into_iter()
            .flatten()
            .max_by(|a, b| excess(a).total_cmp(&excess(b)))
    }

    /// Fills in the shares of refused rows. Of rows on or after the as-of day nothing but the time is looked at.
    pub(crate) fn share_out(&mut self) {
        let seen = self.rows.saturating_sub(self.rows_after_as_of).max(1) as f64;
        let without_user = self
            .refused
            .iter()
            .filter(|refused| refused.reason == RefusalReason::EmptyUser);
        let without_user: u64 = without_user.map(|refused| refused.rows).sum();
        self.without_user_share = without_user as f64 / seen;
        self.refused_share = (self.refused_rows() - without_user) as f64 / seen;
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::RefusedRows;
    use super::*;

    fn report(rows: u64, rows_after_as_of: u64, refused: &[(RefusalReason, u64)]) -> QualityReport {
        let refused = refused.iter().map(|(reason, rows)| RefusedRows {
            reason: *reason,
            rows: *rows,
            first: vec![Place::new(
                "log.csv",
                2,
                "column `at`".to_owned(),
                "13/25/2024",
                "a time",
            )],
        });
        let mut report = QualityReport {
            rows,
            rows_after_as_of,
            refused: refused.collect(),
            ..QualityReport::default()
        };
        report.share_out();
        report
    }

    fn verdict(report: &QualityReport, settings: &str) -> Option<(&'static str, RefusalReason)> {
        let found = report.too_many_refused(&toml::from_str(settings).unwrap());
        found.map(|found| (found.setting, found.reason))
    }

    #[test]
    fn shares_are_judged_by_their_own_settings() {
        use RefusalReason::{BadAmount, BadTime, EmptyUser};
        let refused = Some(("max_refused_share", BadTime));
        let no_user = Some(("max_rows_without_user_share", EmptyUser));
        assert_eq!(verdict(&report(0, 0, &[]), "max_refused_share = 0"), None);
        let some = report(100, 0, &[(BadAmount, 8), (BadTime, 12), (EmptyUser, 25)]);
        assert_eq!((some.refused_share, some.without_user_share), (0.2, 0.25));
        assert_eq!(verdict(&some, ""), None);
        assert_eq!(verdict(&some, "max_refused_share = 0.19"), refused);
        assert_eq!(verdict(&some, "max_rows_without_user_share = 0.2"), no_user);
        let more = report(100, 0, &[(BadAmount, 9), (BadTime, 12)]);
        assert_eq!(verdict(&more, ""), refused);
        assert_eq!(verdict(&more, "max_refused_share = 1"), None);
        assert_eq!(verdict(&report(100, 0, &[(EmptyUser, 51)]), ""), no_user);
        // Rows after the as-of day cannot hide the others.
        assert_eq!(verdict(&report(100, 50, &[(BadTime, 11)]), ""), refused);
        // Of two the one that is exceeded by more.
        assert_eq!(
            verdict(&report(100, 0, &[(BadTime, 22), (EmptyUser, 70)]), ""),
            no_user
        );
    }

    #[test]
    fn the_message_names_the_reason_the_place_and_the_setting() {
        let text = |refused| {
            report(100, 0, &[refused])
                .too_many_refused(&EventsConfig::default())
                .unwrap()
                .to_string()
        };
        insta::assert_snapshot!(text((RefusalReason::BadTime, 60)), @r#"60.0 % of the rows were refused, more than `events.max_refused_share` = 0.2 allows, most of them for bad_time (60 rows); the first is log.csv:2, column `at`: found `13/25/2024`, expected a time; correct the mapping, or allow more by `events.max_refused_share`"#);
        insta::assert_snapshot!(text((RefusalReason::EmptyUser, 60)), @r#"60.0 % of the rows have no user, more than `events.max_rows_without_user_share` = 0.5 allows; the first is log.csv:2, column `at`: found `13/25/2024`, expected a time; correct `events.user`, or allow more by `events.max_rows_without_user_share`"#);
    }
}
