//! The model bundle: everything needed to score a user, and nothing about any user.
//!
//! [`Bundle`] is the checked content of `bundle.json`; its parts have a file each, from raw features to a churn
//! probability: [`Preprocessing`], [`Derived`] and [`bg_nbd`], [`Expansion`], [`ChurnModel`], [`Bands`], [`Segments`].
//! [`Bundle::predictor`] scores one user after another, [`Bundle::predict_matrix`] many at once. [`store`] writes and reads
//! a bundle's directory, and refuses one that is incomplete, altered, of another format, or that does not reproduce its own
//! golden answers.

pub(crate) mod archive;
pub(crate) mod bands;
pub mod bg_nbd;
pub(crate) mod bundle;
pub(crate) mod churn;
pub(crate) mod conversion;
pub(crate) mod derived;
pub(crate) mod expansion;
mod figures;
pub(crate) mod gamma_gamma;
pub(crate) mod golden;
pub(crate) mod pareto_nbd;
pub(crate) mod predict;
pub(crate) mod publish;
pub(crate) mod segments;
pub mod store;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod transform;
pub(crate) mod value;

pub use bands::{Bands, RiskBand};
pub use bg_nbd::{BgNbd, Purchases};
pub use bundle::{Bundle, BundleSpec, FORMAT_VERSION, OLDEST_FORMAT_VERSION, Training};
pub use churn::{Calibration, ChurnModel};
pub use conversion::ConversionModel;
pub use derived::Derived;
pub use expansion::{Expansion, Hinge, Interaction};
pub use figures::FigureError;
pub(crate) use figures::all_finite;
pub use gamma_gamma::GammaGamma;
pub use golden::{Golden, GoldenCase, GoldenValue};
pub use pareto_nbd::{OrderState, ParetoNbd, Silence};
pub use predict::Predictor;
pub use predict::answer::{
    FeatureContribution, HorizonContributions, HorizonScore, Prediction, Reason, Score,
    SegmentMatch, Subject,
};
pub use predict::matrix::{MatrixScores, MatrixValues, RowOutcome};
pub use publish::{
    KEPT_BUNDLES, KeptBundle, Published, kept_bundles, publish, publish_keeping, roll_back,
    roll_back_to,
};
pub use segments::{NoSegmentKey, Segment, SegmentKey, Segments};
pub use store::{Report, Saved, destination, load, report, save, version};
pub use transform::{Column, Preprocessing};
pub use value::{
    Rfm, RfmCuts, SpendIntervalBand, SpendIntervals, SpendModel, SpendRegression, ValueEstimate,
    ValueModel, ValueStatus, ValueTier, factor, factor_words,
};

use std::path::PathBuf;

use crate::features::FeatureError;
use crate::history::HistoryError;
use crate::output::OutputError;

/// What can go wrong with a bundle or a prediction.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file that could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A directory that is not to be overwritten.
    #[error("{} holds files and no MANIFEST.sha256, so it is not a model bundle; choose another folder", path.display())]
    NotABundle {
        /// The directory.
        path: PathBuf,
    },
    /// A bundle that is to be published in its own place.
    #[error("{} and {} are the same folder; fit into another one and publish that", model.display(), live.display())]
    SameFolder {
        /// The bundle.
        model: PathBuf,
        /// The place.
        live: PathBuf,
    },
    /// A folder that nothing was published over.
    #[error("there is no {}: no bundle has been replaced at {} yet", previous.display(), live.display())]
    NoPrevious {
        /// The folder of bundles in use.
        live: PathBuf,
        /// Where the one before it would be.
        previous: PathBuf,
    },
    /// A version that no bundle has, or several have.
    #[error(
        "{} bundle at {} or kept beside it has a version that begins with `{version}`; there {}",
        if *several { "more than one" } else { "no" }, live.display(), versions(kept)
    )]
    NoSuchVersion {
        /// The folder of bundles in use.
        live: PathBuf,
        /// What was given.
        version: String,
        /// Whether there are several.
        several: bool,
        /// The versions that there are, newest first.
        kept: Vec<String>,
    },
    /// A bundle that could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A file whose content is not what the manifest says: truncated or altered.
    #[error("{}: SHA-256 is {found}, the manifest says {expected}; the bundle is damaged, fit or copy it again", path.display())]
    Altered {
        /// The file.
        path: PathBuf,
        /// The manifest's hash.
        expected: String,
        /// The file's hash.
        found: String,
    },
    /// A manifest that cannot be read or lacks a file.
    #[error("{}: {problem}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file, or a folder with all of its files, that is larger than any bundle.
    #[error("{} has {bytes} bytes; at most {max_bytes} are read, and no bundle is as large", path.display())]
    TooLarge {
        /// The file or folder.
        path: PathBuf,
        /// How many bytes it has.
        bytes: u64,
        /// How many it may have.
        max_bytes: u64,
    },
    /// A bundle of another format.
    #[error("{}: format version {found}; this build reads {OLDEST_FORMAT_VERSION} to {FORMAT_VERSION}, {}", path.display(), format_remedy(*found))]
    FormatVersion {
        /// The file.
        path: PathBuf,
        /// The version it has.
        found: u64,
    },
    /// A file that is not the JSON it should be.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The parser's error, with line and column.
        source: serde_json::Error,
    },
    /// A bundle whose features this build does not compute.
    #[error(
        "the bundle's feature hash is {expected}, this build's is {found}: fit the model again with this version"
    )]
    FeatureHash {
        /// The bundle's hash.
        expected: String,
        /// The hash of the catalogue that this build makes of the same schema.
        found: String,
    },
    /// A bundle whose numbers contradict one another.
    #[error("the bundle's `{field}` {problem}")]
    Inconsistent {
        /// The field of `bundle.json`.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A bundle that does not give its own golden answers.
    #[error(
        "golden case {case}, {what}: found {found}, recorded {expected}; the bundle or this build is at fault"
    )]
    Golden {
        /// The case, from 0.
        case: usize,
        /// The answer's part that differs.
        what: String,
        /// What was recorded at training.
        expected: String,
        /// What this build computes.
        found: String,
    },
    /// A feature vector of the wrong width.
    #[error("the feature vector has {found} values, the model needs {expected}")]
    Width {
        /// The catalogue's length.
        expected: usize,
        /// The vector's length.
        found: usize,
    },
    /// A feature vector without a feature that every answer needs.
    #[error("feature `{name}` is needed and was not given")]
    Needed {
        /// The feature.
        name: String,
    },
    /// A schema or feature value that is not legal.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// A history that is not legal.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// What to do with a bundle of a format that this build does not read.
fn format_remedy(found: u64) -> &'static str {
    if found > FORMAT_VERSION {
        "upgrade ebb, or fit the model again with this version"
    } else {
        "fit the model again"
    }
}

/// The versions of bundles that are kept, as an error lists them.
fn versions(kept: &[String]) -> String {
    match kept {
        [one] => format!("is {one} only"),
        all => format!("are {}", all.join(", ")),
    }
}
