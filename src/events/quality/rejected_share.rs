//! How many rejected rows are too many.

use std::fmt;

use super::rejection::RejectionReason;
use super::report::{QualityReport, RowLocation};
use crate::events::config::{EventsConfig, Share};

/// What may be rejected unless a setting says otherwise.
pub(crate) const REJECTED: f64 = 0.2;
/// What may lack a user.
pub(crate) const WITHOUT_USER: f64 = 0.5;

/// More rejected rows than a setting allows.
#[derive(Clone, Debug, PartialEq)]
pub struct TooManyRejected {
    /// The share of rows that were rejected.
    pub share: f64,
    /// The share that the setting allows.
    pub allowed: f64,
    /// The setting's key in the `[events]` table.
    pub setting: &'static str,
    /// Why most of them were.
    pub reason: RejectionReason,
    /// How many rows were rejected for that reason.
    pub rows: u64,
    /// The first of these.
    pub first: Option<RowLocation>,
}

impl fmt::Display for TooManyRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            share,
            allowed,
            setting,
            reason,
            rows,
            first,
        } = self;
        let missing = *reason == RejectionReason::EmptyUser;
        let what = if missing {
            "have no user"
        } else {
            "were rejected"
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
    /// Where more rows were rejected than the settings allow for a fit: the setting that is exceeded by most.
    pub fn too_many_rejected(&self, config: &EventsConfig) -> Option<TooManyRejected> {
        let rejected = |missing: bool| {
            let reasons = self
                .rejected
                .iter()
                .filter(move |r| (r.reason == RejectionReason::EmptyUser) == missing);
            reasons.max_by_key(|rejected| rejected.rows)
        };
        let judge = |share: f64, allowed: Option<Share>, usual: f64, setting, missing| {
            let allowed = allowed.map_or(usual, Share::value);
            let worst = rejected(missing).filter(|_| share > allowed)?;
            let (reason, rows, first) = (worst.reason, worst.rows, worst.first.first().cloned());
            Some(TooManyRejected {
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
                self.rejected_share,
                config.max_rejected_share,
                REJECTED,
                "max_rejected_share",
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
        let excess = |found: &TooManyRejected| found.share - found.allowed;
        judged
            .into_iter()
            .flatten()
            .max_by(|a, b| excess(a).total_cmp(&excess(b)))
    }

    /// Fills in the shares of rejected rows. Of rows on or after the as-of day nothing but the time is looked at.
    pub(crate) fn share_out(&mut self) {
        // Rows after the as-of day cannot be rejected, and would hide the share of the others.
        let seen = self.rows.saturating_sub(self.rows_after_as_of).max(1) as f64;
        let without_user = self
            .rejected
            .iter()
            .filter(|rejected| rejected.reason == RejectionReason::EmptyUser);
        let without_user: u64 = without_user.map(|rejected| rejected.rows).sum();
        self.without_user_share = without_user as f64 / seen;
        self.rejected_share = (self.rejected_rows() - without_user) as f64 / seen;
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::RejectedRows;
    use super::*;

    fn report(
        rows: u64,
        rows_after_as_of: u64,
        rejected: &[(RejectionReason, u64)],
    ) -> QualityReport {
        let rejected = rejected.iter().map(|(reason, rows)| RejectedRows {
            reason: *reason,
            rows: *rows,
            first: vec![RowLocation::new(
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
            rejected: rejected.collect(),
            ..QualityReport::default()
        };
        report.share_out();
        report
    }

    fn verdict(report: &QualityReport, settings: &str) -> Option<(&'static str, RejectionReason)> {
        let found = report.too_many_rejected(&toml::from_str(settings).unwrap());
        found.map(|found| (found.setting, found.reason))
    }

    #[test]
    fn shares_are_judged_by_their_own_settings() {
        use RejectionReason::{BadAmount, BadTime, EmptyUser};
        let rejected = Some(("max_rejected_share", BadTime));
        let no_user = Some(("max_rows_without_user_share", EmptyUser));
        assert_eq!(verdict(&report(0, 0, &[]), "max_rejected_share = 0"), None);
        let some = report(100, 0, &[(BadAmount, 8), (BadTime, 12), (EmptyUser, 25)]);
        assert_eq!((some.rejected_share, some.without_user_share), (0.2, 0.25));
        assert_eq!(verdict(&some, ""), None);
        assert_eq!(verdict(&some, "max_rejected_share = 0.19"), rejected);
        assert_eq!(verdict(&some, "max_rows_without_user_share = 0.2"), no_user);
        let more = report(100, 0, &[(BadAmount, 9), (BadTime, 12)]);
        assert_eq!(verdict(&more, ""), rejected);
        assert_eq!(verdict(&more, "max_rejected_share = 1"), None);
        assert_eq!(verdict(&report(100, 0, &[(EmptyUser, 51)]), ""), no_user);
        // Rows after the as-of day cannot hide the others.
        assert_eq!(verdict(&report(100, 50, &[(BadTime, 11)]), ""), rejected);
        // Of two the one that is exceeded by more.
        assert_eq!(
            verdict(&report(100, 0, &[(BadTime, 22), (EmptyUser, 70)]), ""),
            no_user
        );
    }

    #[test]
    fn the_message_names_the_reason_the_place_and_the_setting() {
        let text = |rejected| {
            report(100, 0, &[rejected])
                .too_many_rejected(&EventsConfig::default())
                .unwrap()
                .to_string()
        };
        insta::assert_snapshot!(text((RejectionReason::BadTime, 60)), @r#"60.0 % of the rows were rejected, more than `events.max_rejected_share` = 0.2 allows, most of them for bad_time (60 rows); the first is log.csv:2, column `at`: found `13/25/2024`, expected a time; correct the mapping, or allow more by `events.max_rejected_share`"#);
        insta::assert_snapshot!(text((RejectionReason::EmptyUser, 60)), @r#"60.0 % of the rows have no user, more than `events.max_rows_without_user_share` = 0.5 allows; the first is log.csv:2, column `at`: found `13/25/2024`, expected a time; correct `events.user`, or allow more by `events.max_rows_without_user_share`"#);
    }
}
