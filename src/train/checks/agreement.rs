//! Whether a model, a configuration and a log belong together: what a model learnt under one must not be asked under another.

use crate::model::BundleSpec;
use crate::train::settings::TrainConfig;

/// Why they do not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgreementError {
    /// A setting that is another than at the fit.
    #[error(
        "the model was fitted with {setting} = {model}, but the configuration says {config}: name the configuration that the \
         model was fitted with by --config, or fit again"
    )]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What it was.
        model: String,
        /// What it is.
        config: String,
    },
    /// Kinds of events that the model weighs and the log lacks.
    #[error(
        "the model uses the {}, of which the log has no event; it has {}. Check events.kind and events.paths, or say \
         --allow-missing-kinds",
        kinds(missing),
        kinds(present)
    )]
    MissingKinds {
        /// The kinds.
        missing: Vec<String>,
        /// The kinds that the log has.
        present: Vec<String>,
    },
}

fn kinds(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let quoted: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    format!(
        "{} {}{more}",
        if names.len() == 1 { "kind" } else { "kinds" },
        quoted.join(", ")
    )
}

/// Refuses a configuration that counts days, activity or churn in another way than the model's.
///
/// # Errors
/// [`AgreementError::Setting`] names the first setting that differs.
pub fn check_config(spec: &BundleSpec, config: &TrainConfig) -> Result<(), AgreementError> {
    let differs = |setting, model: String, config: String| {
        Err(AgreementError::Setting {
            setting,
            model,
            config,
        })
    };
    if spec.timezone != config.timezone {
        return differs(
            "events.timezone",
            format!("{:?}", spec.timezone),
            format!("{:?}", config.timezone),
        );
    }
    // Kinds that never occurred are not part of the model.
    let unknown = spec
        .schema
        .activity
        .iter()
        .any(|kind| !config.churn.activity.contains(kind));
    let added = config
        .churn
        .activity
        .iter()
        .any(|kind| spec.schema.other_kinds.contains(kind));
    if unknown || added {
        return differs(
            "churn.activity",
            format!("{:?}", spec.schema.activity),
            format!("{:?}", config.churn.activity),
        );
    }
    if spec.churn_event != config.churn.churn_event {
        let text = |event: &Option<String>| {
            event
                .as_ref()
                .map_or("none".to_owned(), |kind| format!("{kind:?}"))
        };
        return differs(
            "churn.churn_event",
            text(&spec.churn_event),
            text(&config.churn.churn_event),
        );
    }
    Ok(())
}

/// Refuses a log without any event of a kind that the model weighs.
///
/// # Errors
/// [`AgreementError::MissingKinds`] names the kinds.
pub fn check_kinds(spec: &BundleSpec, log: &[String]) -> Result<(), AgreementError> {
    let used = spec.schema.activity.iter().chain(&spec.schema.other_kinds);
    let missing: Vec<String> = used.filter(|kind| !log.contains(kind)).cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(AgreementError::MissingKinds {
        missing,
        present: log.to_vec(),
    })
}
