use bytes::Bytes;

use super::number_type::NumberType;
use super::wire::infer_parameter::ParameterChoice;
use super::wire::model_infer_request::InferInputTensor;
use super::wire::{InferParameter, InferTensorContents, ModelInferRequest};
use super::{FEATURE_HASH, MATRIX};
use crate::features::Contradiction;
use crate::serve::errors::CallError;
use crate::serve::registry::ServedModel;

/// Feature vectors, one after the other, in catalogue order; NaN where unknown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matrix {
    /// How many vectors.
    pub(crate) rows: usize,
    /// The values, row by row.
    pub(crate) values: Vec<f64>,
}

/// How many rows a request claims to have, before it is checked.
pub(crate) fn claimed_rows(request: &ModelInferRequest) -> usize {
    let first = request.inputs.first().and_then(|input| input.shape.first());
    first
        .and_then(|rows| usize::try_from(*rows).ok())
        .unwrap_or(0)
}

/// The evidence for the order that a matrix's columns are in.
pub(crate) struct ColumnOrder<'r> {
    /// The request parameter that names it.
    pub(crate) given: Option<&'r InferParameter>,
    /// Whether it can only be the model's without being named.
    pub(crate) is_certain: bool,
}

impl ColumnOrder<'_> {
    /// Rejects features of another model, and a matrix that may be in another order. `name` is the request's name of the
    /// model.
    pub(crate) fn check(
        &self,
        model: &ServedModel,
        name: &str,
        inputs: &[InferInputTensor],
    ) -> Result<(), CallError> {
        let current = &model.spec().feature_hash;
        let Some(parameter) = self.given else {
            let is_matrix = inputs.iter().any(|input| input.name == MATRIX);
            return if is_matrix && !self.is_certain {
                Err(CallError::FeaturesChanged {
                    name: cut(name),
                    current: current.clone(),
                })
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

/// Checks the inputs and puts them side by side.
pub(crate) fn read(
    model: &ServedModel,
    inputs: &[InferInputTensor],
    raw: &[Bytes],
    max_rows: usize,
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
    let rows = rows_of(first, max_rows)?;
    let inputs: Vec<Input<'_>> = inputs
        .iter()
        .enumerate()
        .map(|(position, tensor)| Input {
            position,
            tensor,
            raw: raw.get(position),
        })
        .collect();
    let (values, layout) = if first.name == MATRIX {
        (matrix(model, rows, &inputs)?, Layout::Matrix)
    } else {
        let (values, input_of) = columns(model, rows, &inputs)?;
        (values, Layout::Columns(input_of))
    };
    check_rows(model, &values, &layout)?;
    Ok(Matrix { rows, values })
}

fn rows_of(first: &InferInputTensor, max_rows: usize) -> Result<usize, CallError> {
    let rows = first.shape.first().copied().unwrap_or(0);
    let rows = usize::try_from(rows)
        .map_err(|_| CallError::field("inputs[0].shape[0]", format!("is {rows}")))?;
    if rows > max_rows {
        return Err(CallError::TooMany {
            field: "inputs[0].shape[0]".into(),
            found: rows,
            most: max_rows,
        });
    }
    Ok(rows)
}

/// The values of one input that holds all features.
fn matrix(model: &ServedModel, rows: usize, inputs: &[Input<'_>]) -> Result<Vec<f64>, CallError> {
    let features = model.catalogue().len();
    let [input] = inputs else {
        return Err(CallError::field(
            "inputs[1]",
            format!("`{MATRIX}` holds all features: send nothing beside it"),
        ));
    };
    let values = input.numbers(&[rows, features])?;
    for (i, value) in values.iter().enumerate() {
        input.check(model, i % features, i / features, i, *value)?;
    }
    Ok(values)
}

/// The values of inputs of one feature each, row by row, and the input of each feature.
fn columns(
    model: &ServedModel,
    rows: usize,
    inputs: &[Input<'_>],
) -> Result<(Vec<f64>, Vec<Option<usize>>), CallError> {
    let features = model.catalogue().len();
    let mut values = vec![f64::NAN; rows * features];
    let mut input_of = vec![None; features];
    for input in inputs {
        let name = &input.tensor.name;
        let feature = model
            .position(name)
            .map_err(|error| input.fault("name", &error.to_string()))?;
        if input_of[feature].replace(input.position).is_some() {
            return Err(input.fault("name", &format!("`{name}` is given twice")));
        }
        // A column, flat or as a matrix of one column.
        let shape: &[usize] = if input.tensor.shape.len() == 2 {
            &[rows, 1]
        } else {
            &[rows]
        };
        for (row, value) in input.numbers(shape)?.into_iter().enumerate() {
            input.check(model, feature, row, row, value)?;
            values[row * features + feature] = value;
        }
    }
    Ok((values, input_of))
}

/// One input and its position in the request.
struct Input<'r> {
    position: usize,
    tensor: &'r InferInputTensor,
    raw: Option<&'r Bytes>,
}

impl Input<'_> {
    fn fault(&self, field: &str, problem: &str) -> CallError {
        CallError::field(format!("inputs[{}].{field}", self.position), problem)
    }

    /// Rejects a value that the feature at `feature` cannot have; `i` is its position in the input.
    fn check(
        &self,
        model: &ServedModel,
        feature: usize,
        row: usize,
        i: usize,
        value: f64,
    ) -> Result<(), CallError> {
        let must = if value.is_infinite() {
            "be finite, or NaN when it is unknown"
        } else if value.is_nan() || model.allows(feature, value) {
            return Ok(());
        } else {
            "not be negative"
        };
        let name = &model.feature(feature).name;
        Err(self.fault(
            &format!("contents[{i}]"),
            &format!("`{name}` in row {row} is {value}: it must {must}"),
        ))
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
        let number_type = NumberType::from_name(datatype).ok_or_else(|| {
            self.fault(
                "datatype",
                &format!("`{}` is none of FP64, FP32, INT64 and INT32", cut(datatype)),
            )
        })?;
        let same = |(given, expected): (&i64, &usize)| usize::try_from(*given) == Ok(*expected);
        if given.len() != shape.len() || !given.iter().zip(shape).all(same) {
            let given: Vec<i64> = given.iter().take(8).copied().collect();
            return Err(self.fault(
                "shape",
                &format!("is {given:?}, where {shape:?} is expected"),
            ));
        }
        let count = shape.iter().product();
        match (self.raw, contents) {
            (Some(_), Some(_)) => {
                Err(self.fault("contents", "must not stand beside raw_input_contents"))
            }
            (Some(raw), None) => self.raw_numbers(number_type, raw, count),
            (None, contents) => self.typed_numbers(number_type, contents.as_ref(), count),
        }
    }

    fn raw_numbers(
        &self,
        number_type: NumberType,
        raw: &Bytes,
        count: usize,
    ) -> Result<Vec<f64>, CallError> {
        let expected = count * number_type.width();
        if raw.len() != expected {
            return Err(CallError::field(
                format!("raw_input_contents[{}]", self.position),
                format!("has {} bytes, {expected} are expected", raw.len()),
            ));
        }
        Ok(number_type.raw_numbers(raw))
    }

    fn typed_numbers(
        &self,
        number_type: NumberType,
        contents: Option<&InferTensorContents>,
        count: usize,
    ) -> Result<Vec<f64>, CallError> {
        let none = InferTensorContents::default();
        let numbers = number_type
            .typed_numbers(contents.unwrap_or(&none))
            .map_err(|list| {
                let datatype = &self.tensor.datatype;
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

/// How a request's inputs hold the features.
enum Layout {
    /// All features in the first input.
    Matrix,
    /// For each feature its input, if it has one.
    Columns(Vec<Option<usize>>),
}

/// Rejects rows that no history gives.
fn check_rows(model: &ServedModel, values: &[f64], layout: &Layout) -> Result<(), CallError> {
    let Err((row, Contradiction { position, problem })) = model.constraints().check_matrix(values)
    else {
        return Ok(());
    };
    let (input, i) = match layout {
        Layout::Matrix => (0, row * model.catalogue().len() + position),
        // A feature that was left out contradicts nothing; the first input stands for what cannot be.
        Layout::Columns(input_of) => (input_of[position].unwrap_or(0), row),
    };
    Err(CallError::field(
        format!("inputs[{input}].contents[{i}]"),
        format!("row {row}: {problem}"),
    ))
}

/// The beginning of a text of the client's, which may be of any length.
fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}
