//! Ebb predicts which users are about to leave: an offline trainer (`ebb-train`) turns an event log into a model
//! bundle, a gRPC server (`ebb-serve`) loads it and scores users.
//!
//! # The one idea
//!
//! Raw events are rolled up, once, into a [`history::History`] per user: sorted records of (day, kind, count,
//! amount). Everything else is a pure function of it. One pass over a log serves every cut-off date, late and
//! partitioned logs merge to the same bytes, the roll-up is one `GROUP BY user, day, kind` in any SQL engine, and
//! the server computes the features that the trainer computed, bit for bit.
//!
//! # The map, in reading order
//!
//! | module | owns | may import |
//! | --- | --- | --- |
//! | [`math`] | numeric kernels on slices | nothing |
//! | [`columnar`] | Arrow cells in, Parquet row groups out | nothing |
//! | [`regular_file`] | reading of files that may be something else, within a size | nothing |
//! | [`output`] | files and folders written whole or not at all: swaps, locks, clean-up | `regular_file` |
//! | [`terminal`] | how wide text may be | nothing |
//! | [`phases`] | how far long work has come, for an observer | nothing |
//! | [`configuration`] | settings of both programs: how they are described, and errors that name them | nothing |
//! | [`history`] | days, records, [`history::Histories`] in memory or spilled, the Parquet roll-up, what a log covers | `math`, `columnar`, `regular_file`, `output`, `phases` |
//! | [`features`] | the catalogue of features and their extraction | `history` |
//! | [`lifecycle`] | which users are scored; stages and the rules that decide them | `math`, `history`, `features` |
//! | [`events`] | reading logs: files, column mapping, the data-quality report | `math`, `columnar`, `configuration`, `phases`, `history` |
//! | [`rollup_sql`] | the roll-up as a query for SQL engines | `history`, `events` |
//! | [`model`] | the bundle: transforms, models, segments, prediction with reasons, files, publishing | `math`, `regular_file`, `output`, `history`, `features`, `lifecycle` |
//! | [`card`] | the model card as plain data | `configuration`, `history`, `features`, `lifecycle`, `model` |
//! | [`kpi`] | key performance indicators by period and group of users | `math`, `configuration`, `phases`, `history`, `features`, `lifecycle`, `model` |
//! | [`train`] | datasets, labels, checks, estimators, selection, evaluation, and the pipeline over them | all above but `rollup_sql` |
//! | [`init`] | a configuration proposed from a log: columns, formats, kinds, windows | `math`, `columnar`, `phases`, `history`, `events`, `train` |
//! | [`batch`] | a bundle applied to a whole log: scores, features, the users to look after first | `columnar`, `output`, `phases`, `history`, `features`, `lifecycle`, `model` |
//! | [`explain`] | one user's answer with every contribution, its value, the weeks before, and what supposed events would change | `math`, `history`, `features`, `lifecycle`, `model` |
//! | [`report`] | the card as HTML and as text, the quality gate, users as text and HTML | `math`, `history`, `features`, `lifecycle`, `model`, `card`, `batch`, `explain` |
//! | [`simulate`] | a synthetic shop with known causes of churn | `math`, `output`, `phases`, `history` |
//! | [`serve`] | the gRPC server: transport, gateway, services, engine, registry, telemetry | `math`, `configuration`, `regular_file`, `phases`, `history`, `features`, `lifecycle`, `model`, `kpi` |
//!
//! `train` and `serve` share only the files of the bundle. A test reads the sources and fails on an import that runs
//! the other way, between modules and between the folders of a module. The Cargo features `train` and `serve` (both on)
//! let each binary be built without the other's dependencies.
//!
//! `docs/architecture.md` has the way of a row and of a request as drawings, and the decisions with their evidence.
//!
//! # Absent on purpose
//!
//! No cluster, no feature store, no deep learning, no DataFrame library: SQL engines make the roll-up where one
//! machine is not enough, and a well-fed logistic model is within a hair of anything heavier on this problem.
//!
//! # Example
//!
//! ```
//! use ebb::features::{Catalogue, FeatureSchema, Quantity};
//! use ebb::history::{Amount, Day, DayRecord, History};
//!
//! let day = |text: &str| text.parse::<Day>();
//! let bought = |text| Ok::<_, ebb::history::HistoryError>(DayRecord { amount: Amount::new(9.5)?, day: day(text)?, count: 1, kind: 0 });
//! let history = History::new(vec![bought("2024-03-01")?, bought("2024-03-21")?])?;
//!
//! let catalogue = Catalogue::new(FeatureSchema {
//!     activity: vec!["purchase".into()],
//!     other_kinds: vec![],
//!     horizon_days: vec![30],
//!     amounts: true,
//!     seasonal_years: 0,
//!     lead_days: 0,
//!     value_kinds: vec![],
//!     attributes: Vec::new(),
//! })?;
//! let mut vector = vec![0.0; catalogue.len()];
//! let mut extractor = ebb::features::Extractor::new(&catalogue, catalogue.kinds());
//! extractor.extract(history.view(), day("2024-03-21")?, &mut vector);
//!
//! // The purchase on the as-of day itself cannot be seen.
//! let recency = catalogue.position(Quantity::Recency).and_then(|p| vector.get(p));
//! assert_eq!(recency, Some(&20.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "train")]
pub mod batch;
#[cfg(feature = "train")]
pub mod card;
pub mod columnar;
pub mod configuration;
#[cfg(feature = "train")]
pub mod events;
#[cfg(feature = "train")]
pub mod explain;
pub mod features;
pub mod history;
#[cfg(feature = "train")]
pub mod init;
pub mod kpi;
pub mod lifecycle;
pub mod math;
pub mod model;
pub mod output;
pub mod phases;
pub mod regular_file;
#[cfg(feature = "train")]
pub mod report;
#[cfg(feature = "train")]
pub mod rollup_sql;
#[cfg(feature = "serve")]
pub mod serve;
#[cfg(feature = "train")]
pub mod simulate;
pub mod terminal;
#[cfg(feature = "train")]
pub mod train;
