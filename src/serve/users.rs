use std::path::Path;

use super::errors::ServeError;
use crate::history::{Day, Histories, HistoriesBuilder, Users, read_rollup};

/// The users that can be scored by id.
#[derive(Clone, Debug)]
pub struct KnownUsers {
    histories: Histories,
    as_of: Option<Day>,
}

impl KnownUsers {
    /// The users of these histories.
    pub fn new(histories: Histories) -> Self {
        let as_of = histories.span().map(|(_, last)| last.plus(1));
        Self { histories, as_of }
    }

    /// The users of a roll-up: a Parquet file or a directory of them.
    pub fn read(rollup: &Path) -> Result<Self, ServeError> {
        let mut builder = HistoriesBuilder::default();
        read_rollup(rollup, None, Users::All, &mut builder)?;
        Ok(Self::new(builder.finish()?))
    }

    /// Their histories.
    pub fn histories(&self) -> &Histories {
        &self.histories
    }

    /// The day after the last event, the as-of day of a question that gives none; `None` when there are no events.
    pub fn as_of(&self) -> Option<Day> {
        self.as_of
    }
}
