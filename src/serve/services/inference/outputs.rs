use bytes::Bytes;

use super::inputs::Matrix;
use super::wire::model_infer_request::InferRequestedOutputTensor;
use super::wire::model_infer_response::InferOutputTensor;
use crate::model::{MatrixScores, RowOutcome};
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
pub(crate) fn all(model: &ServedModel) -> Vec<Output> {
    let horizons = model.spec().schema.horizon_days.iter().enumerate();
    let probabilities = horizons.map(|(position, days)| Output::Probability {
        position,
        horizon_days: *days,
    });
    probabilities
        .chain([Output::Segment, Output::Status])
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
pub(crate) struct RowScores {
    scores: MatrixScores,
    horizons: usize,
}

impl RowScores {
    /// Scores every row. A row that lacks a required feature is an error.
    pub(crate) fn of(model: &ServedModel, matrix: &Matrix) -> Result<Self, CallError> {
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
