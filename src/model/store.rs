//! A bundle's directory: `bundle.json`, `golden.json`, `card.json`, `report.html` and `MANIFEST.sha256`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{Bundle, BundleSpec, FORMAT_VERSION, Golden, ModelError};

const MANIFEST: &str = "MANIFEST.sha256";
const FILES: [&str; 4] = ["bundle.json", "card.json", "golden.json", "report.html"];

/// A bundle read from its directory.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The checked bundle.
    pub bundle: Bundle,
    /// The text of `card.json`.
    pub card: String,
}

/// The hexadecimal SHA-256 of some bytes.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The version of the bundle that [`save`] makes of `spec`: a short hash of `bundle.json`.
pub fn version(spec: &BundleSpec) -> Result<String, ModelError> {
    Ok(version_of(&json(spec, Path::new("bundle.json"))?))
}

/// Checks `spec`, records its golden answers and writes the directory: first under a temporary name beside
/// `dir`, synced, then renamed. An existing bundle is replaced, anything else is left alone and refused.
pub fn save(dir: &Path, spec: BundleSpec, card: &str, report: &str) -> Result<Bundle, ModelError> {
    if dir.exists() && !dir.join(MANIFEST).exists() && fs::read_dir(dir).map_err(io(dir))?.next().is_some() {
        return Err(ModelError::NotABundle { path: dir.to_owned() });
    }
    let text = json(&spec, dir)?;
    let bundle = Bundle::new(spec, version_of(&text))?;
    let golden = json(&Golden::record(&bundle)?, dir)?;
    let parent = dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(io(parent))?;
    let temporary = beside(dir, "new");
    remove(&temporary)?;
    fs::create_dir(&temporary).map_err(io(&temporary))?;
    let mut manifest = String::new();
    for (name, content) in FILES.into_iter().zip([text.as_str(), card, &golden, report]) {
        write_synced(&temporary.join(name), content)?;
        manifest.push_str(&format!("{}  {name}\n", sha256_hex(content.as_bytes())));
    }
    write_synced(&temporary.join(MANIFEST), &manifest)?;
    let old = beside(dir, "old");
    remove(&old)?;
    if dir.exists() {
        fs::rename(dir, &old).map_err(io(dir))?;
    }
    fs::rename(&temporary, dir).map_err(io(dir))?;
    remove(&old)?;
    fs::File::open(parent).and_then(|d| d.sync_all()).map_err(io(parent))?;
    Ok(bundle)
}

/// Reads and checks a bundle's directory: manifest, format version, features, numbers and golden answers.
pub fn load(dir: &Path) -> Result<Saved, ModelError> {
    let manifest_path = dir.join(MANIFEST);
    let manifest = read(&manifest_path)?;
    let mut contents = Vec::with_capacity(FILES.len());
    for name in FILES {
        let expected = manifest.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix("  "));
        let Some(expected) = expected else {
            let problem = format!("does not list {name}; the bundle is damaged, fit or copy it again");
            return Err(ModelError::Manifest { path: manifest_path, problem });
        };
        let path = dir.join(name);
        let bytes = fs::read(&path).map_err(io(&path))?;
        let found = sha256_hex(&bytes);
        if found != expected {
            return Err(ModelError::Altered { path, expected: expected.to_owned(), found });
        }
        contents.push((path, bytes));
    }
    let [(bundle_path, bundle), (card_path, card), (golden_path, golden), _] = contents.as_slice() else {
        return Err(ModelError::Manifest { path: manifest_path, problem: "is incomplete".into() });
    };
    let spec = parse_spec(bundle_path, bundle)?;
    let bundle = Bundle::new(spec, version_of_bytes(bundle))?;
    parse::<Golden>(golden_path, golden)?.replay(&bundle)?;
    let card = String::from_utf8(card.clone())
        .map_err(|_| ModelError::Manifest { path: card_path.clone(), problem: "is not UTF-8".into() })?;
    Ok(Saved { bundle, card })
}

fn parse_spec(path: &Path, bytes: &[u8]) -> Result<BundleSpec, ModelError> {
    #[derive(Deserialize)]
    struct Format {
        format_version: u64,
    }
    // The version first: a bundle of another format need not have today's fields.
    let Format { format_version } = parse(path, bytes)?;
    if format_version != FORMAT_VERSION {
        return Err(ModelError::FormatVersion { path: path.to_owned(), found: format_version });
    }
    parse(path, bytes)
}

fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, ModelError> {
    serde_json::from_slice(bytes).map_err(|source| ModelError::Json { path: path.to_owned(), source })
}

fn json<T: serde::Serialize>(value: &T, path: &Path) -> Result<String, ModelError> {
    let text =
        serde_json::to_string_pretty(value).map_err(|source| ModelError::Json { path: path.to_owned(), source })?;
    Ok(text + "\n")
}

fn version_of(text: &str) -> String {
    version_of_bytes(text.as_bytes())
}

fn version_of_bytes(bytes: &[u8]) -> String {
    sha256_hex(bytes).chars().take(12).collect()
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> ModelError + '_ {
    move |source| ModelError::Io { path: path.to_owned(), source }
}

fn read(path: &Path) -> Result<String, ModelError> {
    fs::read_to_string(path).map_err(io(path))
}

fn write_synced(path: &Path, content: &str) -> Result<(), ModelError> {
    let mut file = fs::File::create(path).map_err(io(path))?;
    file.write_all(content.as_bytes()).and_then(|()| file.sync_all()).map_err(io(path))
}

fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let name = dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    dir.with_file_name(format!(".{name}.{suffix}"))
}

fn remove(dir: &Path) -> Result<(), ModelError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(dir)(error)),
        _ => Ok(()),
    }
}
