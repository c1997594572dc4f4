//! From tensors to a matrix of features.

use bytes::Bytes;

use super::wire::infer_parameter::ParameterChoice;
use super::wire::model_infer_request::InferInputTensor;
use super::wire::{InferParameter, InferTensorContents, ModelInferRequest};
use super::{FEATURE_HASH, MATRIX};
use crate::features::Contradiction;
use crate::serve::errors::CallError;
use crate::serve::registry::served::Served;

/// Feature vectors, one after the other, in catalogue order; NaN where unknown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matrix {
    /// How many vectors.
    pub(crate) rows: usize,
    /// The values, row by row.
    pub(crate) values: Vec<f64>,
}

/// How many rows a request claims to have, before it is checked.
pub(crate) fn rows(request: &ModelInferRequest) -> usize {
    let first = request.inputs.first().and_then(|input| input.shape.first());
    first
        .and_then(|rows| usize::try_from(*rows).ok())
        .unwrap_or(0)
}

/// What is known of the order that a matrix's columns are in.
pub(crate) struct Order<'r> {
    /// The request parameter that names it.
    pub(crate) given: Option<&'r InferParameter>,
    /// Whether it can only be the model's without being named.
    pub(crate) is_sure: bool,
}

impl Order<'_> {
    /// Refuses features of another model, and a matrix that may be in another order. `name` is how the model was asked for.
    pub(crate) fn check(
        &self,
        served: &Served,
        name: &str,
        inputs: &[InferInputTensor],
    ) -> Result<(), CallError> {
        let current = &served.bundle().spec().feature_hash;
        let Some(parameter) = self.given else {
            let is_matrix = inputs.iter().any(|input| input.name == MATRIX);
            let (name, current) = (name.chars().take(40).collect(), current.clone());
            return if is_matrix && !self.is_sure {
                Err(CallError::FeaturesChanged { name, current })
            } else {
                Ok(())
            };
        };
        match &parameter.parameter_choice {
            Some(ParameterChoice::StringParam(given)) if given == current => Ok(()),
            Some(ParameterChoice::StringParam(given)) => {
                Err(CallError::other_features(given.clone(), current.clone()))
            }
            _ => Err(CallError::field(
                format!("parameters[{FEATURE_HASH}]"),
                "must be a string, as GetModel gives it",
            )),
        }
    }
}

/// What a tensor's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fp64,
    Fp32,
    Int64,
    Int32,
}

impl Kind {
    fn of(datatype: &str) -> Option<Self> {
        match datatype {
            "FP64" => Some(Self::Fp64),
            "FP32" => Some(Self::Fp32),
            "INT64" => Some(Self::Int64),
            "INT32" => Some(Self::Int32),
            _ => None,
        }
    }

    /// Bytes of one number.
    fn width(self) -> usize {
        match self {
            Self::Fp64 | Self::Int64 => 8,
            Self::Fp32 | Self::Int32 => 4,
        }
    }

    /// The numbers of raw contents, which are little-endian.
    fn raw(self, bytes: &[u8]) -> Vec<f64> {
        match self {
            Self::Fp64 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| f64::from_le_bytes(*b))
                .collect(),
            Self::Fp32 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| f64::from(f32::from_le_bytes(*b)))
                .collect(),
            Self::Int64 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| whole(i64::from_le_bytes(*b)))
                .collect(),
            Self::Int32 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| f64::from(i32::from_le_bytes(*b)))
                .collect(),
        }
    }

    /// The numbers of typed contents; the error names a list that belongs to another type.
    fn typed(self, contents: &InferTensorContents) -> Result<Vec<f64>, &'static str> {
        let InferTensorContents {
            bool_contents,
            int_contents,
            int64_contents,
            uint_contents,
            uint64_contents,
            fp32_contents,
            fp64_contents,
            bytes_contents,
        } = contents;
        let filled = [
            ("bool_contents", !bool_contents.is_empty()),
            (
                "int_contents",
                !int_contents.is_empty() && self != Self::Int32,
            ),
            (
                "int64_contents",
                !int64_contents.is_empty() && self != Self::Int64,
            ),
            ("uint_contents", !uint_contents.is_empty()),
            ("uint64_contents", !uint64_contents.is_empty()),
            (
                "fp32_contents",
                !fp32_contents.is_empty() && self != Self::Fp32,
            ),
            (
                "fp64_contents",
                !fp64_contents.is_empty() && self != Self::Fp64,
            ),
            ("bytes_contents", !bytes_contents.is_empty()),
        ];
        if let Some((name, _)) = filled.iter().find(|(_, filled)| *filled) {
            return Err(name);
        }
        Ok(match self {
            Self::Fp64 => fp64_contents.clone(),
            Self::Fp32 => fp32_contents.iter().map(|x| f64::from(*x)).collect(),
            Self::Int64 => int64_contents.iter().map(|x| whole(*x)).collect(),
            Self::Int32 => int_contents.iter().map(|x| f64::from(*x)).collect(),
        })
    }
}

/// A whole number; infinite, and so refused, where it would have to be rounded.
fn whole(number: i64) -> f64 {
    if number.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS {
        number as f64
    } else {
        f64::INFINITY
    }
}

/// Checks the inputs and puts them side by side.
pub(crate) fn read(
    served: &Served,
    inputs: &[InferInputTensor],
    raw: &[Bytes],
    rows_most: usize,
) -> Result<Matrix, CallError> {
    if !raw.is_empty() && raw.len() != inputs.len() {
        let problem = format!(
            "has {} entries for {} inputs: one for each, or none",
            raw.len(),
            inputs.len()
        );
        return Err(CallError::field("raw_input_contents", problem));
    }
    let Some(first) = inputs.first() else {
        return Err(CallError::field(
            "inputs",
            "is required: features by name, or all of them as `features`",
        ));
    };
    let features = served.bundle().catalogue().len();
    let rows = first.shape.first().copied().unwrap_or(0);
    let rows = usize::try_from(rows)
        .map_err(|_| CallError::field("inputs[0].shape[0]", format!("is {rows}")))?;
    if rows > rows_most {
        return Err(CallError::TooMany {
            field: "inputs[0].shape[0]".into(),
            found: rows,
            most: rows_most,
        });
    }
    if first.name == MATRIX {
        if inputs.len() > 1 {
            return Err(CallError::field(
                "inputs[1]",
                format!("`{MATRIX}` holds all features: send nothing beside it"),
            ));
        }
        let values = Input {
            position: 0,
            tensor: first,
            raw: raw.first(),
        }
        .numbers(&[rows, features])?;
        check(served, &values, None)?;
        let given: Vec<Option<usize>> = vec![Some(0); features];
        check_rows(served, &values, &given)?;
        return Ok(Matrix { rows, values });
    }
    let mut values = vec![f64::NAN; rows * features];
    let mut given: Vec<Option<usize>> = vec![None; features];
    for (position, tensor) in inputs.iter().enumerate() {
        let input = Input {
            position,
            tensor,
            raw: raw.get(position),
        };
        let feature = served
            .position(&tensor.name)
            .map_err(|error| input.fault("name", &error.to_string()))?;
        if given
            .get_mut(feature)
            .and_then(|input| input.replace(position))
            .is_some()
        {
            return Err(input.fault("name", &format!("`{}` is given twice", tensor.name)));
        }
        // A column, flat or as a matrix of one column.
        let shape: &[usize] = if tensor.shape.len() == 2 {
            &[rows, 1]
        } else {
            &[rows]
        };
        let column = input.numbers(shape)?;
        check(served, &column, Some((position, feature)))?;
        for (row, value) in values.chunks_exact_mut(features).zip(column) {
            if let Some(slot) = row.get_mut(feature) {
                *slot = value;
            }
        }
    }
    check_rows(served, &values, &given)?;
    Ok(Matrix { rows, values })
}

/// One input and where it stands.
struct Input<'r> {
    position: usize,
    tensor: &'r InferInputTensor,
    raw: Option<&'r Bytes>,
}

impl Input<'_> {
    fn fault(&self, field: &str, problem: &str) -> CallError {
        CallError::field(format!("inputs[{}].{field}", self.position), problem)
    }

    /// The tensor's numbers, if it has this shape.
    fn numbers(&self, shape: &[usize]) -> Result<Vec<f64>, CallError> {
        let InferInputTensor {
            name: _,
            datatype,
            shape: given,
            parameters: _,
            contents,
        } = self.tensor;
        let kind = Kind::of(datatype).ok_or_else(|| {
            self.fault(
                "datatype",
                &format!("`{}` is none of FP64, FP32, INT64 and INT32", cut(datatype)),
            )
        })?;
        if given.len() != shape.len()
            || given
                .iter()
                .zip(shape)
                .any(|(g, s)| usize::try_from(*g) != Ok(*s))
        {
            let given: Vec<i64> = given.iter().take(8).copied().collect();
            return Err(self.fault(
                "shape",
                &format!("is {given:?}, where {shape:?} is expected"),
            ));
        }
        let count: usize = shape.iter().product();
        match (self.raw, contents) {
            (Some(_), Some(_)) => {
                Err(self.fault("contents", "must not stand beside raw_input_contents"))
            }
            (Some(raw), None) if raw.len() == count * kind.width() => Ok(kind.raw(raw)),
            (Some(raw), None) => {
                let problem = format!(
                    "has {} bytes, {} are expected",
                    raw.len(),
                    count * kind.width()
                );
                Err(CallError::field(
                    format!("raw_input_contents[{}]", self.position),
                    problem,
                ))
            }
            (None, contents) => {
                let none = InferTensorContents::default();
                let numbers = kind.typed(contents.as_ref().unwrap_or(&none));
                let numbers = numbers.map_err(|list| {
                    self.fault(
                        &format!("contents.{list}"),
                        &format!("does not go with {datatype}"),
                    )
                })?;
                if numbers.len() != count {
                    let problem = format!("has {} numbers, {count} are expected", numbers.len());
                    return Err(self.fault("contents", &problem));
                }
                Ok(numbers)
            }
        }
    }
}

/// Refuses what no feature can be. `only` is the input and feature of a column; a matrix has all features in each row.
fn check(served: &Served, values: &[f64], only: Option<(usize, usize)>) -> Result<(), CallError> {
    let features = served.bundle().catalogue().len();
    let illegal = |value: f64, feature: usize| {
        value.is_infinite() || (!value.is_nan() && !served.allows(feature, value))
    };
    let feature_of = |i: usize| only.map_or(i % features, |(_, feature)| feature);
    let Some((i, value)) = values
        .iter()
        .enumerate()
        .find(|(i, value)| illegal(**value, feature_of(*i)))
    else {
        return Ok(());
    };
    let name = served.name(feature_of(i));
    let row = only.map_or(i / features, |_| i);
    let must = if value.is_finite() {
        "not be negative"
    } else {
        "be finite, or NaN when it is unknown"
    };
    let input = only.map_or(0, |(input, _)| input);
    Err(CallError::field(
        format!("inputs[{input}].contents[{i}]"),
        format!("`{name}` in row {row} is {value}: it must {must}"),
    ))
}

/// Refuses rows that no history gives. `given` tells for each feature which input it came in; a matrix has all in one.
fn check_rows(served: &Served, values: &[f64], given: &[Option<usize>]) -> Result<(), CallError> {
    let features = served.bundle().catalogue().len();
    let Err((row, Contradiction { position, problem })) = served.constraints().check_matrix(values)
    else {
        return Ok(());
    };
    let input = given.get(position).copied().flatten().unwrap_or(0);
    let place = if given.iter().all(|input| *input == Some(0)) {
        row * features + position
    } else {
        row
    };
    Err(CallError::field(
        format!("inputs[{input}].contents[{place}]"),
        format!("row {row}: {problem}"),
    ))
}

fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}
