//! A bundle's directory: `bundle.json`, `golden.json`, `card.json`, `report.html` and `MANIFEST.sha256`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{Bundle, BundleSpec, FORMAT_VERSION, Golden, ModelError, OLDEST_FORMAT_VERSION};
use crate::output::{Destination, Folder, OutputError, Staged};
use crate::regular_file::contents;

pub(crate) const MANIFEST: &str = "MANIFEST.sha256";
const FILES: [&str; 4] = ["bundle.json", "card.json", "golden.json", "report.html"];

/// The most bytes of each of [`FILES`], some hundred times what they have: a folder of something else must not fill the
/// memory. The card is sent in one message, of which gRPC's clients take 4 MiB unless told otherwise.
const FILE_BYTES_MAX: [u64; FILES.len()] = [32 << 20, 2 << 20, 16 << 20, 32 << 20];
/// The same for the manifest.
const MANIFEST_BYTES_MAX: u64 = 64 << 10;
/// The most bytes of all files together.
const BUNDLE_BYTES_MAX: u64 = 64 << 20;

/// How often a bundle is read again because another took its place meanwhile.
const ATTEMPTS: usize = 100;

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
    hex::encode(Sha256::digest(bytes))
}

/// The version of the bundle that [`save`] makes of `spec`: a short hash of `bundle.json`.
pub fn version(spec: &BundleSpec) -> Result<String, ModelError> {
    Ok(version_of(json(spec, Path::new("bundle.json"))?.as_bytes()))
}

/// Where a bundle can be written: a new folder, an empty one, or a bundle with nothing else in it.
///
/// # Errors
/// [`ModelError::NotABundle`] and [`ModelError::Output`] name the folder and what is in the way.
pub fn destination(dir: &Path) -> Result<Destination, ModelError> {
    let destination = Destination::folder(dir, is_bundle_file)?;
    let entries = std::fs::read_dir(destination.path()).into_iter().flatten();
    if entries.count() > 0 && !destination.path().join(MANIFEST).exists() {
        return Err(ModelError::NotABundle {
            path: dir.to_owned(),
        });
    }
    Ok(destination)
}

/// Whether a name is that of a file of a bundle.
pub(crate) fn is_bundle_file(name: &OsStr) -> bool {
    name == MANIFEST || FILES.iter().any(|file| name == *file)
}

/// Checks `spec`, records its golden answers and writes the directory, which takes the place of an earlier bundle in one
/// step. A folder with anything else in it is left alone and refused.
pub fn save(dir: &Path, spec: BundleSpec, card: &str, report: &str) -> Result<Bundle, ModelError> {
    let destination = destination(dir)?;
    let text = json(&spec, dir)?;
    let bundle = Bundle::new(spec, version_of(text.as_bytes()))?;
    let golden = json(&Golden::record(&bundle)?, dir)?;
    check_card(&dir.join("card.json"), card)?;
    let contents = [text.as_str(), card, &golden, report].map(str::as_bytes);
    // What is written can be read again.
    for ((name, content), max_bytes) in FILES.iter().zip(contents).zip(FILE_BYTES_MAX) {
        check_size(&dir.join(name), content.len() as u64, max_bytes)?;
    }
    let lines = FILES
        .iter()
        .zip(contents)
        .map(|(name, content)| format!("{}  {name}\n", sha256_hex(content)));
    let manifest: String = lines.collect();
    stage(destination, manifest.as_bytes(), contents)?.commit()?;
    Ok(bundle)
}

/// Writes a bundle's files beside its destination.
pub(crate) fn stage(
    destination: Destination,
    manifest: &[u8],
    contents: [&[u8]; FILES.len()],
) -> Result<Staged, OutputError> {
    let staged = Staged::new(destination)?;
    for (name, content) in FILES
        .into_iter()
        .zip(contents)
        .chain([(MANIFEST, manifest)])
    {
        let written = staged.create(name)?.write_all(content);
        written.map_err(|source| OutputError::Io {
            path: staged.destination().given().join(name),
            source,
        })?;
    }
    Ok(staged)
}

/// Reads and checks a bundle's directory: manifest, format version, features, numbers and golden answers. All of it is of
/// one bundle, also when another takes its place meanwhile.
pub fn load(dir: &Path) -> Result<Saved, ModelError> {
    load_files(dir).map(|(saved, _)| saved)
}

/// The report of a bundle.
#[derive(Clone, Debug)]
pub struct Report {
    /// The version of the bundle.
    pub version: String,
    /// The page, as HTML.
    pub html: Vec<u8>,
}

/// Reads and checks a bundle's directory as [`load`] does, for its report.
pub fn report(dir: &Path) -> Result<Report, ModelError> {
    let (saved, files) = load_files(dir)?;
    let [.., html] = files.contents;
    Ok(Report {
        version: saved.bundle.version().to_owned(),
        html,
    })
}

/// [`load`], with the bytes of the files.
pub(crate) fn load_files(dir: &Path) -> Result<(Saved, Files), ModelError> {
    let mut attempts = ATTEMPTS;
    loop {
        let folder = Folder::open(dir).map_err(io(dir))?;
        match Files::read(&folder) {
            // Its files were removed while they were read, because another bundle is in their place.
            Err(_) if attempts > 0 && folder.was_replaced() => attempts -= 1,
            files => {
                let files = files?;
                return Ok((files.check(&folder)?, files));
            }
        }
    }
}

/// The bytes of a bundle's files, which are what the manifest says.
#[derive(PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) manifest: Vec<u8>,
    pub(crate) contents: [Vec<u8>; FILES.len()],
}

impl Files {
    pub(crate) fn read(folder: &Folder) -> Result<Self, ModelError> {
        let manifest_path = || folder.path_of(MANIFEST);
        // All sizes are compared with what may be before a byte is read.
        let (manifest, files) = open_files(folder)?;
        let manifest = manifest.read()?;
        let not_text = || ModelError::Manifest {
            path: manifest_path(),
            problem: "is not UTF-8".into(),
        };
        let text = std::str::from_utf8(&manifest).map_err(|_| not_text())?;
        let mut contents = [const { Vec::new() }; FILES.len()];
        for ((name, file), content) in FILES.into_iter().zip(files).zip(&mut contents) {
            let expected = text
                .lines()
                .find_map(|line| line.strip_suffix(name)?.strip_suffix("  "));
            let Some(expected) = expected else {
                let problem =
                    format!("does not list {name}; the bundle is damaged, fit or copy it again");
                return Err(ModelError::Manifest {
                    path: manifest_path(),
                    problem,
                });
            };
            *content = file.read()?;
            let found = sha256_hex(content);
            if found != expected {
                return Err(ModelError::Altered {
                    path: file.path,
                    expected: expected.to_owned(),
                    found,
                });
            }
        }
        Ok(Self { manifest, contents })
    }

    fn check(&self, folder: &Folder) -> Result<Saved, ModelError> {
        let [bundle, card, golden, _] = &self.contents;
        let spec = parse_spec(&folder.path_of("bundle.json"), bundle)?;
        let bundle = Bundle::new(spec, version_of(bundle))?;
        parse::<Golden>(&folder.path_of("golden.json"), golden)?.replay(&bundle)?;
        let not_text = |_| ModelError::Manifest {
            path: folder.path_of("card.json"),
            problem: "is not UTF-8".into(),
        };
        let card = String::from_utf8(card.clone()).map_err(not_text)?;
        check_card(&folder.path_of("card.json"), &card)?;
        Ok(Saved { bundle, card })
    }

    /// The first digits of the hash of `bundle.json`.
    pub(crate) fn version(&self) -> String {
        let [bundle, ..] = &self.contents;
        version_of(bundle)
    }
}

/// A file of a bundle that is open and not larger than it may be.
struct OpenFile {
    path: PathBuf,
    file: File,
    max_bytes: u64,
}

impl OpenFile {
    fn read(&self) -> Result<Vec<u8>, ModelError> {
        contents(&self.file, self.max_bytes).map_err(io(&self.path))
    }
}

/// Opens the manifest and the files of a bundle, each within its size, and all of them together.
fn open_files(folder: &Folder) -> Result<(OpenFile, Vec<OpenFile>), ModelError> {
    let mut all_bytes = 0;
    let mut open = |name: &str, max_bytes: u64| {
        let path = folder.path_of(name);
        let file = folder.open_file(name).map_err(io(&path))?;
        let bytes = file.metadata().map_err(io(&path))?.len();
        check_size(&path, bytes, max_bytes)?;
        all_bytes += bytes;
        check_size(&folder.path_of(""), all_bytes, BUNDLE_BYTES_MAX)?;
        Ok(OpenFile {
            path,
            file,
            max_bytes,
        })
    };
    let manifest = open(MANIFEST, MANIFEST_BYTES_MAX)?;
    let sized = FILES.into_iter().zip(FILE_BYTES_MAX);
    let files = sized.map(|(name, max_bytes)| open(name, max_bytes));
    Ok((manifest, files.collect::<Result<_, ModelError>>()?))
}

fn check_size(path: &Path, bytes: u64, max_bytes: u64) -> Result<(), ModelError> {
    if bytes <= max_bytes {
        return Ok(());
    }
    Err(ModelError::TooLarge {
        path: path.to_owned(),
        bytes,
        max_bytes,
    })
}

/// Refuses a card that is not a JSON object: servers send it on as one.
fn check_card(path: &Path, card: &str) -> Result<(), ModelError> {
    parse::<serde_json::Map<String, serde_json::Value>>(path, card.as_bytes()).map(drop)
}

fn parse_spec(path: &Path, bytes: &[u8]) -> Result<BundleSpec, ModelError> {
    #[derive(Deserialize)]
    struct Format {
        format_version: u64,
    }
    // The version first: a bundle of another format need not have today's fields.
    let Format { format_version } = parse(path, bytes)?;
    if !(OLDEST_FORMAT_VERSION..=FORMAT_VERSION).contains(&format_version) {
        return Err(ModelError::FormatVersion {
            path: path.to_owned(),
            found: format_version,
        });
    }
    parse(path, bytes)
}

fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, ModelError> {
    serde_json::from_slice(bytes).map_err(|source| ModelError::Json {
        path: path.to_owned(),
        source,
    })
}

fn json<T: serde::Serialize>(value: &T, path: &Path) -> Result<String, ModelError> {
    let text = serde_json::to_string_pretty(value).map_err(|source| ModelError::Json {
        path: path.to_owned(),
        source,
    })?;
    Ok(text + "\n")
}

fn version_of(bytes: &[u8]) -> String {
    sha256_hex(bytes).chars().take(12).collect()
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> ModelError + '_ {
    move |source| ModelError::Io {
        path: path.to_owned(),
        source,
    }
}
