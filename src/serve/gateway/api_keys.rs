//! Who is calling: keys from a file, of which only hashes are kept.
//!
//! Each line of the file is `NAME sha256:HEX PERMISSION[,PERMISSION...]`; `#` begins a comment. A name may come twice, so
//! that an old key is valid beside the new one until everybody has changed.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::methods::Permission;
use crate::serve::errors::{CallError, ServeError};

/// How keys begin, so that scanners for leaked secrets recognise them.
const PREFIX: &str = "ebb_";
/// The random part of a key.
const KEY_BYTES: usize = 32;
/// A key file beyond this is a mistake.
const FILE_BYTES_MAX: usize = 1 << 20;

/// One line of a key file.
#[derive(Clone, PartialEq, Eq)]
struct Key {
    name: Arc<str>,
    hash: [u8; 32],
    permissions: Vec<Permission>,
}

/// The keys of one version of the file.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Keys(Vec<Key>);

impl Keys {
    /// Reads the text of a key file. Errors name the line and never quote it.
    pub(crate) fn parse(path: &Path, text: &[u8]) -> Result<Self, ServeError> {
        let fault = |problem: String| ServeError::Credentials {
            path: path.to_owned(),
            problem,
        };
        if text.len() > FILE_BYTES_MAX {
            return Err(fault(format!("is larger than {FILE_BYTES_MAX} bytes")));
        }
        let text = std::str::from_utf8(text).map_err(|_| fault("is not UTF-8".into()))?;
        let mut keys = Vec::new();
        for (i, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                keys.push(
                    Key::parse(line)
                        .map_err(|problem| fault(format!("line {}: {problem}", i + 1)))?,
                );
            }
        }
        if keys.is_empty() {
            return Err(fault(
                "has no keys; `ebb-serve --new-key NAME` makes one".into(),
            ));
        }
        Ok(Self(keys))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The key that was sent. Every key is compared, each in the same time whatever it holds.
    fn find(&self, sent: &str) -> Option<&Key> {
        let hash = Sha256::digest(sent.as_bytes());
        let mut found = None;
        for key in &self.0 {
            if bool::from(key.hash.ct_eq(hash.as_slice())) {
                found = Some(key);
            }
        }
        found
    }
}

impl Key {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [name, hash, permissions] = fields.as_slice() else {
            return Err("needs NAME sha256:HEX PERMISSION[,PERMISSION...]");
        };
        let digits = hash
            .strip_prefix("sha256:")
            .filter(|digits| digits.is_ascii() && digits.len() == 64);
        let digits = digits.ok_or("the second word must be sha256: and 64 hexadecimal digits")?;
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| "is not hexadecimal")?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| "the hash is not hexadecimal")?;
        }
        Ok(Self {
            name: (*name).into(),
            hash,
            permissions: parse_permissions(permissions)?,
        })
    }
}

/// Permissions as a key file writes them.
fn parse_permissions(text: &str) -> Result<Vec<Permission>, &'static str> {
    let named = |name: &str| Permission::ALL.into_iter().find(|p| p.name() == name);
    let all: Option<Vec<_>> = text.split(',').map(named).collect();
    all.ok_or("permissions are score, read and manage, with commas between")
}

/// The keys in use.
pub(crate) struct KeyRing {
    /// `None`: the server asks for no key.
    keys: Option<RwLock<Arc<Keys>>>,
    /// What callers may do when it asks for none.
    anybody: Vec<Permission>,
}

impl KeyRing {
    /// Callers need one of these keys.
    pub(crate) fn guarded(keys: Keys) -> Self {
        Self {
            keys: Some(RwLock::new(Arc::new(keys))),
            anybody: Vec::new(),
        }
    }

    /// Callers need no key. Models are managed from this machine only.
    pub(crate) fn open(loopback: bool) -> Self {
        let all = Permission::ALL.into_iter();
        Self {
            keys: None,
            anybody: all
                .filter(|p| loopback || *p != Permission::Manage)
                .collect(),
        }
    }

    /// Exchanges the keys.
    pub(crate) fn replace(&self, keys: Keys) {
        if let Some(current) = &self.keys {
            *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        }
    }

    /// Lets a call pass, or says why not. `needed` is `None` for what anybody may ask. Returns the key's name, if it
    /// took one.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        needed: Option<Permission>,
    ) -> Result<Option<Arc<str>>, CallError> {
        let Some(needed) = needed else {
            return Ok(None);
        };
        let Some(keys) = &self.keys else {
            return match self.anybody.contains(&needed) {
                true => Ok(None),
                false => Err(CallError::Unauthenticated(
                    "models are managed by callers with a key; start the server with a key file",
                )),
            };
        };
        let keys = Arc::clone(&keys.read().unwrap_or_else(PoisonError::into_inner));
        let key = sent(headers)
            .and_then(|sent| keys.find(sent))
            .ok_or(NO_KEY)?;
        if !key.permissions.contains(&needed) {
            return Err(CallError::NotPermitted {
                key: key.name.to_string(),
                permission: needed.name(),
            });
        }
        Ok(Some(Arc::clone(&key.name)))
    }

    /// Whether a caller of a method that does not exist may be told so.
    pub(crate) fn known(&self, headers: &HeaderMap) -> Result<(), CallError> {
        let Some(keys) = &self.keys else {
            return Ok(());
        };
        let keys = Arc::clone(&keys.read().unwrap_or_else(PoisonError::into_inner));
        sent(headers)
            .and_then(|sent| keys.find(sent))
            .map(|_| ())
            .ok_or(NO_KEY)
    }
}

const NO_KEY: CallError =
    CallError::Unauthenticated("a valid key is needed: send `authorization: Bearer KEY`");

/// The key in a call's headers.
fn sent(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// A new key and its line for the key file. `permissions` are words with commas between.
pub fn new_key(name: &str, permissions: &str) -> Result<(String, String), ServeError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        return Err(ServeError::Setting(
            "a key's name has letters, digits and -_. only".into(),
        ));
    }
    parse_permissions(permissions).map_err(|problem| ServeError::Setting(problem.to_owned()))?;
    let mut random = [0; KEY_BYTES];
    getrandom::fill(&mut random).map_err(ServeError::Random)?;
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let key = format!("{PREFIX}{}", hex(&random));
    let line = format!(
        "{name} sha256:{} {permissions}",
        hex(&Sha256::digest(key.as_bytes()))
    );
    Ok((key, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    fn parse(text: &str) -> Result<Keys, String> {
        Keys::parse(Path::new("keys"), text.as_bytes()).map_err(|e| e.to_string())
    }

    #[test]
    fn two_keys_of_one_name_are_valid_at_once_and_each_does_what_it_may() {
        let (old, old_line) = new_key("shop", "score").unwrap();
        let (new, new_line) = new_key("shop", "score,read").unwrap();
        let ring = KeyRing::guarded(
            parse(&format!("# keys\n{old_line}\n\n{new_line} # since May\n")).unwrap(),
        );
        let admit =
            |key: &str, needed| ring.admit(&headers(&format!("Bearer {key}")), Some(needed));
        assert!(admit(&old, Permission::Score).is_ok() && admit(&new, Permission::Score).is_ok());
        assert!(matches!(
            admit(&old, Permission::Read),
            Err(CallError::NotPermitted {
                permission: "read",
                ..
            })
        ));
        assert!(admit(&new, Permission::Read).is_ok());
        assert!(matches!(
            admit(&old[..old.len() - 1], Permission::Score),
            Err(CallError::Unauthenticated(_))
        ));
        ring.replace(parse(&new_line).unwrap());
        assert!(matches!(
            ring.known(&headers(&format!("bearer {old}"))),
            Err(CallError::Unauthenticated(_))
        ));
        assert!(ring.known(&headers(&format!("bearer {new}"))).is_ok());
    }

    #[test]
    fn a_key_has_256_random_bits_and_the_file_none_of_them() {
        let (key, line) = new_key("a", "score").unwrap();
        assert_eq!(key.len(), PREFIX.len() + 64);
        assert!(!line.contains(&key[PREFIX.len()..]));
        assert_ne!(new_key("a", "score").unwrap().0, key);
    }

    #[test]
    fn a_bad_line_is_named_and_not_quoted() {
        let (key, line) = new_key("a", "score").unwrap();
        for (text, part) in [
            (format!("{line}\n{key}\n"), "line 2: needs NAME"),
            (format!("a {key} score"), "line 1: the second word"),
            (line.replace("score", "scores"), "permissions are"),
            (line.replace("sha256:", "sha256:é"), "64 hexadecimal"),
            ("# none\n".into(), "has no keys"),
        ] {
            let problem = parse(&text).err().unwrap();
            assert!(
                problem.contains(part) && !problem.contains(&key[8..20]),
                "{problem}"
            );
        }
    }

    #[test]
    fn without_keys_models_are_managed_from_this_machine_only() {
        let empty = HeaderMap::new();
        assert!(
            KeyRing::open(true)
                .admit(&empty, Some(Permission::Manage))
                .is_ok()
        );
        assert!(
            KeyRing::open(false)
                .admit(&empty, Some(Permission::Manage))
                .is_err()
        );
        assert!(
            KeyRing::open(false)
                .admit(&empty, Some(Permission::Score))
                .is_ok()
        );
    }
}
