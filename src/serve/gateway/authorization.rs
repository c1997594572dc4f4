//! API keys: who calls, and whether the key allows it.

use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::api_keys::Keys;
use crate::serve::context::{Access, Caller};
use crate::serve::errors::CallError;
use crate::serve::methods::{Permission, Rpc};

const NO_KEY: CallError =
    CallError::Unauthenticated("a valid key is needed: send `authorization: Bearer KEY`");

const MANAGED_WITH_KEY: CallError = CallError::Unauthenticated(
    "models are managed by callers with a key; start the server with a key file",
);

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

    /// Whether the server asks for no key.
    pub(super) fn is_open(&self) -> bool {
        self.keys.is_none()
    }

    /// Who makes a call of this method, `None` for one that does not exist, and whether that is allowed.
    pub(super) fn authorize(
        self: &Arc<Self>,
        headers: &HeaderMap,
        rpc: Option<&Rpc>,
    ) -> (Caller, Result<(), CallError>) {
        let nobody = |outcome| (Caller::default(), outcome);
        let needed = match rpc {
            Some(rpc) => match rpc.permission {
                None => return nobody(Ok(())),
                needed => needed,
            },
            // Only callers that are known learn that there is no such method.
            None => None,
        };
        let Some(keys) = self.current() else {
            return nobody(match needed {
                Some(needed) if !self.without_key.contains(&needed) => Err(MANAGED_WITH_KEY),
                _ => Ok(()),
            });
        };
        let Some(key) = sent(headers).and_then(|sent| keys.find(sent)) else {
            return nobody(Err(NO_KEY));
        };
        let outcome = match needed {
            Some(needed) if !key.permissions().contains(&needed) => Err(CallError::NotPermitted {
                key: key.name().to_string(),
                permission: needed.name(),
            }),
            _ => Ok(()),
        };
        // Of a unary call the key is looked at once.
        let is_streaming = rpc.is_some_and(|rpc| rpc.kind.is_streaming());
        let access = needed.filter(|_| is_streaming).map(|needed| {
            Arc::new(KeyAccess {
                keys: Arc::clone(self),
                hash: *key.hash(),
                needed,
            }) as Arc<dyn Access>
        });
        // A call that its key does not allow is logged under the key's name too.
        let caller = Caller {
            key: Some(Arc::clone(key.name())),
            access,
        };
        (caller, outcome)
    }
}

/// What a key allowed when a call began.
struct KeyAccess {
    keys: Arc<KeyRing>,
    hash: [u8; 32],
    needed: Permission,
}

impl Access for KeyAccess {
    fn is_valid(&self) -> bool {
        self.keys
            .current()
            .is_none_or(|keys| keys.allows(&self.hash, self.needed))
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
    use crate::serve::methods::{RPCS, find};

    const SCORE: &str = "/churn.v1.ScoringService/ScoreUser";
    const STREAM: &str = "/churn.v1.ScoringService/StreamScoreUsers";
    const READ: &str = "/churn.v1.ModelService/ListModels";
    const MANAGE: &str = "/churn.v1.ModelService/LoadModel";

    fn method(path: &str) -> Option<&'static Rpc> {
        find(path).map(|position| &RPCS[position])
    }

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
        let ring = Arc::new(KeyRing::guarded(parse(&format!(
            "# keys\n{old_line}\n\n{new_line} # since May\n"
        ))));
        let authorize = |key: &str, path: &str| {
            let (caller, outcome) =
                ring.authorize(&headers(&format!("bearer {key}")), method(path));
            (outcome, caller)
        };
        assert!(authorize(&old, SCORE).0.is_ok());
        assert!(authorize(&new, SCORE).0.is_ok());
        let (refused, caller) = authorize(&old, READ);
        assert!(matches!(
            refused,
            Err(CallError::NotPermitted {
                permission: "read",
                ..
            })
        ));
        assert_eq!(caller.name(), "shop");
        assert!(authorize(&new, READ).0.is_ok());
        let (refused, caller) = authorize(&old[..old.len() - 1], SCORE);
        assert!(matches!(refused, Err(CallError::Unauthenticated(_))));
        assert_eq!(caller.name(), "");
        // Of two streams the one with the old key must not go on once that is gone.
        let streams = [&old, &new].map(|key| authorize(key, STREAM).1);
        assert!(streams.iter().all(Caller::is_allowed));
        ring.replace(parse(&new_line));
        assert_eq!(streams.map(|caller| caller.is_allowed()), [false, true]);
        assert!(matches!(
            authorize(&old, "/none").0,
            Err(CallError::Unauthenticated(_))
        ));
        assert!(authorize(&new, "/none").0.is_ok());
    }

    #[test]
    fn without_keys_models_are_managed_from_this_machine_only() {
        let allows = |loopback, path| {
            let ring = Arc::new(KeyRing::open(loopback));
            ring.authorize(&HeaderMap::new(), method(path)).1.is_ok()
        };
        assert!(allows(true, MANAGE));
        assert!(!allows(false, MANAGE));
        assert!(allows(false, SCORE));
    }
}
