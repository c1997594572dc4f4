//! Bundles to serve, questions to ask about them, and the answers known beforehand.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use ebb::history::{
    Amount, DayBounds, DayRecord, HistoriesBuilder, History as Records, Users, read_rollup,
};
use ebb::model::{Bundle, Prediction, load, save};
use ebb::serve::client::*;
use prost::Message;
use prost::bytes::Bytes;

/// The method that scores one user.
pub const SCORE_USER: &str = "/churn.v1.ScoringService/ScoreUser";
/// The method that scores many.
pub const BATCH_SCORE_USERS: &str = "/churn.v1.ScoringService/BatchScoreUsers";

/// The features of a synthetic user that every model can score: some tens of days with every kind of event, the last of
/// them lately.
pub fn vector(bundle: &Bundle, user: usize) -> Vec<f64> {
    let (catalogue, as_of) = (bundle.catalogue(), bundle.spec().training.as_of);
    let days = 20 + (user % 11) as i32;
    let record = |time: i32, kind: usize| DayRecord {
        amount: Amount::from_micros(9_500_000 + i64::from(time) * 10_000),
        day: as_of.plus(-2 - (user % 5) as i32 - 5 * time),
        count: 1,
        kind: kind as u16,
    };
    let records =
        (0..days).flat_map(|time| (0..catalogue.kinds().len()).map(move |kind| record(time, kind)));
    let mut vector = vec![f64::NAN; catalogue.len()];
    if let Ok(history) = Records::new(records.collect()) {
        bundle
            .extractor(catalogue.kinds())
            .extract(history.view(), as_of, &mut vector);
    }
    vector
}

fn packed(bundle: &Bundle, user: usize) -> Subject {
    Subject {
        subject: Some(SubjectForm::PackedFeatures(PackedFeatures {
            values: vector(bundle, user),
        })),
        attributes: Vec::new(),
    }
}

/// A question about one user.
pub fn about_one(bundle: &Bundle) -> Bytes {
    let request = ScoreUserRequest {
        subject: Some(packed(bundle, 0)),
        feature_hash: bundle.spec().feature_hash.clone(),
        ..ScoreUserRequest::default()
    };
    request.encode_to_vec().into()
}

/// A question about many users by their features.
pub fn about_many(
    bundle: &Bundle,
    users: usize,
    reason_count: Option<u32>,
) -> BatchScoreUsersRequest {
    BatchScoreUsersRequest {
        subjects: (0..users).map(|user| packed(bundle, user)).collect(),
        feature_hash: bundle.spec().feature_hash.clone(),
        as_of: bundle.spec().training.as_of.to_string(),
        reason_count,
        ..BatchScoreUsersRequest::default()
    }
}

/// A question about many users by what they did: `days` active days each.
pub fn about_histories(bundle: &Bundle, users: usize, days: i32) -> BatchScoreUsersRequest {
    let (spec, kinds) = (bundle.spec(), bundle.catalogue().kinds());
    let kind = kinds.first().cloned().unwrap_or_default();
    let history = |user: usize| {
        let day = |age: i32| {
            spec.training
                .as_of
                .plus(-2 - age - (user % 20) as i32)
                .to_string()
        };
        let active = |age| DayActivity {
            day: day(age),
            kind: kind.clone(),
            count: 1,
            amount: 9.5,
        };
        History {
            events: Vec::new(),
            days: (0..days).map(active).collect(),
        }
    };
    let subjects = (0..users).map(|user| Subject {
        subject: Some(SubjectForm::History(history(user))),
        attributes: Vec::new(),
    });
    let as_of = spec.training.as_of.to_string();
    BatchScoreUsersRequest {
        subjects: subjects.collect(),
        as_of,
        ..BatchScoreUsersRequest::default()
    }
}

/// A question about many users of a roll-up by their ids: the fewest bytes for the work that they ask for. Users who
/// were active lately, because others have no score to work on.
pub fn about_ids(rollup: &Path, users: usize) -> Result<BatchScoreUsersRequest> {
    let mut builder = HistoriesBuilder::default();
    read_rollup(rollup, DayBounds::default(), Users::All, &mut builder)?;
    let histories = builder.finish()?;
    let (_, last) = histories.span().context("the roll-up is empty")?;
    let mut subjects = Vec::with_capacity(users);
    for position in 0..histories.len() {
        let Some((id, history)) = histories.at(position)? else {
            break;
        };
        let lately = history
            .view()
            .records()
            .last()
            .is_some_and(|record| record.day > last.plus(-30));
        if lately && subjects.len() < users {
            subjects.push(Subject {
                subject: Some(SubjectForm::UserId(id)),
                attributes: Vec::new(),
            });
        }
    }
    Ok(BatchScoreUsersRequest {
        subjects,
        ..BatchScoreUsersRequest::default()
    })
}

/// The churn probabilities that a model must answer [`about_one`] with.
pub fn expected(bundle: &Bundle) -> Result<Vec<f64>> {
    let mut predictor = bundle.predictor(bundle.catalogue().kinds());
    let (vector, as_of) = (vector(bundle, 0), bundle.spec().training.as_of);
    match predictor.predict(ebb::model::Subject::Features(&vector), as_of, 0)? {
        Prediction::Scored(score) => Ok(score.horizons.iter().map(|h| h.probability).collect()),
        other => bail!("the synthetic user is {other:?}"),
    }
}

/// The version and the churn probabilities of an answer.
pub fn answered(body: Bytes) -> Result<(String, Vec<f64>)> {
    let score = ScoreUserResponse::decode(body)?
        .score
        .context("an answer without a score")?;
    Ok((
        score.model_version,
        score.horizons.iter().map(|h| h.churn_probability).collect(),
    ))
}

/// Writes a bundle that differs from another by what it adds to all log-odds, and returns it.
pub fn write_variant(from: &Path, to: &Path, added: f64) -> Result<Bundle> {
    let saved = load(from)?;
    let mut spec = saved.bundle.spec().clone();
    for model in &mut spec.models {
        model.calibration.intercept += added;
    }
    Ok(save(
        to,
        spec,
        &saved.card,
        "<p>made for a stress test</p>\n",
    )?)
}

/// Copies a bundle's files.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{}", from.display()))? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// The part of the inference protocol's request that a tensor of doubles needs.
#[derive(Clone, PartialEq, Message)]
struct ModelInferRequest {
    #[prost(string, tag = "1")]
    model_name: String,
    #[prost(message, repeated, tag = "5")]
    inputs: Vec<InferInputTensor>,
    #[prost(bytes = "vec", repeated, tag = "7")]
    raw_input_contents: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct InferInputTensor {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    datatype: String,
    #[prost(int64, repeated, tag = "3")]
    shape: Vec<i64>,
}

/// The same users as [`about_many`], as one raw tensor.
pub fn about_many_raw(bundle: &Bundle, users: usize) -> Bytes {
    let numbers = (0..users).flat_map(|user| vector(bundle, user));
    let shape = vec![users as i64, bundle.catalogue().len() as i64];
    let request = ModelInferRequest {
        model_name: "stable".to_owned(),
        inputs: vec![InferInputTensor {
            name: "features".to_owned(),
            datatype: "FP64".to_owned(),
            shape,
        }],
        raw_input_contents: vec![numbers.flat_map(f64::to_le_bytes).collect()],
    };
    request.encode_to_vec().into()
}
