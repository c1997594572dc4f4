use super::request::RequestContext;
use crate::features::{Contradiction, FeatureError};
use crate::serve::errors::{CallError, FieldPath};
use crate::serve::registry::ServedModel;
use crate::serve::wire;

/// Checks features by name and puts them in catalogue order; NaN for those that are left out.
pub(super) fn named(
    model: &ServedModel,
    features: wire::NamedFeatures,
    path: FieldPath,
) -> Result<Vec<f64>, CallError> {
    let wire::NamedFeatures { values } = features;
    let field = |name: &str| format!("{path}.features.values[{name}]");
    let mut vector = vec![f64::NAN; model.catalogue().len()];
    for (name, value) in values {
        let problem = match model.position(&name) {
            Ok(position) if value.is_finite() && model.allows(position, value) => {
                vector[position] = value;
                continue;
            }
            Ok(position) => not_allowed(model, position, value) + "; leave an unknown feature out",
            Err(FeatureError::Unknown {
                nearest: Some(nearest),
                ..
            }) => {
                format!("there is no such feature; the nearest is `{nearest}`")
            }
            Err(_) => "there is no such feature; GetModel lists them".to_owned(),
        };
        return Err(CallError::field(field(&name), problem));
    }
    match model.constraints().check(&vector) {
        Ok(()) => Ok(vector),
        Err(Contradiction { position, problem }) => Err(CallError::field(
            field(&model.feature(position).name),
            problem,
        )),
    }
}

/// Checks features that come in catalogue order; NaN where unknown.
pub(super) fn packed(
    context: &RequestContext,
    features: wire::PackedFeatures,
    path: FieldPath,
) -> Result<Vec<f64>, CallError> {
    let wire::PackedFeatures { values } = features;
    let model = &context.model;
    if !context.params.packed_allowed {
        let problem = format!("is required for {path}.packed_features; GetModel gives it");
        return Err(CallError::field("feature_hash", problem));
    }
    let expected = model.catalogue().len();
    if values.len() != expected {
        let problem = format!(
            "has {} values, the model has {expected} features",
            values.len()
        );
        return Err(CallError::field(
            format!("{path}.packed_features.values"),
            problem,
        ));
    }
    let field = |position| format!("{path}.packed_features.values[{position}]");
    let is_illegal = |(position, value): &(usize, &f64)| {
        value.is_infinite() || (!value.is_nan() && !model.allows(*position, **value))
    };
    if let Some((position, value)) = values.iter().enumerate().find(is_illegal) {
        let problem = not_allowed(model, position, *value) + "; send NaN when it is unknown";
        return Err(CallError::field(field(position), problem));
    }
    match model.constraints().check(&values) {
        Ok(()) => Ok(values),
        Err(Contradiction { position, problem }) => Err(CallError::field(field(position), problem)),
    }
}

fn not_allowed(model: &ServedModel, position: usize, value: f64) -> String {
    let name = &model.feature(position).name;
    let must = if value.is_finite() {
        "not be negative"
    } else {
        "be finite"
    };
    format!("`{name}` is {value}: it must {must}")
}
