use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Bundle, ModelError, Prediction, Score, Subject, ValueEstimate};
use crate::features::Attribute;
use crate::history::{
    Amount, AttributeColumn, AttributeKind, AttributeRecord, AttributeValue, Attributes, Day,
    DayRecord, FiniteNumber, History,
};

/// One synthetic user and the answer that the bundle gave when it was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenCase {
    /// The as-of day of the prediction.
    pub as_of: Day,
    /// (days before `as_of`, kind as a position in the catalogue's kinds and behind them the value kinds without features of
    /// their own, count, amount in millionths).
    pub history: Vec<(u16, u16, u32, i64)>,
    /// What is known of the user beside events: for each attribute the position of a level, behind which comes a category
    /// without a feature, or a number; null where it is not known. Absent without attributes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Option<f64>>,
    /// The feature vector; null where unknown.
    pub features: Vec<Option<f64>>,
    /// (probability, log-odds) for each horizon; empty for a user that is not scored.
    pub horizons: Vec<(f64, f64)>,
    /// The name of the stage; empty for a user that is not scored.
    pub stage: String,
    /// The nearest segment's id and distance.
    pub segment: Option<(usize, f64)>,
    /// What the user is worth; absent without a value model, or for a user that is not scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<GoldenValue>,
}

/// The value of a golden case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenValue {
    /// What the estimate rests on.
    pub status: String,
    /// Expected spend, the ends of its interval, residual value, value at risk, probability of being alive and expected orders;
    /// null where unknown.
    pub figures: Vec<Option<f64>>,
    /// The tier's position.
    pub tier: Option<usize>,
    /// Recency, frequency and monetary scores.
    pub rfm: Option<(u8, u8, u8)>,
}

impl From<&ValueEstimate<'_>> for GoldenValue {
    fn from(value: &ValueEstimate<'_>) -> Self {
        let figures = [
            value.expected_spend,
            value.low,
            value.high,
            value.residual_value,
            value.value_at_risk,
            value.p_alive,
            value.expected_orders,
        ];
        Self {
            status: value.status.name().to_owned(),
            figures: figures.map(|x| (!x.is_nan()).then_some(x)).to_vec(),
            tier: value.tier,
            rfm: value.rfm.map(|r| (r.recency, r.frequency, r.monetary)),
        }
    }
}

/// Recorded users and answers, replayed bit for bit whenever the bundle is loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// The cases.
    pub cases: Vec<GoldenCase>,
    /// Cases of the part for potential users; none without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conversion: Vec<GoldenCase>,
}

/// How many synthetic users there are, but for one more where a bundle has features of orders.
const CASES: u32 = 12;

impl Golden {
    /// The answers of `bundle` for synthetic users: regular and irregular, new and old, active and gone. They come from
    /// a fixed formula and describe no real user.
    pub fn record(bundle: &Bundle) -> Result<Self, ModelError> {
        let as_of = bundle.spec().training.as_of;
        let histories = (0..CASES).map(|case| synthetic_history(bundle, case));
        let cases = histories
            .chain(without_orders(bundle))
            .zip(0..)
            .map(|(history, case)| {
                answer(bundle, as_of, history, synthetic_attributes(bundle, case))
            });
        let conversion = match bundle.conversion() {
            Some(part) => Self::record(part)?.cases,
            None => Vec::new(),
        };
        Ok(Self {
            cases: cases.collect::<Result<_, _>>()?,
            conversion,
        })
    }

    /// Predicts again and compares every bit.
    ///
    /// # Errors
    /// [`ModelError::Golden`] with the first difference, or when there is no case.
    pub fn replay(&self, bundle: &Bundle) -> Result<(), ModelError> {
        if self.cases.is_empty() {
            let expected = format!("{CASES} cases");
            return Err(ModelError::Golden {
                case: 0,
                what: "golden.json".into(),
                expected,
                found: "none".into(),
            });
        }
        for (case, recorded) in self.cases.iter().enumerate() {
            let now = answer(
                bundle,
                recorded.as_of,
                recorded.history.clone(),
                recorded.attributes.clone(),
            )?;
            let differs = |what: &str, expected: String, found: String| {
                (expected != found).then(|| ModelError::Golden {
                    case,
                    what: what.to_owned(),
                    expected,
                    found,
                })
            };
            // Debug prints the shortest text that reads back as the same number, so equal text is equal bits.
            let parts = [
                differs(
                    "the feature vector",
                    format!("{:?}", recorded.features),
                    format!("{:?}", now.features),
                ),
                differs(
                    "the churn probabilities",
                    format!("{:?}", recorded.horizons),
                    format!("{:?}", now.horizons),
                ),
                differs("the stage", recorded.stage.clone(), now.stage),
                differs(
                    "the segment",
                    format!("{:?}", recorded.segment),
                    format!("{:?}", now.segment),
                ),
                differs(
                    "the value",
                    format!("{:?}", recorded.value),
                    format!("{:?}", now.value),
                ),
            ];
            if let Some(error) = parts.into_iter().flatten().next() {
                return Err(error);
            }
        }
        let Some(part) = bundle.conversion() else {
            return Ok(());
        };
        let of_part = Self {
            cases: self.conversion.clone(),
            conversion: Vec::new(),
        };
        of_part.replay(part)
    }
}

fn synthetic_history(bundle: &Bundle, case: u32) -> Vec<(u16, u16, u32, i64)> {
    let kinds = bundle.catalogue().kinds().len() as u32;
    let horizon = u32::from(bundle.spec().schema.horizon_days[0]);
    let step = 1 + horizon * (case + 1) / 8;
    let visits = 1 + case * case % 17;
    let rows = (0..visits).map(|visit| {
        let age = 1 + case * horizon / 12 + visit * step + (visit * visit * 7 + case) % 5;
        let kind = if visit % 3 == 2 {
            (case + visit) % kinds
        } else {
            0
        };
        let amount = i64::from(1 + (visit * 37 + case * 11) % 90) * 1_250_000;
        (
            age.min(30_000) as u16,
            kind as u16,
            1 + (visit + case) % 4,
            amount,
        )
    });
    let rows = rows.chain(earlier_years(bundle, case));
    rows.chain(orders(bundle, case))
        .chain(signals(bundle, case))
        .collect()
}

/// Activity around the same season of earlier years, where a bundle has features of them: steps of a short horizon do not
/// reach back so far, and what is unknown in every case would be replayed by none.
fn earlier_years(bundle: &Bundle, case: u32) -> impl Iterator<Item = (u16, u16, u32, i64)> + use<> {
    // The first cases stay new users.
    let years = if case < 3 {
        0
    } else {
        bundle.spec().schema.seasonal_years
    };
    let days = (1..=years)
        .flat_map(move |year| [40, case * 11 % 60, case * 5 % 30].map(|day| (year, day)));
    // 380 days before the as-of day and later: around the start of the window, and the first one before it.
    days.map(move |(year, day)| (year * 365 + 15 - day as u16, 0, 1, 1_250_000))
}

/// The kinds that histories refer to: those with features of their own, and behind them the other value kinds.
fn kinds(bundle: &Bundle) -> Vec<String> {
    let mut kinds = bundle.catalogue().kinds().to_vec();
    let schema = &bundle.spec().schema;
    let more = schema.value_kinds.iter().chain(schema.signal_kinds());
    let more: Vec<String> = more.filter(|kind| !kinds.contains(kind)).cloned().collect();
    kinds.extend(more);
    kinds
}

/// Purchases and returns of every value kind, where a bundle has features of orders: days with a net amount above 0, of 0 and
/// below it.
fn orders(bundle: &Bundle, case: u32) -> impl Iterator<Item = (u16, u16, u32, i64)> + use<> {
    let kinds = kinds(bundle);
    let value_kinds = bundle.spec().schema.value_kinds.iter();
    let positions: Vec<usize> = value_kinds
        .filter_map(|kind| kinds.iter().position(|other| other == kind))
        .collect();
    let days = 0..if positions.is_empty() { 0 } else { case };
    days.flat_map(move |day| {
        let age = 1 + day * (5 + case) + case % 3;
        let of = |k: u32| positions[k as usize % positions.len()] as u16;
        let amount = i64::from(3 + (day * 29 + case * 7) % 40) * 2_500_000;
        let back = match day % 4 {
            1 => -amount,
            3 => -2 * amount,
            _ => -amount / 4,
        };
        [
            (age.min(30_000) as u16, of(day), 1, amount),
            (age.min(30_000) as u16, of(day + 1), 1, back),
        ]
    })
}

/// An answer of every signal, from 0 to 10, but for some users.
fn signals(bundle: &Bundle, case: u32) -> impl Iterator<Item = (u16, u16, u32, i64)> + use<> {
    let kinds = kinds(bundle);
    let signals = bundle.spec().schema.signal_kinds();
    let positions: Vec<usize> = signals
        .filter(|_| case % 5 != 4)
        .filter_map(|kind| kinds.iter().position(|other| other == kind))
        .collect();
    let answer = move |position: usize| {
        let amount = i64::from((case * 7 + position as u32) % 11) * 1_000_000;
        (2 + 9 * case as u16, position as u16, 1, amount)
    };
    positions.into_iter().map(answer)
}

/// An active user who never paid anything, where a bundle has features of orders: such a user is worth what a new customer is.
fn without_orders(bundle: &Bundle) -> Option<Vec<(u16, u16, u32, i64)>> {
    let schema = &bundle.spec().schema;
    let earlier = 1 + schema.horizon_days[0] / 2;
    (!schema.value_kinds.is_empty()).then(|| vec![(1, 0, 1, 0), (earlier, 0, 2, 0)])
}

fn answer(
    bundle: &Bundle,
    as_of: Day,
    history: Vec<(u16, u16, u32, i64)>,
    attributes: Vec<Option<f64>>,
) -> Result<GoldenCase, ModelError> {
    let record = |&(age, kind, count, micros): &(u16, u16, u32, i64)| {
        let amount = Amount::from_micros(micros);
        DayRecord {
            amount,
            day: as_of.plus(-i32::from(age)),
            count,
            kind,
        }
    };
    let records = History::new(history.iter().map(record).collect())?
        .with_attributes(known(bundle, &attributes));
    let mut extractor = bundle.extractor(&kinds(bundle));
    let mut vector = vec![f64::NAN; bundle.catalogue().len()];
    let active = extractor.extract(records.view(), as_of, &mut vector);
    let score = match active {
        true => bundle
            .predictor(&[])
            .predict(Subject::Features(&vector), as_of, 0)?,
        false => Prediction::TooNew,
    };
    let (horizons, stage, segment, value) = match score {
        Prediction::Scored(score) => {
            let Score {
                horizons,
                stage,
                segment,
                value,
                ..
            } = score;
            let pairs = horizons
                .iter()
                .map(|h| (h.probability, h.log_odds))
                .collect();
            (
                pairs,
                stage.name().to_owned(),
                segment.map(|s| (s.id, s.distance)),
                value.as_ref().map(GoldenValue::from),
            )
        }
        Prediction::TooNew | Prediction::Inactive { .. } | Prediction::AlreadyChurned => {
            (Vec::new(), String::new(), None, None)
        }
    };
    let features = vector
        .into_iter()
        .map(|v| (!v.is_nan()).then_some(v))
        .collect();
    Ok(GoldenCase {
        as_of,
        history,
        attributes,
        features,
        horizons,
        stage,
        segment,
        value,
    })
}

/// Values of every attribute of a bundle: each level in turn, a category without a feature, numbers, and nothing.
fn synthetic_attributes(bundle: &Bundle, case: u32) -> Vec<Option<f64>> {
    let value = |(position, attribute): (u32, &Attribute)| match &attribute.levels {
        // It is in the records.
        None if attribute.signal => None,
        Some(levels) => {
            // One more for categories without a feature, and one for what is not known.
            let level = (case + position) % (levels.len() as u32 + 2);
            level.checked_sub(1).map(f64::from)
        }
        None => {
            let number = f64::from((case * 13 + position * 7) % 61) + 0.5;
            (case % 4 != 3).then_some(number)
        }
    };
    let attributes = &bundle.spec().schema.attributes;
    (0..).zip(attributes).map(value).collect()
}

/// The attributes that a golden case has.
fn known(bundle: &Bundle, values: &[Option<f64>]) -> Attributes {
    let attributes = &bundle.spec().schema.attributes;
    let column = |attribute: &Attribute| {
        let mut categories = attribute.levels.clone().unwrap_or_default();
        // Behind the levels: of a category without a feature.
        categories.push(String::new());
        AttributeColumn {
            name: attribute.name.clone(),
            kind: attribute.kind(),
            categories,
        }
    };
    let record = |((position, attribute), value): ((u16, &Attribute), &Option<f64>)| {
        let value = match (attribute.kind(), *value) {
            (_, None) => AttributeValue::Unknown,
            (AttributeKind::Category, Some(level)) => AttributeValue::Category(level as u32),
            (AttributeKind::Number, Some(number)) => {
                FiniteNumber::new(number).map_or(AttributeValue::Unknown, AttributeValue::Number)
            }
        };
        AttributeRecord {
            from: None,
            column: position,
            value,
        }
    };
    let records = (0..).zip(attributes).zip(values).map(record).collect();
    Attributes::new(Arc::new(attributes.iter().map(column).collect()), records)
}
