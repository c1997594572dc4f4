//! Which flags help against an error of the library, whose messages name settings of `ebb.toml` and facts only.

use ebb::batch::features::FeaturesError;
use ebb::batch::scores::ScoresError;
use ebb::events::{EventsError, SqlRemedy};
use ebb::history::HistoryError;
use ebb::train::TrainError;

/// The flag to try, if there is one.
pub(crate) fn hint(error: &anyhow::Error) -> Option<&'static str> {
    if let Some(EventsError::Sql { instead, .. }) = error.downcast_ref() {
        return match instead {
            SqlRemedy::Table(_) => Some("--table names it"),
            SqlRemedy::TimeType(_) => Some("--time-type says it"),
            SqlRemedy::Setting(_) => None,
        };
    }
    match history_error(error)? {
        HistoryError::TooManyUsers => Some("--sample-users takes a share"),
        HistoryError::Spill { .. } => {
            Some("name a folder with more room by --temp, or allow more memory by --memory")
        }
        _ => None,
    }
}

/// The error about histories that another one is made of. Their messages are one, so it is no cause of its own.
pub(crate) fn history_error(error: &anyhow::Error) -> Option<&HistoryError> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    if let Some(EventsError::History(found)) = error.downcast_ref() {
        return Some(found);
    }
    if let Some(TrainError::History(found)) = error.downcast_ref() {
        return Some(found);
    }
    if let Some(ScoresError::History(found)) = error.downcast_ref() {
        return Some(found);
    }
    match error.downcast_ref() {
        Some(FeaturesError::History(found)) => Some(found),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spill() -> HistoryError {
        HistoryError::Spill {
            folder: "full".into(),
            source: std::io::ErrorKind::StorageFull.into(),
        }
    }

    #[test]
    fn a_full_folder_is_hinted_at_wherever_it_was_met() {
        for error in [
            anyhow::Error::from(spill()),
            EventsError::from(spill()).into(),
            TrainError::from(spill()).into(),
            ScoresError::from(spill()).into(),
            FeaturesError::from(spill()).into(),
        ] {
            assert!(hint(&error).unwrap().contains("--temp"), "{error}");
        }
        assert_eq!(hint(&HistoryError::NotClosed.into()), None);
    }
}
