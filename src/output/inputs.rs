//! Outputs that must not be written over inputs.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use super::system::Identity;
use super::{Destination, OutputError};

/// What a command reads.
#[derive(Clone, Debug, Default)]
pub struct Inputs(Vec<Input>);

#[derive(Clone, Debug)]
struct Input {
    given: PathBuf,
    /// Without links.
    path: PathBuf,
    identity: Option<Identity>,
    is_folder: bool,
}

impl Inputs {
    /// Adds a file, or a folder with all that is below it. What is not there is left to its reader.
    pub fn add(&mut self, given: &Path) {
        if let (Ok(path), Ok(metadata)) = (given.canonicalize(), given.metadata()) {
            let (identity, is_folder) = (Identity::of(&metadata), metadata.is_dir());
            self.0.push(Input {
                given: given.to_owned(),
                path,
                identity,
                is_folder,
            });
        }
    }
}

/// Refuses outputs that are inputs, hold one or lie in one, under whatever name, and outputs at one place.
///
/// # Errors
/// [`OutputError`] names the output and the input.
pub fn check_apart(outputs: &[Destination], inputs: &Inputs) -> Result<(), OutputError> {
    for (position, output) in outputs.iter().enumerate() {
        let before = &outputs[..position];
        let near = |other: &&Destination| {
            output.path().starts_with(other.path()) || other.path().starts_with(output.path())
        };
        if let Some(other) = before.iter().find(near) {
            return Err(OutputError::Collision {
                one: other.given().to_owned(),
                other: output.given().to_owned(),
            });
        }
        let identity = output.identity();
        for input in &inputs.0 {
            let (path, given) = (output.given().to_owned(), input.given.clone());
            let is_same =
                identity.is_some() && identity == input.identity || output.path() == input.path;
            if is_same || output.is_folder() && input.path.starts_with(output.path()) {
                return Err(OutputError::IsInput { path, input: given });
            }
            if input.is_folder && is_seen_below(output.path(), &input.path) {
                return Err(OutputError::InInput { path, input: given });
            }
        }
    }
    Ok(())
}

/// Whether a path lies in a folder, where its readers see it: they pass over names that start with `_` or `.`.
fn is_seen_below(path: &Path, folder: &Path) -> bool {
    let hidden = |part: Component<'_>| {
        let name: &OsStr = part.as_os_str();
        name.as_encoded_bytes()
            .first()
            .is_some_and(|first| matches!(first, b'_' | b'.'))
    };
    path.strip_prefix(folder)
        .is_ok_and(|below| !below.components().any(hidden))
}
