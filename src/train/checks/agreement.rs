//! Whether a model, a configuration and a log belong together: a model that was fitted under one must not score under another.

use crate::features::FeatureSchema;
use crate::history::Histories;
use crate::model::{BundleSpec, ConversionModel};
use crate::train::settings::{ConversionConfig, TrainConfig};

/// Why they do not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgreementError {
    /// A setting that is another than at the fit.
    #[error(
        "the model was fitted with {setting} = {model}, but the configuration says {config}: use the configuration that the \
         model was fitted with, or fit again"
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
        "the model uses the {}, of which the log has no event; it has {}. Check events.kind and events.paths",
        kinds(missing),
        kinds(present)
    )]
    MissingKinds {
        /// The kinds.
        missing: Vec<String>,
        /// The kinds that the log has.
        present: Vec<String>,
    },
    /// A log without amounts for a model that says what users are worth.
    #[error(
        "the model says what users are worth by their amounts, and no event of the log has an amount. Check events.amount and \
         events.paths"
    )]
    NoAmounts,
    /// Attributes that the model weighs and that were not read.
    #[error(
        "the model weighs the attribute `{name}`, a {kind}, and {found}: give the table that it was fitted with by [attributes] \
         in the configuration"
    )]
    MissingAttribute {
        /// The attribute.
        name: String,
        /// `category` or `number`.
        kind: &'static str,
        /// What there is in its place.
        found: String,
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
    match (&spec.conversion, &config.conversion) {
        (Some(part), Some(asked)) => check_conversion(part, asked),
        // Without the table the bundle answers what it was fitted for; a bundle without the part answers nothing.
        _ => Ok(()),
    }
}

/// Refuses a log to which attributes that the model weighs were not joined: all of its users would look as if they were not
/// known.
///
/// # Errors
/// [`AgreementError::MissingAttribute`] names the first one.
pub fn check_attributes(spec: &BundleSpec, log: &Histories) -> Result<(), AgreementError> {
    for attribute in spec.schema.table_attributes() {
        let mut columns = log.attribute_columns().iter();
        let column = columns.find(|column| column.name == attribute.name);
        let found = match column {
            Some(column) if column.kind == attribute.kind() => continue,
            Some(column) => format!("the configuration says that it is a {}", column.kind.name()),
            None if log.attribute_columns().is_empty() => {
                "no table of attributes was read".to_owned()
            }
            None => "the table of attributes has no such column".to_owned(),
        };
        return Err(AgreementError::MissingAttribute {
            name: attribute.name.clone(),
            kind: attribute.kind().name(),
            found,
        });
    }
    Ok(())
}

/// Refuses a configuration that asks potential users another question than the model's.
fn check_conversion(
    part: &ConversionModel,
    asked: &ConversionConfig,
) -> Result<(), AgreementError> {
    let sorted = |events: &[String]| {
        let mut events = events.to_vec();
        events.sort_unstable();
        format!("{events:?}")
    };
    let within_days = part.model.active_within_days;
    let settings = [
        (
            "conversion.event",
            sorted(&part.event),
            sorted(&asked.event),
        ),
        (
            "conversion.within_days",
            within_days.to_string(),
            asked.within_days.to_string(),
        ),
        (
            "conversion.repeat",
            part.repeat.to_string(),
            asked.repeat.to_string(),
        ),
    ];
    let differs = settings
        .into_iter()
        .find(|(_, model, config)| model != config);
    differs.map_or(Ok(()), |(setting, model, config)| {
        Err(AgreementError::Setting {
            setting,
            model,
            config,
        })
    })
}

/// Refuses a log without any event of a kind that the model weighs, or of all kinds that its orders are made of or that are
/// conversion: one of several, such as returns, may be missing for a while. For a model that says what users are worth, also one without any amount.
///
/// # Errors
/// [`AgreementError::MissingKinds`] names the kinds; [`AgreementError::NoAmounts`].
pub fn check_log(spec: &BundleSpec, log: &Histories) -> Result<(), AgreementError> {
    check_kinds(spec, log.kinds())?;
    if spec.value.is_some() && !log.totals().has_amounts() {
        return Err(AgreementError::NoAmounts);
    }
    Ok(())
}

fn check_kinds(spec: &BundleSpec, log: &[String]) -> Result<(), AgreementError> {
    let weighed = |schema: &FeatureSchema| -> Vec<String> {
        let used = schema.activity.iter().chain(&schema.other_kinds);
        let used = used.chain(schema.signal_kinds());
        let mut missing: Vec<String> = Vec::new();
        for kind in used.filter(|kind| !log.contains(kind)) {
            if !missing.contains(kind) {
                missing.push(kind.clone());
            }
        }
        missing
    };
    let mut missing = weighed(&spec.schema);
    if let Some(part) = &spec.conversion {
        let mut more = weighed(&part.model.schema);
        more.retain(|kind| !missing.contains(kind));
        missing.extend(more);
    }
    // One of several may be missing for a while, and all of them may not.
    let no_events = Vec::new();
    let of_conversion = spec.conversion.as_ref().map(|part| &part.event);
    for events in [
        &spec.schema.value_kinds,
        of_conversion.unwrap_or(&no_events),
    ] {
        if events.iter().all(|kind| !log.contains(kind)) {
            let more = events.iter().filter(|kind| !missing.contains(kind));
            let more: Vec<String> = more.cloned().collect();
            missing.extend(more);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(AgreementError::MissingKinds {
        missing,
        present: log.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::value::spec_of_kinds;

    #[test]
    fn a_log_lacks_orders_where_it_has_none_of_their_kinds() {
        let spec = spec_of_kinds(&["invoice", "credit"]);
        let log = |kinds: &[&str]| -> Vec<String> {
            let weighed = ["purchase", "return"].iter().chain(kinds);
            weighed.map(|kind| (*kind).to_owned()).collect()
        };
        let missing = |kinds: &[&str]| match check_kinds(&spec, &log(kinds)) {
            Ok(()) => Vec::new(),
            Err(AgreementError::MissingKinds { missing, .. }) => missing,
            Err(other) => panic!("{other}"),
        };
        assert_eq!(missing(&["credit", "invoice"]), [""; 0]);
        // A month without a credit note.
        assert_eq!(missing(&["invoice"]), [""; 0]);
        assert_eq!(missing(&["visit"]), ["invoice", "credit"]);
        // A kind that is weighed, too, is named once.
        let spec = spec_of_kinds(&["purchase"]);
        let error = check_kinds(&spec, &["return".to_owned()]).unwrap_err();
        let expected = AgreementError::MissingKinds {
            missing: vec!["purchase".into()],
            present: vec!["return".into()],
        };
        assert_eq!(error, expected);
        // The negative control: a model without orders asks for its own kinds alone.
        check_kinds(&crate::model::tests::spec(), &log(&[])).unwrap();
    }

    /// A bundle that asks whether people with a visit purchase.
    fn spec_with_conversion() -> BundleSpec {
        let mut spec = crate::model::tests::spec();
        let mut model = spec.clone();
        model.schema.activity = vec!["visit".into()];
        model.schema.other_kinds = Vec::new();
        model.active_within_days = 180;
        spec.conversion = Some(ConversionModel {
            event: vec!["order".into(), "invoice".into()],
            repeat: false,
            model: Box::new(model),
        });
        spec
    }

    #[test]
    fn a_log_lacks_conversion_where_it_has_none_of_its_kinds() {
        let spec = spec_with_conversion();
        let missing = |kinds: &[&str]| {
            let log: Vec<String> = kinds.iter().map(|&kind| kind.to_owned()).collect();
            match check_kinds(&spec, &log) {
                Ok(()) => Vec::new(),
                Err(AgreementError::MissingKinds { missing, .. }) => missing,
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(
            missing(&["purchase", "return", "visit", "invoice"]),
            [""; 0]
        );
        assert_eq!(
            missing(&["purchase", "return", "visit"]),
            ["order", "invoice"]
        );
        assert_eq!(missing(&["purchase", "return", "order"]), ["visit"]);
    }

    #[test]
    fn potential_users_are_asked_the_question_of_the_fit() {
        let part = spec_with_conversion().conversion.unwrap();
        let asked = |event: &[&str], within_days, repeat| {
            let config = ConversionConfig {
                event: event.iter().map(|&kind| kind.to_owned()).collect(),
                horizon_days: vec![30],
                within_days,
                repeat,
            };
            match check_conversion(&part, &config) {
                Ok(()) => "",
                Err(AgreementError::Setting { setting, .. }) => setting,
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(asked(&["invoice", "order"], 180, false), "");
        assert_eq!(asked(&["invoice"], 180, false), "conversion.event");
        assert_eq!(
            asked(&["order", "invoice"], 90, false),
            "conversion.within_days"
        );
        assert_eq!(asked(&["order", "invoice"], 180, true), "conversion.repeat");
    }
}
