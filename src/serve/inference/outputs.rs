//! From a matrix of features to tensors of answers.

use bytes::Bytes;

use super::inputs::Matrix;
use super::wire::model_infer_request::InferRequestedOutputTensor;
use super::wire::model_infer_response::InferOutputTensor;
use crate::model::{Assessment, Bundle, ModelError, Subject};
use crate::serve::errors::CallError;
use crate::serve::served::Served;
use crate::serve::wire::ScoreStatus;

/// One output of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
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
    pub(super) fn name(self) -> String {
        match self {
            Self::Probability { horizon_days, .. } => format!("churn_probability_{horizon_days}d"),
            Self::Segment => "segment".to_owned(),
            Self::Status => "status".to_owned(),
        }
    }

    /// The tensor's type.
    pub(super) fn datatype(self) -> &'static str {
        match self {
            Self::Probability { .. } => "FP64",
            Self::Segment | Self::Status => "INT32",
        }
    }
}

/// All outputs of a model.
pub(super) fn all(bundle: &Bundle) -> Vec<Output> {
    let horizons = bundle.spec().schema.horizon_days.iter().enumerate();
    let probabilities = horizons.map(|(position, days)| Output::Probability { position, horizon_days: *days });
    probabilities.chain([Output::Segment, Output::Status]).collect()
}

/// The outputs that a request asks for, in its order; all of them when it names none.
pub(super) fn wanted(bundle: &Bundle, asked: &[InferRequestedOutputTensor]) -> Result<Vec<Output>, CallError> {
    let all = all(bundle);
    if asked.is_empty() {
        return Ok(all);
    }
    let find = |(i, output): (usize, &InferRequestedOutputTensor)| {
        let found = all.iter().find(|known| known.name() == output.name).copied();
        found.ok_or_else(|| {
            let names: Vec<String> = all.iter().map(|output| output.name()).collect();
            CallError::field(format!("outputs[{i}].name"), format!("is none of {}", names.join(", ")))
        })
    };
    asked.iter().enumerate().map(find).collect()
}

/// The model's answers to all rows.
pub(super) struct Answers {
    /// For each horizon one probability for each row; NaN without a score.
    probabilities: Vec<Vec<f64>>,
    segments: Vec<i32>,
    statuses: Vec<i32>,
}

impl Answers {
    /// Asks the model.
    pub(super) fn of(served: &Served, matrix: &Matrix) -> Result<Self, CallError> {
        let bundle = served.bundle();
        let horizons = bundle.spec().models.len();
        let mut answers = Self {
            probabilities: vec![vec![f64::NAN; matrix.rows]; horizons],
            segments: vec![-1; matrix.rows],
            statuses: vec![0; matrix.rows],
        };
        let mut extractor = bundle.extractor(served.kinds());
        let rows = matrix.values.chunks_exact(bundle.catalogue().len());
        let slots = answers.segments.iter_mut().zip(&mut answers.statuses);
        for (row, (vector, (segment, status))) in rows.zip(slots).enumerate() {
            let as_of = bundle.spec().training.as_of;
            let assessed = bundle.assess(Subject::Features(vector), as_of, &mut extractor, 0);
            let assessment = assessed.map_err(|error| needed(served, error, row))?;
            *status = match assessment {
                Assessment::TooNew => ScoreStatus::TooNew,
                Assessment::Inactive { .. } => ScoreStatus::Inactive,
                Assessment::AlreadyChurned => ScoreStatus::AlreadyChurned,
                Assessment::Scored(score) => {
                    for (column, horizon) in answers.probabilities.iter_mut().zip(&score.horizons) {
                        if let Some(slot) = column.get_mut(row) {
                            *slot = horizon.probability;
                        }
                    }
                    let id = score.segment.and_then(|segment| i32::try_from(segment.id).ok());
                    *segment = id.unwrap_or(-1);
                    ScoreStatus::Scored
                }
            } as i32;
        }
        Ok(answers)
    }

    /// The probabilities at the shortest horizon that were given.
    pub(super) fn shortest(&self) -> impl Iterator<Item = f64> {
        self.probabilities.first().into_iter().flatten().copied().filter(|p| !p.is_nan())
    }

    /// An output as a tensor and its raw contents.
    pub(super) fn tensor(&self, output: Output) -> (InferOutputTensor, Bytes) {
        let bytes: Vec<u8> = match output {
            Output::Probability { position, .. } => {
                let column = self.probabilities.get(position).into_iter().flatten();
                column.flat_map(|value| value.to_le_bytes()).collect()
            }
            Output::Segment => self.segments.iter().flat_map(|id| id.to_le_bytes()).collect(),
            Output::Status => self.statuses.iter().flat_map(|status| status.to_le_bytes()).collect(),
        };
        let tensor = InferOutputTensor {
            name: output.name(),
            datatype: output.datatype().to_owned(),
            shape: vec![i64::try_from(self.statuses.len()).unwrap_or(i64::MAX)],
            parameters: Default::default(),
            contents: None,
        };
        (tensor, bytes.into())
    }
}

fn needed(served: &Served, error: ModelError, row: usize) -> CallError {
    match error {
        ModelError::Needed { name } => {
            let position = served.position(&name).unwrap_or_default();
            let problem = format!("row {row} lacks `{name}` (feature {position}), which every subject must have");
            CallError::field("inputs", problem)
        }
        other => other.into(),
    }
}
