//! The layer of API keys: who calls, and whether the key allows it.

use std::sync::{Arc, PoisonError, RwLock};

use http::header::AUTHORIZATION;
use http::{HeaderMap, Request};

use super::api_keys::Keys;
use super::check::Check;
use crate::serve::context::{CallContext, Caller};
use crate::serve::errors::CallError;
use crate::serve::methods::Permission;

const NO_KEY: CallError =
    CallError::Unauthenticated("a valid key is needed: send `authorization: Bearer KEY`");

/// Lets calls pass whose key has the permission that their method takes.
#[derive(Clone)]
pub(crate) struct Authorization(Arc<KeyRing>);

impl Authorization {
    /// Looks keys up in this ring.
    pub(crate) fn new(keys: Arc<KeyRing>) -> Self {
        Self(keys)
    }
}

impl Check for Authorization {
    fn check<B>(&self, request: &Request<B>) -> Result<(), CallError> {
        let call = CallContext::of(request.extensions());
        match call.named_method() {
            // Only callers that are known learn that there is no such method.
            None => self.0.authenticate(request.headers()),
            Some(rpc) => match rpc.permission {
                None => Ok(()),
                Some(needed) => self.0.authorize(request.headers(), needed, &call.caller),
            },
        }
    }
}

/// The keys in use.
pub(crate) struct KeyRing {
    /// `None`: the server asks for no key.
    keys: Option<RwLock<Arc<Keys>>>,
    /// What callers may do when it asks for none.
    without_key: Vec<Permission>,
}

impl KeyRing {
    /// Callers need one of these keys.
    pub(crate) fn guarded(keys: Keys) -> Self {
        Self {
            keys: Some(RwLock::new(Arc::new(keys))),
            without_key: Vec::new(),
        }
    }

    /// Callers need no key. Models are managed from this machine only.
    pub(crate) fn open(loopback: bool) -> Self {
        let all = Permission::ALL.into_iter();
        Self {
            keys: None,
            without_key: all
                .filter(|p| loopback || *p != Permission::Manage)
                .collect(),
        }
    }

    /// Rotates the keys.
    pub(crate) fn replace(&self, keys: Keys) {
        if let Some(current) = &self.keys {
            *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        }
    }

    /// The keys as they are now; `None` when the server asks for none. The lock is held for as long as it takes to copy a
    /// pointer, so that a rotation waits for no call.
    fn current(&self) -> Option<Arc<Keys>> {
        let keys = self.keys.as_ref()?.read();
        Some(Arc::clone(&keys.unwrap_or_else(PoisonError::into_inner)))
    }

    /// Refuses a call without a valid key.
    fn authenticate(&self, headers: &HeaderMap) -> Result<(), CallError> {
        let Some(keys) = self.current() else {
            return Ok(());
        };
        sent(headers)
            .and_then(|sent| keys.find(sent))
            .map(|_| ())
            .ok_or(NO_KEY)
    }

    /// Refuses a call whose key doesn't have the permission, and names the key in `caller`.
    fn authorize(
        &self,
        headers: &HeaderMap,
        needed: Permission,
        caller: &Caller,
    ) -> Result<(), CallError> {
        let Some(keys) = self.current() else {
            return match self.without_key.contains(&needed) {
                true => Ok(()),
                false => Err(CallError::Unauthenticated(
                    "models are managed by callers with a key; start the server with a key file",
                )),
            };
        };
        let key = sent(headers)
            .and_then(|sent| keys.find(sent))
            .ok_or(NO_KEY)?;
        // A call that its key does not allow is logged under the key's name too.
        caller.set(Arc::clone(key.name()));
        match key.permissions().contains(&needed) {
            true => Ok(()),
            false => Err(CallError::NotPermitted {
                key: key.name().to_string(),
                permission: needed.name(),
            }),
        }
    }
}

/// The key in a call's headers.
fn sent(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::serve::gateway::api_keys::new_key;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    fn parse(text: &str) -> Keys {
        Keys::parse(Path::new("keys"), text.as_bytes()).unwrap()
    }

    #[test]
    fn two_keys_of_one_name_are_valid_at_once_and_each_does_what_it_may() {
        let (old, old_line) = new_key("shop", "score").unwrap();
        let (new, new_line) = new_key("shop", "score,read").unwrap();
        let ring = KeyRing::guarded(parse(&format!(
            "# keys\n{old_line}\n\n{new_line} # since May\n"
        )));
        let authorize = |key: &str, needed| {
            let caller = Caller::default();
            let headers = headers(&format!("Bearer {key}"));
            (
                ring.authorize(&headers, needed, &caller),
                caller.name().to_owned(),
            )
        };
        assert!(authorize(&old, Permission::Score).0.is_ok());
        assert!(authorize(&new, Permission::Score).0.is_ok());
        let (refused, caller) = authorize(&old, Permission::Read);
        assert!(matches!(
            refused,
            Err(CallError::NotPermitted {
                permission: "read",
                ..
            })
        ));
        assert_eq!(caller, "shop");
        assert!(authorize(&new, Permission::Read).0.is_ok());
        let (refused, caller) = authorize(&old[..old.len() - 1], Permission::Score);
        assert!(matches!(refused, Err(CallError::Unauthenticated(_))));
        assert_eq!(caller, "");
        ring.replace(parse(&new_line));
        assert!(matches!(
            ring.authenticate(&headers(&format!("bearer {old}"))),
            Err(CallError::Unauthenticated(_))
        ));
        assert!(
            ring.authenticate(&headers(&format!("bearer {new}")))
                .is_ok()
        );
    }

    #[test]
    fn without_keys_models_are_managed_from_this_machine_only() {
        let allows = |ring: KeyRing, needed| {
            ring.authorize(&HeaderMap::new(), needed, &Caller::default())
                .is_ok()
        };
        assert!(allows(KeyRing::open(true), Permission::Manage));
        assert!(!allows(KeyRing::open(false), Permission::Manage));
        assert!(allows(KeyRing::open(false), Permission::Score));
    }
}
