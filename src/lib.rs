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
//! | [`output`] | writing files and folders whole or not at all: exchange, locks, cleaning up, what must not be replaced | nothing |
//! | [`history`] | days, records, [`history::Histories`], merging and spilling, the Parquet roll-up | `output` |
//! | [`events`] | reading logs: files, column mapping, the data-quality report; the roll-up as SQL | `history` |
//! | [`features`] | the catalogue of features and their extraction | `history` |
//! | [`lifecycle`] | who is asked about; stages and the rules that decide them | `history`, `features`, `math` |
//! | [`model`] | the bundle: transforms, models, segments, scoring, reasons, files, publishing | `math`, `output`, `history`, `features`, `lifecycle` |
//! | [`train`] | datasets, labels, fitting, evaluation, the card and the report | all above |
//! | [`simulate`] | a made-up shop whose churn causes are known | `output`, `history` |
//! | [`serve`] | wire types, RPCs, models in use, keys, limits, health | all above but `train`, `events`, `simulate` and `output` |
//!
//! `train` and `serve` meet only in the bundle's files. A test reads the sources and fails on an import that runs
//! the other way. The Cargo features `train` and `serve` (both on) let each binary be built without the other's
//! dependencies.
//!
//! # Decisions that are not obvious from the code
//!
//! - Amounts are whole millionths ([`history::Amount`]), because floating-point sums depend on their order.
//! - Rows are scattered over 64 partitions of users by a hash, and become runs of compact records there; runs that take too
//!   much memory go to files without a name. Users are put in order at the end, so neither threads nor spills change a byte.
//!   Everything that looks at all users does so by blocks of 256 that are decoded on the way, on all processors.
//! - A log is cut into pieces between records; whatever depends on the order of rows (the first refused ones, line numbers,
//!   which error comes first) is put in the order of the pieces afterwards.
//! - A record holds no time of day: a roll-up made by a SQL engine could not be relied on to carry it, and a raw log
//!   and its roll-up must give the same features.
//! - Exponentials and logarithms come from `libm`: the system's C library differs between machines in the last bit,
//!   and a bundle replays its golden answers bit for bit wherever it is loaded.
//! - An unknown feature (the usual gap of a user seen once) is NaN in a vector and becomes the average, 0, when
//!   standardised; a flag beside it tells the model that it was unknown.
//! - Standardised values are held inside the range that training saw, so that no user is scored by extrapolation.
//! - Several horizons have a model each; where a longer silence would come out likelier than a shorter one, the
//!   shorter horizon's answer holds, with its reasons, so that contributions always add up to the log-odds. Each horizon
//!   learns from the newest dates whose own windows were observed.
//! - The model is one logistic regression on standardised features, hinges at their quartiles, products of eight of them
//!   and BG/NBD's view, under a heavy penalty. On 19 cut-offs of three public logs, of the products of one of them as
//!   users, and of a simulated one, its log loss was 0.002 below that of the best peer of each, and below gradient
//!   boosting on all but one (`benches/RESULTS.md`). Under a light penalty hinges overfit.
//! - BG/NBD's numbers are derived from three features by constants in the bundle, so a client that sends features need
//!   not know of it. Its probability of being alive is 1 for whoever came once; the model sees that beside everything
//!   else.
//! - How to fit is chosen by rehearsals at dates in the past with an embargo, users apart, and the default stays unless
//!   another way beats it by two standard errors: with a handful of dates the best of many is mostly luck.
//! - The churn rate's next shift is not foretold by the last one nor by the last weeks' activity: at some 130 dates of
//!   those logs both had a correlation of 0.0 to -0.1 with it. Only what came back at every rehearsal is carried on, by half.
//! - The curvature of the Newton fit comes from some of the rows and is kept while its steps are good; the gradient and
//!   the stopping rule always see all rows, so the optimum is the same.
//! - A call whose work is less than the way to another thread is answered on the thread that read it; everything else
//!   waits in a bounded queue for the compute pool, and is dropped there when it has waited too long. Lists of a request are
//!   counted in its encoded form first, because megabytes of empty messages decode to hundreds of megabytes.
//! - The server drives hyper's connections itself instead of tonic's server: certificates change while it runs, silent
//!   peers are let go when descriptors run out, and a call passes one layer instead of several.
//! - Labels of models are not remembered over a restart: the configuration says what is stable.
//! - The forest that challenges the model is made of regression trees on 0 and 1: smartcore's classifier only votes.
//!
//! # Absent on purpose
//!
//! No cluster, no feature store, no deep learning, no DataFrame library: SQL engines make the roll-up where one
//! machine is not enough, and a well-fed logistic model is within a hair of anything heavier on this question.
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
#[cfg(feature = "train")]
pub mod events;
pub mod features;
pub mod history;
pub mod lifecycle;
pub mod math;
pub mod model;
pub mod output;
#[cfg(feature = "train")]
pub mod report;
#[cfg(feature = "train")]
pub mod rollup_sql;
#[cfg(feature = "serve")]
pub mod serve;
#[cfg(feature = "train")]
pub mod simulate;
#[cfg(feature = "train")]
pub mod train;
