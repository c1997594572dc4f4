//! What is known of a user beside events: wire messages to attributes, every field checked.

use std::sync::Arc;

use crate::features::FeatureSchema;
use crate::history::{
    AttributeColumn, AttributeKind, AttributeRecord, AttributeValue, Attributes, FiniteNumber,
};
use crate::serve::errors::{CallError, FieldPath};
use crate::serve::registry::ServedModel;
use crate::serve::wire;
use crate::serve::wire::attribute::Value;
use crate::serve::wire::subject::Subject as SubjectForm;

/// Characters of a name that an error shows.
const NAME_SHOWN: usize = 40;

/// Checks the attributes of a subject against those that the model weighs.
pub(super) fn attributes(
    model: &ServedModel,
    given: Vec<wire::Attribute>,
    path: FieldPath,
) -> Result<Attributes, CallError> {
    if given.is_empty() {
        return Ok(Attributes::default());
    }
    let (mut columns, mut records): (Vec<AttributeColumn>, Vec<AttributeRecord>) =
        (Vec::new(), Vec::new());
    for (i, wire::Attribute { name, value }) in given.into_iter().enumerate() {
        let fault = |field: &str, problem: String| {
            CallError::field(format!("{path}.attributes[{i}]{field}"), problem)
        };
        let schema = &model.spec().schema;
        let attribute = schema.table_attributes().find(|a| a.name == name);
        let attribute = attribute.ok_or_else(|| fault(".name", unknown(&name, schema)))?;
        if columns.iter().any(|column| column.name == name) {
            return Err(fault(".name", format!("`{name}` is given twice")));
        }
        let (value, category) = match (value, attribute.kind()) {
            (Some(Value::Category(category)), AttributeKind::Category) => {
                let category = category.trim().to_owned();
                if category.is_empty() {
                    let problem = "must not be empty; leave out what is not known";
                    return Err(fault(".category", problem.to_owned()));
                }
                (AttributeValue::Category(0), Some(category))
            }
            (Some(Value::Number(number)), AttributeKind::Number) => {
                let finite = FiniteNumber::new(number)
                    .ok_or_else(|| fault(".number", format!("is {number}: it must be finite")))?;
                (AttributeValue::Number(finite), None)
            }
            (Some(Value::Category(_)), AttributeKind::Number) => {
                return Err(fault(".category", format!("`{name}` is a number")));
            }
            (Some(Value::Number(_)), AttributeKind::Category) => {
                return Err(fault(".number", format!("`{name}` is a category")));
            }
            (None, _) => {
                let problem = "set one of category and number; leave out what is not known";
                return Err(fault("", problem.to_owned()));
            }
        };
        records.push(AttributeRecord {
            from: None,
            // No more than the model's own attributes, since each is there once.
            column: columns.len() as u16,
            value,
        });
        columns.push(AttributeColumn {
            name,
            kind: attribute.kind(),
            categories: category.into_iter().collect(),
        });
    }
    Ok(Attributes::new(Arc::new(columns), records))
}

/// The attributes that the model weighs and a subject does not give, in the model's order; none for a vector, which has them.
pub(crate) fn missing(model: &ServedModel, subject: &wire::Subject) -> Vec<String> {
    if let Some(SubjectForm::Features(_) | SubjectForm::PackedFeatures(_)) = subject.subject {
        return Vec::new();
    }
    let weighed = model.spec().schema.table_attributes();
    weighed
        .map(|attribute| &attribute.name)
        .filter(|name| subject.attributes.iter().all(|given| given.name != **name))
        .cloned()
        .collect()
}

/// What is wrong with a name that the model does not have.
fn unknown(name: &str, schema: &FeatureSchema) -> String {
    let name: String = name.chars().take(NAME_SHOWN).collect();
    let weighed = schema.table_attributes();
    let names: Vec<&str> = weighed.map(|attribute| attribute.name.as_str()).collect();
    match names.as_slice() {
        [] => format!("`{name}` is not an attribute of the model, which has none"),
        names => format!(
            "`{name}` is not an attribute of the model; it has {}",
            names.join(", ")
        ),
    }
}
