//! The message that a path and a query are: an object of JSON, read like any other from there on.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value;

use crate::serve::errors::CallError;

/// The message with the fields of a query, of which one may stand in the path.
pub(super) fn message(
    of: &MessageDescriptor,
    query: &str,
    variable: Option<(&str, impl AsRef<str>)>,
) -> Result<Bytes, CallError> {
    let mut object = BTreeMap::<String, Value>::new();
    let in_path = variable.as_ref().map(|(name, _)| *name);
    if let Some((name, value)) = &variable {
        object.insert((*name).to_owned(), value.as_ref().into());
    }
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let found = of
            .get_field_by_json_name(&name)
            .or_else(|| of.get_field_by_name(&name));
        let Some(field) = found else {
            return Err(CallError::field(
                &*name,
                "there is no such parameter; GET /openapi.json lists them",
            ));
        };
        if in_path == Some(field.name()) {
            return Err(CallError::field(&*name, "stands in the path"));
        }
        let value = value_of(&field, &value)?;
        match (object.get_mut(field.json_name()), field.is_list()) {
            (Some(Value::Array(values)), _) => values.push(value),
            (Some(_), _) => return Err(CallError::field(&*name, "is given twice")),
            (None, true) => {
                object.insert(field.json_name().to_owned(), Value::Array(vec![value]));
            }
            (None, false) => {
                object.insert(field.json_name().to_owned(), value);
            }
        }
    }
    // A map of texts, numbers as text and truth values is always JSON.
    serde_json::to_vec(&object)
        .map(Bytes::from)
        .map_err(|error| CallError::malformed(error.to_string()))
}

/// One value, as text where the mapping reads numbers and enumerations from text.
fn value_of(field: &FieldDescriptor, text: &str) -> Result<Value, CallError> {
    match field.kind() {
        Kind::Bool => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(CallError::field(
                field.json_name(),
                "is neither true nor false",
            )),
        },
        Kind::Message(_) => Err(CallError::field(
            field.json_name(),
            "is a message, which no query holds",
        )),
        _ => Ok(Value::String(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;

    use super::*;
    use crate::serve::wire;

    fn read(
        message_name: &str,
        query: &str,
        variable: Option<(&str, &str)>,
    ) -> Result<String, String> {
        let pool = DescriptorPool::decode(wire::DOCUMENTED).unwrap();
        let of = pool.get_message_by_name(message_name).unwrap();
        let bytes = message(&of, query, variable).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn a_query_is_an_object() {
        let list = "churn.v1.ListModelsRequest";
        assert_eq!(read(list, "", None).unwrap(), "{}");
        assert_eq!(
            read(list, "pageSize=3&page_token=a%20b%22", None).unwrap(),
            r#"{"pageSize":"3","pageToken":"a b\""}"#
        );
        assert_eq!(
            read(
                "churn.v1.GetModelRequest",
                "view=MODEL_VIEW_BASIC",
                Some(("model", "a\"b"))
            )
            .unwrap(),
            r#"{"model":"a\"b","view":"MODEL_VIEW_BASIC"}"#
        );
        let batch = read(
            "churn.v1.BatchScoreUsersRequest",
            "horizonDays=30&horizon_days=60",
            None,
        );
        assert_eq!(batch.unwrap(), r#"{"horizonDays":["30","60"]}"#);
        let load = read("churn.v1.LoadModelRequest", "validateOnly=true", None);
        assert_eq!(load.unwrap(), r#"{"validateOnly":true}"#);
    }

    #[test]
    fn what_a_query_cannot_hold_is_named() {
        for (message, query, problem) in [
            (
                "churn.v1.ListModelsRequest",
                "pagesize=1",
                "pagesize: there is no such parameter",
            ),
            (
                "churn.v1.ListModelsRequest",
                "pageSize=1&page_size=2",
                "page_size: is given twice",
            ),
            (
                "churn.v1.GetModelRequest",
                "model=b",
                "model: stands in the path",
            ),
            (
                "churn.v1.BatchScoreUsersRequest",
                "subjects=1",
                "subjects: is a message",
            ),
            (
                "churn.v1.LoadModelRequest",
                "validateOnly=yes",
                "validateOnly: is neither",
            ),
        ] {
            let found = read(message, query, Some(("model", "a"))).unwrap_err();
            assert!(found.starts_with(problem), "{found}");
        }
    }
}
