//! The description of the HTTP interface as OpenAPI 3.1, made from the protocol and its comments.

mod comments;
mod schema;

use bytes::Bytes;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use serde_json::{Map, Value, json};

use self::comments::comment;
use self::schema::Schemas;
use super::routes::{Route, Routes, Verb};
use crate::serve::errors::ServeError;

/// The document.
pub(super) fn document(pool: &DescriptorPool, routes: &Routes) -> Result<Bytes, ServeError> {
    let mut schemas = Schemas::default();
    let mut paths = Map::new();
    for route in routes.iter() {
        let missing = || ServeError::Protocol(format!("it has no method {}", route.rpc.path));
        let method = method(pool, route).ok_or_else(missing)?;
        let operation = operation(route, &method, &mut schemas);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.verb.name().to_lowercase()] = operation;
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ebb",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Churn scores as JSON over HTTP. Messages are those of the protocol churn.v1, written as protobuf's JSON mapping says.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"key": []}],
        "tags": tags(pool, routes),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, where the server asks for one.",
                },
            },
            "schemas": schemas.into_map(),
        },
    });
    serde_json::to_vec(&document)
        .map(Bytes::from)
        .map_err(|error| ServeError::Protocol(error.to_string()))
}

fn method(pool: &DescriptorPool, route: &Route) -> Option<MethodDescriptor> {
    let service = pool.get_service_by_name(route.rpc.service_name)?;
    service
        .methods()
        .find(|method| method.name() == route.rpc.method)
}

/// The services that have routes.
fn tags(pool: &DescriptorPool, routes: &Routes) -> Vec<Value> {
    let mut tags = Vec::<Value>::new();
    for route in routes.iter() {
        let name = route.rpc.service_name;
        let Some(service) = pool.get_service_by_name(name) else {
            continue;
        };
        if tags.iter().all(|tag| tag["name"] != service.name()) {
            let description = comment(&service.parent_file(), service.path());
            tags.push(json!({"name": service.name(), "description": description}));
        }
    }
    tags
}

/// One operation of a path.
fn operation(route: &Route, method: &MethodDescriptor, schemas: &mut Schemas) -> Value {
    let description = comment(&method.parent_file(), method.path());
    let summary = description.split(". ").next().unwrap_or_default();
    let mut operation = json!({
        "operationId": method.name(),
        "tags": [method.parent_service().name()],
        "summary": summary.trim_end_matches('.'),
        "description": description,
        "parameters": parameters(route, method, schemas),
        "responses": responses(method, schemas),
    });
    if route.verb == Verb::Post {
        operation["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": schemas.reference(&method.input())}},
        });
    }
    operation
}

/// What stands in the path, the query and the headers.
fn parameters(route: &Route, method: &MethodDescriptor, schemas: &mut Schemas) -> Vec<Value> {
    let mut all = Vec::new();
    if route.verb == Verb::Get {
        for field in method.input().fields() {
            let in_path = route.variable() == Some(field.name());
            let (place, name) = match in_path {
                true => ("path", field.name()),
                false => ("query", field.json_name()),
            };
            let mut schema = schemas.of_parameter(&field);
            if in_path {
                schema["minLength"] = json!(1);
            }
            all.push(json!({
                "name": name,
                "in": place,
                "required": in_path,
                "description": comment(&field.parent_file(), field.path()),
                "schema": schema,
            }));
        }
    }
    all.push(json!({
        "name": "X-Request-Timeout",
        "in": "header",
        "description": "How many seconds the caller waits for the answer, such as 2.5. A shorter limit of the server's holds.",
        "schema": {"type": "number", "minimum": 0, "maximum": 99_999_999},
    }));
    all
}

/// What may be answered.
fn responses(method: &MethodDescriptor, schemas: &mut Schemas) -> Value {
    let error = schemas.error();
    let failed = |description: &str| {
        json!({
            "description": description,
            "content": {"application/json": {"schema": error}},
        })
    };
    json!({
        "200": {
            "description": "The answer.",
            "content": {"application/json": {"schema": schemas.reference(&method.output())}},
        },
        "400": failed("The request is not legal, or this server cannot answer it: details name the field and the reason."),
        "401": failed("The server asks for a key, and there is none that is valid."),
        "403": failed("The key does not allow this, or the page that asks is of an origin that is not listed."),
        "404": failed("There is no such user or model."),
        "413": failed("The body has more bytes than the server takes."),
        "415": failed("The body is not application/json."),
        "429": failed("The server is busy: try again after the time in Retry-After."),
        "503": failed("The server starts or stops: try again after the time in Retry-After."),
        "504": failed("The time was over before there was an answer."),
        "default": failed("Any other failure."),
    })
}
