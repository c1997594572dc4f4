//! The one table of what is asked for in JSON: which method of the protocol a verb and a path stand for.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use percent_encoding::percent_decode_str;
use prost_reflect::DescriptorPool;

use super::grpc_web::WebEncoding;
use super::query::message;
use crate::serve::errors::{CallError, ServeError};
use crate::serve::form::JsonForm;
use crate::serve::methods::{RPCS, Rpc, find};

/// Where the description of the interface is.
pub(super) const OPENAPI: &str = "/openapi.json";

/// How a request carries its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// In the path and the query.
    Get,
    /// In the body.
    Post,
}

impl Verb {
    /// The verb's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }

    /// The verbs that a path with it takes.
    fn allowed(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD, OPTIONS",
            Self::Post => "POST, OPTIONS",
        }
    }

    fn is(self, method: &Method) -> bool {
        match self {
            Self::Get => method == Method::GET || method == Method::HEAD,
            Self::Post => method == Method::POST,
        }
    }
}

/// A verb and a path, of which a part in braces is a field of the message.
struct Template {
    verb: Verb,
    path: &'static str,
    rpc: &'static str,
}

const TEMPLATES: [Template; 6] = [
    Template {
        verb: Verb::Post,
        path: "/v1/score",
        rpc: "/churn.v1.ScoringService/ScoreUser",
    },
    Template {
        verb: Verb::Post,
        path: "/v1/score:batch",
        rpc: "/churn.v1.ScoringService/BatchScoreUsers",
    },
    Template {
        verb: Verb::Get,
        path: "/v1/users",
        rpc: "/churn.v1.ScoringService/ListUsers",
    },
    Template {
        verb: Verb::Get,
        path: "/v1/kpis",
        rpc: "/churn.v1.InsightService/GetKpis",
    },
    Template {
        verb: Verb::Get,
        path: "/v1/models",
        rpc: "/churn.v1.ModelService/ListModels",
    },
    Template {
        verb: Verb::Get,
        path: "/v1/models/{model}",
        rpc: "/churn.v1.ModelService/GetModel",
    },
];

/// A verb and a path with the method that they stand for.
pub(super) struct Route {
    pub(super) verb: Verb,
    pub(super) path: &'static str,
    pub(super) rpc: &'static Rpc,
    pub(super) form: Arc<JsonForm>,
}

impl Route {
    /// The field that stands in the path; `None` without one.
    pub(super) fn variable(&self) -> Option<&'static str> {
        let (_, rest) = self.path.split_once('{')?;
        rest.strip_suffix('}')
    }

    /// The value of the field in the path, still encoded; `None` for another path.
    fn matches<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self.path.split_once('{') {
            None => (path == self.path).then_some(""),
            Some((before, _)) => path
                .strip_prefix(before)
                .filter(|value| !value.is_empty() && !value.contains('/')),
        }
    }
}

/// What a request asks for.
pub(super) enum Target {
    /// The description of the interface.
    OpenApi,
    /// A call in JSON.
    Json {
        /// The method.
        method: &'static Rpc,
        /// How its messages are written.
        form: Arc<JsonForm>,
        /// The message, if it is not in the body.
        message: Option<Bytes>,
    },
    /// A call in gRPC-Web, of the method that its path names.
    GrpcWeb(WebEncoding),
}

/// Why a request is no call.
pub(super) struct Unroutable {
    /// The status of the answer to a known caller.
    pub(super) status: StatusCode,
    /// The verbs that the path takes, where it is the verb that is wrong.
    pub(super) allow: Option<&'static str>,
    /// The error.
    pub(super) error: CallError,
}

/// All routes.
pub(super) struct Routes(Vec<Route>);

impl Routes {
    /// The routes with their messages from the description of the protocol.
    pub(super) fn new(pool: &DescriptorPool) -> Result<Self, ServeError> {
        let route = |template: &Template| {
            let Template { verb, path, rpc } = *template;
            let missing = || ServeError::Protocol(format!("it has no method {rpc}"));
            let rpc = find(rpc)
                .map(|position| &RPCS[position])
                .ok_or_else(missing)?;
            let form = JsonForm::new(pool, rpc.service_name, rpc.method)?;
            Ok(Route {
                verb,
                path,
                rpc,
                form: Arc::new(form),
            })
        };
        TEMPLATES
            .iter()
            .map(route)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Route> {
        self.0.iter()
    }

    /// What a request asks for.
    pub(super) fn target(&self, head: &Parts) -> Result<Target, Unroutable> {
        let path = head.uri.path();
        if let Some(encoding) = WebEncoding::of(media_type(&head.headers)) {
            return match head.method == Method::POST {
                true => Ok(Target::GrpcWeb(encoding)),
                false => Err(wrong_verb(head, "POST, OPTIONS")),
            };
        }
        if path == OPENAPI {
            return match Verb::Get.is(&head.method) {
                true => Ok(Target::OpenApi),
                false => Err(wrong_verb(head, Verb::Get.allowed())),
            };
        }
        let found = self
            .0
            .iter()
            .find_map(|route| Some((route, route.matches(path)?)));
        let Some((route, value)) = found else {
            return Err(Unroutable {
                status: StatusCode::NOT_FOUND,
                allow: None,
                error: CallError::unknown_method(format!(
                    "there is no {path} here; GET {OPENAPI} describes what there is"
                )),
            });
        };
        if !route.verb.is(&head.method) {
            return Err(wrong_verb(head, route.verb.allowed()));
        }
        let message = match route.verb {
            Verb::Get => Some(in_head(route, head, value)?),
            Verb::Post => {
                check_body(head)?;
                None
            }
        };
        Ok(Target::Json {
            method: route.rpc,
            form: Arc::clone(&route.form),
            message,
        })
    }
}

/// The message that the path and the query are.
fn in_head(route: &Route, head: &Parts, value: &str) -> Result<Bytes, Unroutable> {
    let illegal = |error| Unroutable {
        status: StatusCode::BAD_REQUEST,
        allow: None,
        error,
    };
    let variable = match route.variable() {
        None => None,
        Some(name) => {
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| illegal(CallError::field(name, "is not UTF-8")))?;
            Some((name, value))
        }
    };
    let query = head.uri.query().unwrap_or_default();
    message(route.form.request_message(), query, variable).map_err(illegal)
}

/// Refuses a body that is not JSON, and a query where the message is the body.
fn check_body(head: &Parts) -> Result<(), Unroutable> {
    let unsupported = |error| Unroutable {
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        allow: None,
        error,
    };
    if media_type(&head.headers) != "application/json" {
        return Err(unsupported(CallError::malformed(
            "the content type must be application/json, or one of gRPC-Web's",
        )));
    }
    if head.headers.contains_key(CONTENT_ENCODING) {
        return Err(unsupported(CallError::malformed(
            "the body is compressed, which is not supported",
        )));
    }
    match head.uri.query() {
        None | Some("") => Ok(()),
        Some(query) => {
            let (name, _) = query.split_once('=').unwrap_or((query, ""));
            Err(Unroutable {
                status: StatusCode::BAD_REQUEST,
                allow: None,
                error: CallError::field(name, "goes into the body: this method reads no query"),
            })
        }
    }
}

fn wrong_verb(head: &Parts, allow: &'static str) -> Unroutable {
    Unroutable {
        status: StatusCode::METHOD_NOT_ALLOWED,
        allow: Some(allow),
        error: CallError::unknown_method(format!("{} is not one of {allow}", head.method)),
    }
}

/// The media type of a body without its parameters; empty without one.
fn media_type(headers: &HeaderMap) -> &str {
    let text = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = text.unwrap_or_default().split(';').next();
    kind.unwrap_or_default().trim()
}
