//! What is asked of a user at a date: one value from the configuration through the fit to the answer.

/// Who is asked about at a date, and what is predicted of them. Windows are half-open ranges of days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether a user who was active will leave.
    Churn {
        /// The kinds of events that count as staying.
        activity: Vec<String>,
        /// The kind of event that is churn; `None` when churn is silence.
        churn_event: Option<String>,
        /// Users without activity in this many days before the date are not asked about.
        active_within_days: u32,
    },
    /// Whether a potential user will do something for the first time, or again after a long time.
    Conversion {
        /// The kinds of events that make a person known: one of them lies within `within_days` before the date.
        signs: Vec<String>,
        /// The kinds of events of which any is conversion.
        events: Vec<String>,
        /// People without a sign in this many days before the date are not asked about.
        within_days: u32,
        /// Whether those are asked about, too, whose last conversion is longer ago than `within_days`; otherwise only who never
        /// converted.
        repeat: bool,
    },
}

impl Question {
    /// The kinds that count as activity: those that features of activity are made of.
    pub fn activity(&self) -> &[String] {
        match self {
            Self::Churn { activity, .. } => activity,
            Self::Conversion { signs, .. } => signs,
        }
    }

    /// For how many days a user counts as active.
    pub fn active_within_days(&self) -> u32 {
        match self {
            Self::Churn {
                active_within_days, ..
            } => *active_within_days,
            Self::Conversion { within_days, .. } => *within_days,
        }
    }

    /// Whether silence is predicted, which a longer horizon makes less likely; an event is likelier in a longer one.
    pub fn is_silence(&self) -> bool {
        matches!(
            self,
            Self::Churn {
                churn_event: None,
                ..
            }
        )
    }

    /// Whether conversion is predicted.
    pub fn is_conversion(&self) -> bool {
        matches!(self, Self::Conversion { .. })
    }
}
