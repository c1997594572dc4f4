//! Why hardly any user of a log can be labelled.

use std::collections::BTreeSet;

use super::mapping_doubts::Returning;
use crate::card::DropCounts;
use crate::train::TrainError;
use crate::train::data::context::TrainContext;
use crate::train::data::dataset::{Dataset, MIN_ROWS};
use crate::train::settings::ChurnConfig;

/// Why hardly any user can be labelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FewRows {
    /// The log has few users.
    Users {
        /// How many.
        users: usize,
    },
    /// At most dates most users had been silent for too long to be asked about.
    Inactive {
        /// `churn.active_within_days`.
        active_within_days: u32,
    },
    /// Most users have events, but no activity.
    NoActivity {
        /// The kinds that count as activity.
        activity: Vec<String>,
    },
    /// Most users had reached the churn event.
    AlreadyChurned,
    /// Most users came after the dates at which they could be labelled.
    Days,
}

impl std::fmt::Display for FewRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Users { users } => write!(
                f,
                "the log holds {users} user{}: it takes more users, not more days; does `events.user` name the right \
                 column?",
                if *users == 1 { "" } else { "s" }
            ),
            Self::Inactive { active_within_days } => write!(
                f,
                "most users had no activity within churn.active_within_days = {active_within_days} of the dates: raise it"
            ),
            Self::NoActivity { activity } => write!(
                f,
                "most users have no event of a kind in churn.activity ({}): check it, and `events.kind`",
                activity.join(", ")
            ),
            Self::AlreadyChurned => {
                write!(
                    f,
                    "most users had reached churn.churn_event without activity since: check it and churn.activity"
                )
            }
            Self::Days => write!(
                f,
                "most users came too late to be labelled: the log has too few days; lengthen it, or shorten \
                 churn.horizon_days"
            ),
        }
    }
}

/// Whether there is something to learn from, and if not, why.
pub(crate) fn check_rows(
    ctx: &TrainContext<'_>,
    data: &Dataset,
    dropped: &DropCounts,
    horizon_days: u16,
) -> Result<(), TrainError> {
    let churn = &ctx.config.churn;
    let rows = data.len();
    let mut users = data.users.clone();
    users.dedup();
    if ctx.question.is_conversion() {
        return check_potential_users(ctx, data, dropped, horizon_days);
    }
    if rows < MIN_ROWS || users.len() < 2 {
        return Err(TrainError::TooFewRows {
            horizon_days,
            rows,
            users: users.len(),
            least: MIN_ROWS,
            cause: few_rows(churn, ctx.histories.len(), dropped),
        });
    }
    let churners = data.labels.iter().filter(|churned| **churned).count();
    if churners > 0 && churners < rows {
        return Ok(());
    }
    let churned = churners > 0;
    let silence = ctx.churn_is_silence();
    if churned && silence {
        let Returning { active, returned } = Returning::of(ctx)?;
        if returned == 0 {
            return Err(TrainError::NobodyReturns {
                users: active,
                activity: churn.activity.clone(),
            });
        }
    }
    Err(TrainError::OneClass {
        horizon_days,
        rows,
        churned,
        silence,
    })
}

/// The same of potential users, whose settings are others.
fn check_potential_users(
    ctx: &TrainContext<'_>,
    data: &Dataset,
    dropped: &DropCounts,
    horizon_days: u16,
) -> Result<(), TrainError> {
    let rows = data.len();
    let of = |converted: bool| {
        let rows = data.users.iter().zip(&data.labels);
        let users = rows.filter(|(_, label)| **label == converted);
        users.map(|(user, _)| *user).collect::<BTreeSet<u32>>()
    };
    let (converted, others) = (of(true), of(false));
    let users = converted.union(&others).count();
    if rows < MIN_ROWS || users < 2 {
        return Err(TrainError::TooFewPotentialUsers {
            horizon_days,
            rows,
            users,
            least: MIN_ROWS,
            dropped: dropped.clone(),
        });
    }
    if converted.is_empty() || others.is_empty() {
        return Err(TrainError::OneConversionClass {
            horizon_days,
            rows,
            converted: others.is_empty(),
        });
    }
    let least = ctx.config.privacy.min_users;
    if converted.len().min(others.len()) < least as usize {
        return Err(TrainError::FewConversions {
            horizon_days,
            few_converted: converted.len() <= others.len(),
            least,
        });
    }
    Ok(())
}

/// Why hardly any user could be labelled: the log's users are few, or most pairs of a user and a date fell away for one
/// reason.
fn few_rows(churn: &ChurnConfig, users: usize, dropped: &DropCounts) -> FewRows {
    if users < MIN_ROWS {
        return FewRows::Users { users };
    }
    let most = dropped
        .iter()
        .max_by_key(|(_, pairs)| **pairs)
        .map_or("", |(reason, _)| reason.as_str());
    match most {
        "inactive" => FewRows::Inactive {
            active_within_days: churn.active_within_days,
        },
        "no_activity" => FewRows::NoActivity {
            activity: churn.activity.clone(),
        },
        "already_churned" => FewRows::AlreadyChurned,
        _ => FewRows::Days,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_have_the_cause_that_took_most_of_them() {
        let churn = ChurnConfig {
            activity: vec!["purchase".into()],
            horizon_days: vec![30],
            active_within_days: 7,
            lead_days: 0,
            churn_event: None,
        };
        let cause = |users, most: &str| {
            let dropped = [("not_yet_seen", 4), (most, 9)]
                .map(|(name, n)| (name.to_owned(), n))
                .into();
            few_rows(&churn, users, &dropped)
        };
        assert_eq!(cause(30, "inactive"), FewRows::Users { users: 30 });
        assert_eq!(
            cause(300, "inactive"),
            FewRows::Inactive {
                active_within_days: 7
            }
        );
        assert_eq!(
            cause(300, "no_activity"),
            FewRows::NoActivity {
                activity: churn.activity.clone()
            }
        );
        assert_eq!(cause(300, "already_churned"), FewRows::AlreadyChurned);
        assert_eq!(cause(300, "not_yet_seen"), FewRows::Days);
        assert!(
            FewRows::Users { users: 1 }
                .to_string()
                .contains("1 user: it takes more users, not more days")
        );
    }
}
