use super::attribute::MISSING;
use super::season::{Season, SeasonSpan};
use super::{Attribute, Feature, FeatureGroup, Quantity, Scale};

/// The features of a catalogue, as they are listed one after another.
pub(crate) struct List {
    features: Vec<Feature>,
    verb: String,
}

impl List {
    pub(crate) fn new(activity: &[String]) -> Self {
        Self {
            features: Vec::new(),
            verb: verb(activity),
        }
    }

    pub(crate) fn into_features(self) -> Vec<Feature> {
        self.features
    }

    fn push(
        &mut self,
        quantity: Quantity,
        name: impl Into<String>,
        unit: &'static str,
        group: FeatureGroup,
        description: String,
    ) {
        let scale = match (unit, quantity) {
            // Orders with a net amount below 0 are none.
            (_, Quantity::OrderAmount | Quantity::OrderRepeatAmount) => Scale::Log,
            ("amount" | "number", _) => Scale::SignedLog,
            ("flag", _) => Scale::Linear,
            (_, Quantity::Trend(..) | Quantity::RecencyShare | Quantity::GapsExceeded) => {
                Scale::Linear
            }
            (_, Quantity::WeekdayRegularity) => Scale::Linear,
            _ => Scale::Log,
        };
        self.features.push(Feature {
            name: name.into(),
            unit,
            description,
            group,
            scale,
            quantity,
        });
    }

    pub(crate) fn recency_and_tenure(&mut self) {
        let v = self.verb.clone();
        self.push(
            Quantity::Recency,
            "recency_days",
            "days",
            FeatureGroup::Recency,
            format!("Days since the last {v}."),
        );
        self.push(
            Quantity::RecencyAny,
            "recency_any_days",
            "days",
            FeatureGroup::Recency,
            "Days since the last event of any kind.".into(),
        );
        self.push(
            Quantity::Tenure,
            "tenure_days",
            "days",
            FeatureGroup::Tenure,
            "Days since the first event of any kind.".into(),
        );
        self.push(
            Quantity::ActiveAge,
            "active_age_days",
            "days",
            FeatureGroup::Tenure,
            format!("Days since the first {v}."),
        );
        self.push(
            Quantity::GapsExceeded,
            "gaps_exceeded",
            "ratio",
            FeatureGroup::Recency,
            format!(
                "Share of the gaps between days with {v} that were shorter than the present one."
            ),
        );
        self.push(
            Quantity::Overdue,
            "overdue_ratio",
            "ratio",
            FeatureGroup::Recency,
            format!("Days since the last {v} over the usual gap between days with one."),
        );
        self.push(
            Quantity::RecencyShare,
            "recency_share",
            "ratio",
            FeatureGroup::Recency,
            format!("Days since the last {v} as a share of tenure."),
        );
    }

    pub(crate) fn frequency(&mut self, windows: &[u16]) {
        let (v, a) = (self.verb.clone(), with_article(&self.verb));
        self.push(
            Quantity::ActiveDays,
            "active_days",
            "active days",
            FeatureGroup::Frequency,
            format!("Days with {a}, ever."),
        );
        self.push(
            Quantity::Events,
            "events",
            "events",
            FeatureGroup::Frequency,
            format!("Number of {v} events, ever."),
        );
        self.push(
            Quantity::OneDay,
            "one_active_day",
            "flag",
            FeatureGroup::Frequency,
            format!("1 when there was {a} on one day only."),
        );
        for &w in windows {
            self.push(
                Quantity::ActiveDaysIn(w),
                format!("active_days_{w}d"),
                "active days",
                FeatureGroup::Frequency,
                format!("Days with {a} in the last {w} days."),
            );
            self.push(
                Quantity::EventsIn(w),
                format!("events_{w}d"),
                "events",
                FeatureGroup::Frequency,
                format!("Number of {v} events in the last {w} days."),
            );
        }
    }

    pub(crate) fn rhythm(&mut self, horizons: &[u16]) {
        let (v, a) = (self.verb.clone(), with_article(&self.verb));
        self.push(
            Quantity::GapMean,
            "gap_mean_days",
            "days",
            FeatureGroup::Rhythm,
            format!("Mean days between days with {a}."),
        );
        self.push(
            Quantity::GapSpread,
            "gap_std_days",
            "days",
            FeatureGroup::Rhythm,
            format!("Standard deviation of the days between days with {a}."),
        );
        self.push(
            Quantity::GapLast,
            "gap_last_days",
            "days",
            FeatureGroup::Rhythm,
            format!("Days between the last two days with {a}."),
        );
        self.push(
            Quantity::GapMax,
            "gap_max_days",
            "days",
            FeatureGroup::Rhythm,
            format!("Longest time between two days with {a}."),
        );
        self.push(
            Quantity::WeekdayRegularity,
            "weekday_regularity",
            "ratio",
            FeatureGroup::Rhythm,
            format!(
                "How much days with {a} fall on the same weekdays: 0 evenly, 1 always the same."
            ),
        );
        let mut half_lives: Vec<u16> = horizons
            .iter()
            .flat_map(|h| [h.div_ceil(2), *h, h * 2, h * 4])
            .collect();
        half_lives.sort_unstable();
        half_lives.dedup();
        for h in half_lives {
            self.push(
                Quantity::DecayedDays(h),
                format!("active_days_half_life_{h}d"),
                "active days",
                FeatureGroup::Frequency,
                format!("Days with {a}, counting half for every {h} days of age."),
            );
        }
        for &h in horizons {
            self.push(
                Quantity::Trend(h, h * 4),
                format!("trend_{h}d_over_{}d", h * 4),
                "ratio",
                FeatureGroup::Frequency,
                format!("Logarithm of the rate of {v} days in the last {h} days over that in the last {}.", h * 4),
            );
        }
    }

    pub(crate) fn amounts(&mut self, windows: &[u16]) {
        let (v, a) = (self.verb.clone(), with_article(&self.verb));
        self.push(
            Quantity::Amount,
            "amount",
            "amount",
            FeatureGroup::Amount,
            format!("Total amount of {v} events, ever."),
        );
        self.push(
            Quantity::AmountMean,
            "amount_mean",
            "amount",
            FeatureGroup::Amount,
            format!("Mean amount of a day with {a}."),
        );
        self.push(
            Quantity::AmountSpread,
            "amount_std",
            "amount",
            FeatureGroup::Amount,
            format!("Standard deviation of the amounts of days with {a}."),
        );
        self.push(
            Quantity::AmountLast,
            "amount_last",
            "amount",
            FeatureGroup::Amount,
            format!("Amount of the last day with {a}."),
        );
        self.push(
            Quantity::AmountMax,
            "amount_max",
            "amount",
            FeatureGroup::Amount,
            format!("Largest amount of a day with {a}."),
        );
        for &w in windows {
            self.push(
                Quantity::AmountIn(w),
                format!("amount_{w}d"),
                "amount",
                FeatureGroup::Amount,
                format!("Total amount of {v} events in the last {w} days."),
            );
        }
    }

    pub(crate) fn kind(&mut self, position: u16, kind: &str, horizons: &[u16]) {
        let word = kind.replace('_', " ");
        self.push(
            Quantity::KindCount(position),
            format!("{kind}_count"),
            "events",
            FeatureGroup::OtherEvents,
            format!("Number of {word} events, ever."),
        );
        self.push(
            Quantity::KindRecency(position),
            format!("{kind}_recency_days"),
            "days",
            FeatureGroup::OtherEvents,
            format!("Days since the last {word}."),
        );
        for &h in horizons {
            self.push(
                Quantity::KindCountIn(position, h),
                format!("{kind}_count_{h}d"),
                "events",
                FeatureGroup::OtherEvents,
                format!("Number of {word} events in the last {h} days."),
            );
        }
    }

    pub(crate) fn season(&mut self, season: Season) {
        let a = with_article(&self.verb);
        let description = match season.span {
            SeasonSpan::Year => format!("Days with {a} {}.", season.words()),
            SeasonSpan::Same { lead_days, .. } | SeasonSpan::Wide { lead_days, .. } => {
                let from = match lead_days {
                    0 => "the as-of day".to_owned(),
                    1 => "a day after the as-of day".to_owned(),
                    days => format!("{days} days after the as-of day"),
                };
                format!("Days with {a} {}, counted from {from}.", season.words())
            }
        };
        self.push(
            Quantity::ActiveDaysInSeason(season),
            season.name(),
            "active days",
            FeatureGroup::Season,
            description,
        );
    }

    pub(crate) fn attribute(&mut self, position: u16, attribute: &Attribute) {
        let name = &attribute.name;
        for (level, of) in (0..).zip(attribute.level_names()) {
            self.push(
                Quantity::AttributeLevel(position, level),
                format!("{name} = {of}"),
                "flag",
                FeatureGroup::Attribute,
                format!("1 when {name} is {of}."),
            );
        }
        if attribute.signal {
            let word = name.replace('_', " ");
            self.push(
                Quantity::AttributeNumber(position),
                format!("{name}_latest"),
                "number",
                FeatureGroup::Attribute,
                format!("The amount of the last {word}."),
            );
            self.push(
                Quantity::SignalAge(position),
                format!("{name}_latest_days"),
                "days",
                FeatureGroup::Attribute,
                format!("Days since the last {word}."),
            );
        } else if attribute.levels.is_none() {
            self.push(
                Quantity::AttributeNumber(position),
                name,
                "number",
                FeatureGroup::Attribute,
                format!("The number {name}."),
            );
        }
        if attribute.levels.is_none() {
            self.push(
                Quantity::AttributeMissing(position),
                format!("{name} = {MISSING}"),
                "flag",
                FeatureGroup::Attribute,
                format!("1 when {name} is not known."),
            );
        }
    }

    pub(crate) fn orders(&mut self, value_kinds: &[String]) {
        let of = value_kinds
            .iter()
            .map(|kind| kind.replace('_', " "))
            .collect::<Vec<_>>()
            .join(" and ");
        let rows = [
            (
                Quantity::OrderDays,
                "order_days",
                "orders",
                format!("Days on which the amounts of {of} add up to more than 0, ever."),
            ),
            (
                // `order_recency_days` is the name of the recency of a kind that is called `order`.
                Quantity::OrderRecency,
                "recency_order_days",
                "days",
                "Days since the last order.".to_owned(),
            ),
            (
                Quantity::OrderAge,
                "order_age_days",
                "days",
                "Days since the first order.".to_owned(),
            ),
            (
                Quantity::OrderAmount,
                "order_amount",
                "amount",
                "Total net amount of all orders, ever.".to_owned(),
            ),
            (
                Quantity::OrderRepeatAmount,
                "order_repeat_amount",
                "amount",
                "Mean net amount of the orders after the first.".to_owned(),
            ),
        ];
        for (quantity, name, unit, description) in rows {
            self.push(quantity, name, unit, FeatureGroup::Amount, description);
        }
    }
}

/// "purchase" for a single kind, else "activity".
fn verb(activity: &[String]) -> String {
    match activity {
        [only] => only.replace('_', " "),
        _ => "activity".to_owned(),
    }
}

/// "a purchase", "an activity".
pub(crate) fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {noun}")
}
