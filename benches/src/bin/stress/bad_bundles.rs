//! Damaged bundles are refused with a reason that names the fault, and the model in use serves on.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ebb::model::store::sha256_hex;
use ebb::serve::client::*;
use tonic::Status;
use tonic::transport::Channel;

use crate::load::{Call, connect, open_loop, tally};
use crate::promises::Promises;
use crate::questions::{SCORE_USER, about_one, answered, copy, expected};
use crate::server::Setup;

/// How hard and how long.
#[derive(clap::Args)]
pub struct Options {
    /// How long calls go on; the bundles are spread over it.
    #[arg(long, default_value_t = 30.0)]
    seconds: f64,
    /// Calls in a second.
    #[arg(long, default_value_t = 1_000.0)]
    rate: f64,
}

/// A damage: the folder's name, what is done to it, and the words one of which the refusal must hold.
struct Damage {
    name: &'static str,
    inflict: fn(&Path) -> Result<()>,
    named_by: &'static [&'static str],
}

const DAMAGES: [Damage; 14] = [
    Damage {
        name: "truncated",
        inflict: |d| cut(&d.join("bundle.json")),
        named_by: &["bundle.json"],
    },
    Damage {
        name: "file-missing",
        inflict: |d| Ok(fs::remove_file(d.join("golden.json"))?),
        named_by: &["golden.json"],
    },
    Damage {
        name: "byte-altered",
        inflict: |d| flip(&d.join("card.json")),
        named_by: &["card.json"],
    },
    Damage {
        name: "report-altered",
        inflict: |d| flip(&d.join("report.html")),
        named_by: &["report.html"],
    },
    Damage {
        name: "manifest-missing",
        inflict: |d| Ok(fs::remove_file(d.join("MANIFEST.sha256"))?),
        named_by: &["MANIFEST.sha256"],
    },
    Damage {
        name: "manifest-cut",
        inflict: |d| cut(&d.join("MANIFEST.sha256")),
        named_by: &["does not list"],
    },
    Damage {
        name: "weight-nan",
        inflict: |d| {
            edit(d, "bundle.json", |text| {
                after(text, "\"weights\": [", "NaN")
            })
        },
        named_by: &["bundle.json"],
    },
    Damage {
        name: "other-features",
        inflict: |d| {
            edit(d, "bundle.json", |text| {
                after(text, "\"feature_hash\": \"", "0")
            })
        },
        named_by: &["feature hash"],
    },
    Damage {
        name: "other-schema",
        inflict: |d| {
            edit(d, "bundle.json", |text| {
                after(text, "\"activity\": [", "\"refund\",")
            })
        },
        named_by: &["feature hash"],
    },
    Damage {
        name: "other-format",
        inflict: |d| {
            edit(d, "bundle.json", |text| {
                after(text, "\"format_version\": ", "9")
            })
        },
        named_by: &["format version"],
    },
    Damage {
        name: "other-answers",
        // Another number in front of the slope's decimals: a legal bundle that answers otherwise.
        inflict: |d| edit(d, "bundle.json", |text| after(text, "\"slope\": ", "1")),
        named_by: &["golden case"],
    },
    Damage {
        name: "empty",
        inflict: empty,
        named_by: &["MANIFEST.sha256", "is empty"],
    },
    Damage {
        name: "card-not-text",
        inflict: |d| rewrite(d, "card.json", b"{\"a\": \"\xff\"}"),
        named_by: &["card.json"],
    },
    Damage {
        name: "no-folder",
        inflict: become_file,
        named_by: &["no-folder"],
    },
];

/// Names that are no folder below the models' folder.
const NO_NAMES: [&str; 5] = ["", "never-made", "../sound", "/", "sound/../sound"];

/// The model in use, and one that takes damage after it was loaded.
const SOUND: &str = "sound";
const LATER: &str = "damaged-later";

/// Runs it.
pub async fn run(setup: &Setup, options: &Options, promises: &mut Promises) -> Result<()> {
    let models = setup.folder("bad-models")?;
    for name in [SOUND, LATER]
        .into_iter()
        .chain(DAMAGES.iter().map(|d| d.name))
    {
        copy(&setup.model, &models.join(name))?;
    }
    for damage in &DAMAGES {
        (damage.inflict)(&models.join(damage.name))
            .with_context(|| format!("cannot make {}", damage.name))?;
    }
    let bundle = ebb::model::load(&models.join(SOUND))?.bundle;
    let truth = (bundle.version().to_owned(), expected(&bundle)?);
    let server = setup
        .launch(&models.join(SOUND))?
        .with("--models", &models)
        .start_ready()?;
    let control = connect(&server.address, 1)
        .await?
        .pop()
        .context("no connection")?;
    let mut control = ModelServiceClient::new(control);
    let call = Call::new(
        &connect(&server.address, 2).await?,
        SCORE_USER,
        about_one(&bundle),
    )?;
    let time = Duration::from_secs_f64(options.seconds);

    let (run, refused) = tokio::join!(
        open_loop(options.rate, time, |n| call.make(n)),
        refusals(&mut control, &models, time, promises)
    );
    refused?;
    let failures: Vec<&Status> = run
        .samples
        .iter()
        .filter_map(|s| s.outcome.as_ref().err())
        .collect();
    promises.figure(format!(
        "{:.0} calls a second: {}",
        options.rate,
        run.latencies(Result::is_ok)
    ));
    let failed = failures.len() + run.unanswered;
    promises.hold(
        failed == 0,
        format!(
            "no call fails: {failed} did, {}",
            tally(failures.into_iter())
        ),
    );
    let answers = run.samples.iter().filter_map(|s| s.outcome.as_ref().ok());
    let other = answers
        .filter(|body| answered((*body).clone()).ok().as_ref() != Some(&truth))
        .count();
    promises.hold(
        other == 0,
        format!("every answer is the sound model's: {other} are not"),
    );
    Ok(())
}

async fn refusals(
    control: &mut ModelServiceClient<Channel>,
    models: &Path,
    time: Duration,
    promises: &mut Promises,
) -> Result<()> {
    let pause = time / (DAMAGES.len() + NO_NAMES.len() + 2) as u32;
    for name in [SOUND, LATER] {
        load(control, name)
            .await
            .context("a sound bundle was refused")?;
    }
    for damage in &DAMAGES {
        tokio::time::sleep(pause).await;
        let refusal = load(control, damage.name).await.err();
        let text = refusal.as_ref().map_or("it was loaded", Status::message);
        let named = refusal.is_some() && damage.named_by.iter().any(|words| text.contains(words));
        promises.hold(
            named,
            format!("{} is refused and the fault named: {text}", damage.name),
        );
        let activated = activate(control, damage.name).await;
        let text = activated
            .as_ref()
            .err()
            .map_or("it was activated", Status::message);
        promises.hold(
            activated.is_err(),
            format!("{} cannot be activated: {text}", damage.name),
        );
    }
    for name in NO_NAMES {
        tokio::time::sleep(pause).await;
        let refusal = load(control, name).await.err();
        let text = refusal.as_ref().map_or("it was loaded".to_owned(), |s| {
            format!("{:?} {}", s.code(), s.message())
        });
        promises.hold(
            refusal.is_some(),
            format!("the name `{name}` is refused: {text}"),
        );
    }
    // A model that was loaded stays usable when its folder is damaged afterwards.
    cut(&models.join(LATER).join("bundle.json"))?;
    let refusal = load(control, LATER).await.err();
    let text = refusal.as_ref().map_or("it was loaded", Status::message);
    promises.hold(
        refusal.is_some(),
        format!("a model damaged after loading is not loaded again: {text}"),
    );
    let kept = activate(control, LATER).await;
    promises.hold(kept.is_ok(), format!("and can be used as it was: {kept:?}"));
    activate(control, SOUND)
        .await
        .context("the sound model cannot be activated again")?;
    Ok(())
}

async fn load(control: &mut ModelServiceClient<Channel>, name: &str) -> Result<(), Status> {
    let request = LoadModelRequest {
        name: name.to_owned(),
        validate_only: false,
    };
    control.load_model(request).await.map(|_| ())
}

async fn activate(control: &mut ModelServiceClient<Channel>, name: &str) -> Result<(), Status> {
    let name = name.to_owned();
    let request = ActivateModelRequest {
        label: ModelLabel::Stable.into(),
        name,
        etag: String::new(),
    };
    control.activate_model(request).await.map(|_| ())
}

/// Leaves the first half of a file.
fn cut(path: &Path) -> Result<()> {
    let bytes = fs::read(path)?;
    Ok(fs::write(
        path,
        bytes.get(..bytes.len() / 2).unwrap_or_default(),
    )?)
}

/// Changes one bit in the middle of a file.
fn flip(path: &Path) -> Result<()> {
    let mut bytes = fs::read(path)?;
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).context("an empty file")? ^= 1;
    Ok(fs::write(path, bytes)?)
}

/// Changes a text file of a bundle and makes its manifest agree.
fn edit(folder: &Path, name: &str, change: impl Fn(&str) -> Option<String>) -> Result<()> {
    let text = fs::read_to_string(folder.join(name))?;
    let changed = change(&text).with_context(|| format!("{name} does not look as expected"))?;
    rewrite(folder, name, changed.as_bytes())
}

/// Writes a file of a bundle and makes its manifest agree.
fn rewrite(folder: &Path, name: &str, content: &[u8]) -> Result<()> {
    let old = sha256_hex(&fs::read(folder.join(name))?);
    fs::write(folder.join(name), content)?;
    let manifest = folder.join("MANIFEST.sha256");
    let text = fs::read_to_string(&manifest)?;
    ensure!(text.contains(&old), "the manifest does not list {name}");
    Ok(fs::write(
        &manifest,
        text.replace(&old, &sha256_hex(content)),
    )?)
}

/// The text with more of it behind the last place of some words.
fn after(text: &str, words: &str, more: &str) -> Option<String> {
    let (before, rest) = text.rsplit_once(words)?;
    Some([before, words, more, rest].concat())
}

fn empty(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder)?;
    Ok(fs::create_dir(folder)?)
}

fn become_file(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder)?;
    Ok(fs::write(folder, "not a folder")?)
}
