//! What a user of the command line can do about an error. The library has no flags, so its errors name none.

use ebb::batch::features::FeaturesError;
use ebb::batch::list::ListError;
use ebb::batch::scores::ScoresError;
use ebb::batch::top::TopError;
use ebb::events::{EventsError, SqlRemedy};
use ebb::explain::ExplainError;
use ebb::history::HistoryError;
use ebb::init::InitError;
use ebb::model::ModelError;
use ebb::train::TrainError;
use ebb::train::checks::agreement::AgreementError;
use ebb::train::later::LaterError;

/// The flags that help with an error, in a sentence.
pub(crate) fn hint(error: &anyhow::Error) -> Option<&'static str> {
    if let Some(error) = history_error(error) {
        return of_history(error);
    }
    if let Some(error) = error.downcast_ref() {
        return of_training(error);
    }
    if let Some(error) = error.downcast_ref() {
        return match error {
            AgreementError::Setting { .. } => Some("--config names the configuration"),
            AgreementError::MissingAttribute { .. } => Some("--config names the configuration"),
            AgreementError::MissingKinds { .. } | AgreementError::NoAmounts => {
                Some("--allow-missing-kinds scores users all the same")
            }
        };
    }
    if let Some(EventsError::Sql { instead, .. }) = error.downcast_ref() {
        return match instead {
            SqlRemedy::Table(_) => Some("--table names the table or view"),
            SqlRemedy::TimeType(_) => Some("--time-type names the type of the time column"),
            SqlRemedy::Setting(_) => None,
        };
    }
    if let Some(error) = error.downcast_ref() {
        return match error {
            InitError::NoColumn { .. } | InitError::UnknownColumn { .. } => {
                Some("--user, --time, --kind and --amount name columns")
            }
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref() {
        return of_judging(error);
    }
    if let Some(TopError::NoAmounts { .. }) = error.downcast_ref() {
        return Some("--by risk needs no amounts");
    }
    let is_bundle_folder = matches!(error.downcast_ref(), Some(ModelError::NotABundle { .. }));
    let is_name = matches!(error.downcast_ref(), Some(ScoresError::Format { .. }))
        || matches!(error.downcast_ref(), Some(FeaturesError::Name { .. }))
        || matches!(error.downcast_ref(), Some(ListError::Format { .. }));
    (is_bundle_folder || is_name).then_some("--out names what is written")
}

fn of_history(error: &HistoryError) -> Option<&'static str> {
    match error {
        HistoryError::TooManyUsers => Some(
            "`fit --sample-users SHARE` takes a share of the users, `score --partition NUMBER/OF` a part of them",
        ),
        HistoryError::Spill { .. } => {
            Some("--temp names another folder for temporary files, --memory allows more memory")
        }
        _ => None,
    }
}

fn of_training(error: &TrainError) -> Option<&'static str> {
    match error {
        // Churn by silence at a day after the feed has stopped, and no churn event before one.
        TrainError::OneClass {
            churned, silence, ..
        } if churned == silence => Some("--as-of sets the as-of day"),
        TrainError::NoEvents { .. } => Some("--as-of sets the as-of day"),
        _ => None,
    }
}

fn of_judging(error: &LaterError) -> Option<&'static str> {
    match error {
        LaterError::Seen { .. } => Some(
            "--as-of sets the day, --allow-seen judges at it all the same and marks the result",
        ),
        LaterError::NotObserved { .. } | LaterError::NothingBefore { .. } => {
            Some("--as-of sets the day to judge at")
        }
        _ => None,
    }
}

/// The error on histories that another error passes on.
fn history_error(error: &anyhow::Error) -> Option<&HistoryError> {
    // An error that is passed on as it is doesn't appear among the causes.
    if let Some(EventsError::History(inner)) = error.downcast_ref() {
        return Some(inner);
    }
    if let Some(ScoresError::History(inner)) = error.downcast_ref() {
        return Some(inner);
    }
    if let Some(FeaturesError::History(inner)) = error.downcast_ref() {
        return Some(inner);
    }
    if let Some(TopError::History(inner)) = error.downcast_ref() {
        return Some(inner);
    }
    if let Some(ExplainError::History(inner)) = error.downcast_ref() {
        return Some(inner);
    }
    if let Some(LaterError::History(inner)) = error.downcast_ref() {
        return Some(inner);
    }
    match error.downcast_ref() {
        Some(TrainError::History(inner)) => Some(inner),
        _ => error.downcast_ref(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use clap::CommandFactory;

    use super::*;
    use crate::args::Arguments;

    fn spill() -> HistoryError {
        HistoryError::Spill {
            folder: PathBuf::from("/tmp"),
            source: std::io::Error::other("no room"),
        }
    }

    /// An error of each kind that has a hint, as commands meet it.
    fn errors() -> Vec<anyhow::Error> {
        let setting = AgreementError::Setting {
            setting: "events.timezone",
            model: "UTC".into(),
            config: "Europe/London".into(),
        };
        let missing = AgreementError::MissingKinds {
            missing: vec!["visit".into()],
            present: vec![],
        };
        let as_of = "2024-01-01".parse().expect("a day");
        let path = PathBuf::from("scores.xls");
        vec![
            spill().into(),
            EventsError::History(HistoryError::TooManyUsers).into(),
            ScoresError::History(spill()).into(),
            FeaturesError::History(spill()).into(),
            TrainError::History(spill()).into(),
            LaterError::History(spill()).into(),
            LaterError::NothingBefore {
                as_of,
                first: as_of,
            }
            .into(),
            LaterError::Seen {
                model: "f00".into(),
                fitted_as_of: as_of,
                as_of,
                window_days: 30,
                observed_until: as_of,
            }
            .into(),
            TrainError::NoEvents { as_of }.into(),
            setting.into(),
            missing.into(),
            ModelError::NotABundle { path: path.clone() }.into(),
            ScoresError::Format { path: path.clone() }.into(),
            FeaturesError::Name { path: path.clone() }.into(),
            ListError::Format { path }.into(),
            TopError::NoAmounts {
                activity: "`purchase`".into(),
            }
            .into(),
            InitError::NoColumn {
                field: "user",
                wanted: "the id of a user",
                columns: String::new(),
            }
            .into(),
        ]
    }

    #[test]
    fn hints_name_flags_that_exist_and_errors_name_none() {
        let flags: BTreeSet<String> = Arguments::command()
            .get_subcommands()
            .flat_map(|command| command.get_arguments().filter_map(clap::Arg::get_long))
            .map(|name| format!("--{name}"))
            .collect();
        for error in errors() {
            assert!(!error.to_string().contains("--"), "{error}");
            let hint = hint(&error).unwrap_or_else(|| panic!("no hint on: {error}"));
            let named: Vec<&str> = hint
                .split([' ', '`', ','])
                .filter(|word| word.starts_with("--"))
                .collect();
            assert!(!named.is_empty(), "{hint}");
            for flag in named {
                assert!(flags.contains(flag), "{flag}: {hint}");
            }
        }
    }

    #[test]
    fn what_no_flag_changes_has_no_hint() {
        let error = TrainError::NothingProbed { users: 0, dates: 0 };
        assert_eq!(hint(&error.into()), None);
        assert_eq!(hint(&anyhow::anyhow!("something else")), None);
    }
}
