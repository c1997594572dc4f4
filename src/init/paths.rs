//! Paths of files as a configuration in some folder names them.

use std::path::{Component, Path, PathBuf};

use super::InitError;
use crate::events::EventsError;

/// Files from which a pattern is easier to read than their names.
const MANY_FILES: usize = 5;

/// Given files, folders and patterns as a configuration in `folder` names them: relative where they lie below it, or where
/// they were given relative to the working directory.
pub(crate) fn as_configured(given: &[PathBuf], folder: &Path) -> Result<Vec<String>, InitError> {
    let base = real(folder)?;
    match all_of_a_folder(given) {
        Some(pattern) => Ok(vec![one(&pattern, &base)?]),
        None => given.iter().map(|path| one(path, &base)).collect(),
    }
}

/// The pattern that stands for many files, where they are all that there are with their ending in one folder, as a shell
/// makes them of such a pattern.
fn all_of_a_folder(given: &[PathBuf]) -> Option<PathBuf> {
    let (folder, first) = (
        given.first()?.parent()?,
        given.first()?.file_name()?.to_str()?,
    );
    let (_, ending) = first.split_once('.')?;
    let ending = format!(".{ending}");
    let has_ending = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.ends_with(&ending)) && path.is_file()
    };
    let is_one_kind = |path: &PathBuf| path.parent() == Some(folder) && has_ending(path);
    if given.len() < MANY_FILES || !given.iter().all(is_one_kind) {
        return None;
    }
    let searched = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let entries = std::fs::read_dir(searched)
        .ok()?
        .collect::<Result<Vec<_>, _>>()
        .ok()?;
    let all = entries
        .iter()
        .filter(|entry| has_ending(&entry.path()))
        .count();
    let name = glob::Pattern::escape(&ending);
    (all == given.len()).then(|| folder.join(format!("*{name}")))
}

fn one(path: &Path, base: &Path) -> Result<String, InitError> {
    let full = match path.symlink_metadata() {
        // A link is named as it is given: what it leads to may change.
        Ok(_) => match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => real(parent)?.join(name),
            _ => real(path)?,
        },
        Err(_) => pattern(path)?,
    };
    let named = match full.strip_prefix(base) {
        Ok(below) if below.as_os_str().is_empty() => PathBuf::from("."),
        Ok(below) => below.to_owned(),
        Err(_) if path.is_absolute() => full,
        Err(_) => upwards(&full, base),
    };
    named
        .to_str()
        .map(str::to_owned)
        .ok_or_else(|| InitError::PathText {
            path: path.to_owned(),
        })
}

/// A pattern from the root: as far as it has no wildcards, it is a folder.
fn pattern(path: &Path) -> Result<PathBuf, InitError> {
    let is_plain =
        |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    let folder: PathBuf = path.components().take_while(is_plain).collect();
    let rest = path.strip_prefix(&folder).unwrap_or(path);
    Ok(real(&folder)?.join(rest))
}

/// A folder without links; an empty path is the working directory.
fn real(folder: &Path) -> Result<PathBuf, InitError> {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    folder.canonicalize().map_err(|source| {
        EventsError::Io {
            path: folder.to_owned(),
            source,
        }
        .into()
    })
}

/// The way from one folder to a path beside it.
fn upwards(full: &Path, base: &Path) -> PathBuf {
    let common = full
        .components()
        .zip(base.components())
        .take_while(|(one, other)| one == other)
        .count();
    let up = base.components().skip(common).map(|_| Component::ParentDir);
    up.chain(full.components().skip(common)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("project/data")).unwrap();
        std::fs::create_dir(root.join("elsewhere")).unwrap();
        for file in [
            "project/log.csv",
            "project/data/part-1.csv",
            "elsewhere/log.csv",
        ] {
            std::fs::write(root.join(file), "").unwrap();
        }
        let base = root.join("project");
        let name = |path: &str| one(&root.join(path), &base).unwrap();
        assert_eq!(name("project/log.csv"), "log.csv");
        assert_eq!(name("project/data"), "data");
        assert_eq!(name("project/data/*.csv"), "data/*.csv");
        assert_eq!(name("project"), ".");
        assert_eq!(name("project/data/../log.csv"), "log.csv");
        let parts: Vec<PathBuf> = (1..=6)
            .map(|n| root.join(format!("elsewhere/part-{n}.csv.gz")))
            .collect();
        for part in &parts {
            std::fs::write(part, "").unwrap();
        }
        let expected = root.join("elsewhere/*.csv.gz");
        assert_eq!(
            as_configured(&parts, &base).unwrap(),
            [expected.to_str().unwrap()]
        );
        assert_eq!(
            as_configured(&parts[1..], &base).unwrap().len(),
            5,
            "one is left out"
        );
        let outside = root.join("elsewhere/log.csv");
        assert_eq!(name("elsewhere/log.csv"), outside.to_str().unwrap());
        assert_eq!(upwards(&outside, &base), Path::new("../elsewhere/log.csv"));
    }
}
