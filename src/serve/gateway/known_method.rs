//! The layer of the method table: what is not in it is refused.

use http::Request;

use super::check::Check;
use crate::serve::context::CallContext;
use crate::serve::errors::CallError;

/// Lets calls of the methods in [`crate::serve::methods::RPCS`] pass.
#[derive(Clone)]
pub(crate) struct KnownMethod;

impl Check for KnownMethod {
    fn check<B>(&self, request: &Request<B>) -> Result<(), CallError> {
        match CallContext::of(request.extensions()).named_method() {
            Some(_) => Ok(()),
            None => Err(CallError::UnknownMethod(
                "there is no such method; reflection lists those that are".into(),
            )),
        }
    }
}
