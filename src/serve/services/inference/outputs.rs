use bytes::Bytes;

use super::inputs::Matrix;
use super::wire::model_infer_request::InferRequestedOutputTensor;
use super::wire::model_infer_response::InferOutputTensor;
use crate::model::{MatrixScores, MatrixValues, RowOutcome, Segment, ValueTier};
use crate::serve::errors::CallError;
use crate::serve::registry::ServedModel;
use crate::serve::wire::ScoreStatus;

/// One output of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// The churn probability within so many days; the position among the horizons.
    Probability {
        /// Position.
        position: usize,
        /// Days.
        horizon_days: u16,
    },
    /// The segment's id; -1 for none.
    Segment,
    /// The number of the `ScoreStatus`.
    Status,
    /// The segment's lasting name; empty for none.
    SegmentKey,
    /// An amount of the value part.
    Amount(Amount),
    /// The name of the tier of value; empty for none.
    Tier,
}

/// An amount that says what a user is worth; NaN where it is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    /// The expected spend.
    ExpectedSpend,
    /// The residual value.
    Residual,
    /// The value at risk.
    AtRisk,
}

impl Amount {
    /// All of them, in the order of the outputs.
    const ALL: [Self; 3] = [Self::ExpectedSpend, Self::Residual, Self::AtRisk];

    /// The tensor's name, that of the column of scores.
    fn name(self) -> &'static str {
        match self {
            Self::ExpectedSpend => "value_expected_spend",
            Self::Residual => "value_residual",
            Self::AtRisk => "value_at_risk",
        }
    }

    fn of(self, values: &MatrixValues) -> &[f64] {
        match self {
            Self::ExpectedSpend => &values.expected_spend,
            Self::Residual => &values.residual_value,
            Self::AtRisk => &values.value_at_risk,
        }
    }
}

impl Output {
    /// The tensor's name.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Probability { horizon_days, .. } => format!("churn_probability_{horizon_days}d"),
            Self::Segment => "segment".to_owned(),
            Self::Status => "status".to_owned(),
            Self::SegmentKey => "segment_key".to_owned(),
            Self::Amount(amount) => amount.name().to_owned(),
            Self::Tier => "value_tier".to_owned(),
        }
    }

    /// The tensor's type.
    pub(crate) fn datatype(self) -> &'static str {
        match self {
            Self::Probability { .. } | Self::Amount(_) => "FP64",
            Self::Segment | Self::Status => "INT32",
            Self::SegmentKey | Self::Tier => "BYTES",
        }
    }
}

/// All outputs of a model.
pub(crate) fn all(model: &ServedModel) -> Vec<Output> {
    let horizons = model.spec().schema.horizon_days.iter().enumerate();
    let probabilities = horizons.map(|(position, days)| Output::Probability {
        position,
        horizon_days: *days,
    });
    let has_value = model.spec().value.is_some();
    let amounts = Amount::ALL.into_iter().map(Output::Amount);
    let value = amounts.chain([Output::Tier]).filter(|_| has_value);
    probabilities
        .chain([Output::Segment, Output::Status, Output::SegmentKey])
        .chain(value)
        .collect()
}

/// The outputs that a request names, in its order; all of them when it names none.
pub(crate) fn wanted(
    model: &ServedModel,
    requested: &[InferRequestedOutputTensor],
) -> Result<Vec<Output>, CallError> {
    let all = all(model);
    if requested.is_empty() {
        return Ok(all);
    }
    let mut wanted = Vec::with_capacity(requested.len());
    for (i, InferRequestedOutputTensor { name, .. }) in requested.iter().enumerate() {
        let field = || format!("outputs[{i}].name");
        let Some(output) = all.iter().find(|output| output.name() == *name) else {
            let names: Vec<String> = all.iter().map(|output| output.name()).collect();
            let problem = format!("is none of {}", names.join(", "));
            return Err(CallError::field(field(), problem));
        };
        if wanted.contains(output) {
            return Err(CallError::field(field(), "is named twice"));
        }
        wanted.push(*output);
    }
    Ok(wanted)
}

/// The model's scores of all rows.
pub(crate) struct RowScores<'m> {
    scores: MatrixScores,
    horizons: usize,
    /// The tiers of the model; none without a value part.
    tiers: &'m [ValueTier],
    segments: &'m [Segment],
}

impl<'m> RowScores<'m> {
    /// Scores every row. A row that lacks a required feature is an error.
    pub(crate) fn of(model: &'m ServedModel, matrix: &Matrix) -> Result<Self, CallError> {
        let scores = model.bundle().predict_matrix(&matrix.values)?;
        let incomplete = scores
            .outcomes
            .iter()
            .position(|outcome| *outcome == RowOutcome::Incomplete);
        match incomplete {
            Some(row) => Err(lacks_required(model, matrix, row)),
            None => Ok(Self {
                scores,
                horizons: model.spec().models.len(),
                tiers: model.spec().value.as_ref().map_or(&[], |v| &v.tiers),
                segments: &model.spec().segments.items,
            }),
        }
    }

    fn probabilities(&self, position: usize) -> impl Iterator<Item = f64> {
        self.scores
            .probabilities
            .iter()
            .skip(position)
            .step_by(self.horizons)
            .copied()
    }

    /// The probabilities at the shortest horizon, of rows with a score.
    pub(crate) fn shortest(&self) -> impl Iterator<Item = f64> {
        self.probabilities(0).filter(|p| !p.is_nan())
    }

    fn values(&self) -> Option<&MatrixValues> {
        // Where it is absent, no output of it can be asked for.
        self.scores.values.as_ref()
    }

    /// The names of the rows' tiers.
    fn tier_names(&self) -> impl Iterator<Item = String> {
        let tiers = self.values().map_or(&[][..], |values| &values.tiers);
        tiers.iter().map(|tier| {
            let tier = tier.and_then(|tier| self.tiers.get(tier));
            tier.map_or_else(String::new, |tier| tier.name.clone())
        })
    }

    /// The keys of the rows' segments.
    fn segment_keys(&self) -> impl Iterator<Item = String> {
        self.scores.segments.iter().map(|segment| {
            let segment = segment.and_then(|id| self.segments.get(id));
            segment.map_or_else(String::new, |segment| segment.key.to_string())
        })
    }

    /// An output as a tensor and its raw contents.
    pub(crate) fn tensor(&self, output: Output) -> (InferOutputTensor, Bytes) {
        let bytes: Vec<u8> = match output {
            Output::Probability { position, .. } => self
                .probabilities(position)
                .flat_map(f64::to_le_bytes)
                .collect(),
            Output::Segment => {
                let id = |segment: &Option<usize>| {
                    segment.and_then(|id| i32::try_from(id).ok()).unwrap_or(-1)
                };
                self.scores
                    .segments
                    .iter()
                    .flat_map(|segment| id(segment).to_le_bytes())
                    .collect()
            }
            Output::Amount(amount) => self
                .values()
                .map(|values| {
                    amount
                        .of(values)
                        .iter()
                        .flat_map(|x| x.to_le_bytes())
                        .collect()
                })
                .unwrap_or_default(),
            Output::Tier => raw_texts(self.tier_names()),
            Output::SegmentKey => raw_texts(self.segment_keys()),
            Output::Status => self
                .scores
                .outcomes
                .iter()
                .flat_map(|o| (status(*o) as i32).to_le_bytes())
                .collect(),
        };
        let tensor = InferOutputTensor {
            name: output.name(),
            datatype: output.datatype().to_owned(),
            shape: vec![i64::try_from(self.scores.outcomes.len()).unwrap_or(i64::MAX)],
            parameters: Default::default(),
            contents: None,
        };
        (tensor, bytes.into())
    }
}

/// Texts as raw contents: each behind its length in four bytes.
fn raw_texts(texts: impl Iterator<Item = String>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

fn status(outcome: RowOutcome) -> ScoreStatus {
    match outcome {
        RowOutcome::Scored => ScoreStatus::Scored,
        RowOutcome::TooNew => ScoreStatus::TooNew,
        RowOutcome::Inactive => ScoreStatus::Inactive,
        RowOutcome::Incomplete => ScoreStatus::Unspecified,
    }
}

/// Names the required features that a row lacks.
fn lacks_required(model: &ServedModel, matrix: &Matrix, row: usize) -> CallError {
    let features = model.catalogue().features();
    let vector = &matrix.values[row * features.len()..][..features.len()];
    let lacking = features
        .iter()
        .zip(vector)
        .enumerate()
        .filter(|(i, (_, value))| value.is_nan() && model.requires(*i));
    let names: Vec<&str> = lacking
        .map(|(_, (feature, _))| feature.name.as_str())
        .collect();
    CallError::field(
        "inputs",
        format!(
            "row {row} lacks {}, which every subject must have",
            names.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::value::spec_with_value;

    #[test]
    fn what_users_are_worth_is_a_tensor_of_numbers_and_one_of_names() {
        let spec = spec_with_value();
        let rows = RowScores {
            scores: MatrixScores {
                outcomes: vec![RowOutcome::Scored, RowOutcome::TooNew, RowOutcome::Scored],
                probabilities: vec![0.5, 0.25, f64::NAN, f64::NAN, 0.75, 0.5],
                segments: vec![Some(0), None, Some(1)],
                values: Some(MatrixValues {
                    expected_spend: vec![10.0, f64::NAN, 30.0],
                    residual_value: vec![4.0, f64::NAN, 12.0],
                    value_at_risk: vec![1.0, f64::NAN, 2.5],
                    tiers: vec![Some(2), None, Some(0)],
                }),
            },
            horizons: 2,
            tiers: &spec.value.as_ref().unwrap().tiers,
            segments: &spec.segments.items,
        };
        let (tensor, bytes) = rows.tensor(Output::Amount(Amount::AtRisk));
        assert_eq!(
            (tensor.name.as_str(), tensor.datatype.as_str()),
            ("value_at_risk", "FP64")
        );
        let numbers: Vec<f64> = bytes
            .as_chunks()
            .0
            .iter()
            .map(|b| f64::from_le_bytes(*b))
            .collect();
        assert_eq!((numbers[0], numbers[2]), (1.0, 2.5));
        assert!(numbers[1].is_nan() && numbers.len() == 3);
        let (tensor, bytes) = rows.tensor(Output::Tier);
        assert_eq!((tensor.datatype.as_str(), tensor.shape), ("BYTES", vec![3]));
        assert_eq!(&bytes[..], b"\x03\0\0\0low\0\0\0\0\x04\0\0\0high");
        let (tensor, bytes) = rows.tensor(Output::SegmentKey);
        assert_eq!((tensor.datatype.as_str(), tensor.shape), ("BYTES", vec![3]));
        assert_eq!(&bytes[..], b"\x03\0\0\0s04\0\0\0\0\x03\0\0\0s02");
    }
}
