//! From a matrix of features to tensors of answers.

use bytes::Bytes;

use super::inputs::Matrix;
use super::wire::model_infer_request::InferRequestedOutputTensor;
use super::wire::model_infer_response::InferOutputTensor;
use crate::model::{Bundle, MatrixScores, RowOutcome};
use crate::serve::errors::CallError;
use crate::serve::registry::served::Served;
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
}

impl Output {
    /// The tensor's name.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Probability { horizon_days, .. } => format!("churn_probability_{horizon_days}d"),
            Self::Segment => "segment".to_owned(),
            Self::Status => "status".to_owned(),
        }
    }

    /// The tensor's type.
    pub(crate) fn datatype(self) -> &'static str {
        match self {
            Self::Probability { .. } => "FP64",
            Self::Segment | Self::Status => "INT32",
        }
    }
}

/// All outputs of a model.
pub(crate) fn all(bundle: &Bundle) -> Vec<Output> {
    let horizons = bundle.spec().schema.horizon_days.iter().enumerate();
    let probabilities = horizons.map(|(position, days)| Output::Probability {
        position,
        horizon_days: *days,
    });
    probabilities
        .chain([Output::Segment, Output::Status])
        .collect()
}

/// The outputs that a request asks for, in its order; all of them when it names none.
pub(crate) fn wanted(
    bundle: &Bundle,
    asked: &[InferRequestedOutputTensor],
) -> Result<Vec<Output>, CallError> {
    let all = all(bundle);
    if asked.is_empty() {
        return Ok(all);
    }
    let find = |(i, output): (usize, &InferRequestedOutputTensor)| {
        let found = all
            .iter()
            .find(|known| known.name() == output.name)
            .copied();
        if asked
            .iter()
            .take(i)
            .any(|before| before.name == output.name)
        {
            return Err(CallError::field(
                format!("outputs[{i}].name"),
                "is asked for twice",
            ));
        }
        found.ok_or_else(|| {
            let names: Vec<String> = all.iter().map(|output| output.name()).collect();
            CallError::field(
                format!("outputs[{i}].name"),
                format!("is none of {}", names.join(", ")),
            )
        })
    };
    asked.iter().enumerate().map(find).collect()
}

/// The model's answers to all rows.
pub(crate) struct Answers {
    scores: MatrixScores,
    horizons: usize,
}

impl Answers {
    /// Asks the model.
    pub(crate) fn of(served: &Served, matrix: &Matrix) -> Result<Self, CallError> {
        let scores = served.bundle().assess_matrix(&matrix.values)?;
        if let Some(row) = scores
            .outcomes
            .iter()
            .position(|outcome| *outcome == RowOutcome::Incomplete)
        {
            return Err(incomplete(served, matrix, row));
        }
        Ok(Self {
            scores,
            horizons: served.bundle().spec().models.len(),
        })
    }

    fn probabilities(&self, position: usize) -> impl Iterator<Item = f64> {
        self.scores
            .probabilities
            .iter()
            .skip(position)
            .step_by(self.horizons)
            .copied()
    }

    /// The probabilities at the shortest horizon that were given.
    pub(crate) fn shortest(&self) -> impl Iterator<Item = f64> {
        self.probabilities(0).filter(|p| !p.is_nan())
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

fn status(outcome: RowOutcome) -> ScoreStatus {
    match outcome {
        RowOutcome::Scored => ScoreStatus::Scored,
        RowOutcome::TooNew => ScoreStatus::TooNew,
        RowOutcome::Inactive => ScoreStatus::Inactive,
        RowOutcome::Incomplete => ScoreStatus::Unspecified,
    }
}

/// Names the features that a row lacks and every subject must have.
fn incomplete(served: &Served, matrix: &Matrix, row: usize) -> CallError {
    let features = served.bundle().catalogue().features();
    let vector = matrix
        .values
        .chunks_exact(features.len())
        .nth(row)
        .unwrap_or_default();
    let lacking = features
        .iter()
        .zip(vector)
        .enumerate()
        .filter(|(i, (_, value))| value.is_nan() && served.requires(*i));
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
