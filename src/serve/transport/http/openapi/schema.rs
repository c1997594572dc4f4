//! Messages as JSON Schema, in the form that the JSON mapping writes and reads.

use prost_reflect::{Cardinality, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::comments::comment;

/// The name of the schema of errors.
const ERROR: &str = "google.rpc.Status";

/// The schemas that something refers to.
#[derive(Default)]
pub(super) struct Schemas(Map<String, Value>);

impl Schemas {
    /// All of them, by name.
    pub(super) fn into_map(self) -> Map<String, Value> {
        self.0
    }

    /// A reference to the schema of a message, which is made when it is not there yet.
    pub(super) fn reference(&mut self, message: &MessageDescriptor) -> Value {
        match message.full_name() {
            "google.protobuf.Timestamp" => {
                return json!({"type": "string", "format": "date-time"});
            }
            name if !self.0.contains_key(name) => {
                // Before its fields, of which one may be the message itself.
                self.0.insert(name.to_owned(), Value::Null);
                let schema = self.object(message);
                self.0.insert(name.to_owned(), schema);
            }
            _ => {}
        }
        refer(message.full_name())
    }

    fn object(&mut self, message: &MessageDescriptor) -> Value {
        let mut properties = Map::new();
        for field in message.fields() {
            properties.insert(field.json_name().to_owned(), self.field(&field));
        }
        let mut schema = json!({
            "type": "object",
            "description": comment(&message.parent_file(), message.path()),
            "properties": properties,
            "additionalProperties": false,
        });
        // Of the fields of a choice at most one may be there.
        let choices = message.oneofs().filter(|oneof| !oneof.is_synthetic());
        let rules: Vec<Value> = choices
            .map(|oneof| {
                let names: Vec<String> = oneof.fields().map(|f| f.json_name().to_owned()).collect();
                let pairs = names.iter().enumerate().flat_map(|(i, first)| {
                    names[i + 1..]
                        .iter()
                        .map(move |second| json!({"required": [first, second]}))
                });
                json!({"not": {"anyOf": pairs.collect::<Vec<_>>()}})
            })
            .collect();
        if !rules.is_empty() {
            schema["allOf"] = json!(rules);
        }
        schema
    }

    fn field(&mut self, field: &FieldDescriptor) -> Value {
        let description = comment(&field.parent_file(), field.path());
        let schema = if field.is_map() {
            let value = field
                .kind()
                .as_message()
                .map(|entry| entry.map_entry_value_field());
            let value = value.map(|value| self.kind(&value.kind()));
            json!({"type": "object", "additionalProperties": value})
        } else if field.is_list() {
            json!({"type": "array", "items": self.kind(&field.kind())})
        } else {
            self.kind(&field.kind())
        };
        described(schema, description)
    }

    /// The schema of a field in a query, where the names of an enumeration stand beside the field.
    pub(super) fn of_parameter(&mut self, field: &FieldDescriptor) -> Value {
        let one = match field.kind() {
            Kind::Enum(kind) => names(&kind),
            other => self.kind(&other),
        };
        match field.cardinality() {
            Cardinality::Repeated => json!({"type": "array", "items": one}),
            _ => one,
        }
    }

    fn kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Double | Kind::Float => json!({
                "anyOf": [{"type": "number", "format": "double"}, {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}],
            }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                json!({"type": "integer", "format": "int32"})
            }
            Kind::Uint32 | Kind::Fixed32 => {
                json!({"type": "integer", "minimum": 0, "maximum": u32::MAX})
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                json!({"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$"})
            }
            Kind::Uint64 | Kind::Fixed64 => {
                json!({"type": "string", "format": "uint64", "pattern": "^[0-9]{1,20}$"})
            }
            Kind::Bool => json!({"type": "boolean"}),
            Kind::String => json!({"type": "string"}),
            Kind::Bytes => json!({"type": "string", "format": "byte"}),
            Kind::Message(message) => self.reference(message),
            Kind::Enum(kind) => {
                let name = kind.full_name();
                if !self.0.contains_key(name) {
                    let schema = described(names(kind), enum_comment(kind));
                    self.0.insert(name.to_owned(), schema);
                }
                refer(name)
            }
        }
    }

    /// A reference to the schema of errors.
    pub(super) fn error(&mut self) -> Value {
        let error = || {
            json!({
                "type": "object",
                "description": "Why a request failed.",
                "required": ["code", "message"],
                "properties": {
                    "code": {"type": "integer", "description": "The status code of gRPC."},
                    "message": {"type": "string", "description": "The problem in plain words."},
                    "details": {
                        "type": "array",
                        "description": "Details of google.rpc, by their type: ErrorInfo always, with the reason; BadRequest with the field; RetryInfo with the time to wait; ResourceInfo.",
                        "items": {
                            "type": "object",
                            "required": ["@type"],
                            "properties": {"@type": {"type": "string"}},
                            "additionalProperties": true,
                        },
                    },
                },
            })
        };
        self.0.entry(ERROR).or_insert_with(error);
        refer(ERROR)
    }
}

fn refer(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn names(kind: &EnumDescriptor) -> Value {
    let names: Vec<String> = kind.values().map(|value| value.name().to_owned()).collect();
    json!({"type": "string", "enum": names})
}

/// The comments of an enumeration and of its values.
fn enum_comment(kind: &EnumDescriptor) -> String {
    let file = kind.parent_file();
    let values = kind.values().map(|value| {
        let text = comment(&file, value.path());
        format!("- {}: {}", value.name(), text.replace("\n\n", " "))
    });
    let values: Vec<String> = values.collect();
    format!("{}\n\n{}", comment(&file, kind.path()), values.join("\n"))
}

/// A schema with a description, unless it is empty.
fn described(mut schema: Value, description: String) -> Value {
    if !description.is_empty() {
        schema["description"] = description.into();
    }
    schema
}
