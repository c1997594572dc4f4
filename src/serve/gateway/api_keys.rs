//! The key file: the names, hashes and permissions of the API keys that callers may have. Of the keys themselves nothing is
//! kept.
//!
//! Each line of the file is `NAME sha256:HEX PERMISSION[,PERMISSION...]`; `#` begins a comment. A name may come twice, so
//! that an old key is valid beside the new one until everybody has changed.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::serve::errors::ServeError;
use crate::serve::methods::Permission;

/// How keys begin, so that scanners for leaked secrets recognise them.
const PREFIX: &str = "ebb_";
/// The random part of a key.
const KEY_BYTES: usize = 32;
/// A key file beyond this is a mistake.
const FILE_BYTES_MAX: usize = 1 << 20;

/// One line of a key file.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
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
    pub(crate) fn find(&self, sent: &str) -> Option<&Key> {
        let hash = Sha256::digest(sent.as_bytes());
        let mut found = None;
        for key in &self.0 {
            if bool::from(key.hash.ct_eq(hash.as_slice())) {
                found = Some(key);
            }
        }
        found
    }

    /// Whether there is a key of this hash that allows so much.
    pub(crate) fn allows(&self, hash: &[u8; 32], needed: Permission) -> bool {
        let is_it = |key: &&Key| key.hash == *hash && key.permissions.contains(&needed);
        self.0.iter().any(|key| is_it(&key))
    }
}

impl Key {
    /// The caller's name, which may come twice while keys are rotated.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The hash of the key.
    pub(crate) fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// What the key allows.
    pub(crate) fn permissions(&self) -> &[Permission] {
        &self.permissions
    }

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
        hex::decode_to_slice(digits, &mut hash).map_err(|_| "the hash is not hexadecimal")?;
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
    let key = format!("{PREFIX}{}", hex::encode(random));
    let line = format!(
        "{name} sha256:{} {permissions}",
        hex::encode(Sha256::digest(key.as_bytes()))
    );
    Ok((key, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Keys, String> {
        Keys::parse(Path::new("keys"), text.as_bytes()).map_err(|e| e.to_string())
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
}
