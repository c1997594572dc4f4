//! Every section and key of `ebb-serve.toml`, as the page of the reference describes it. Tests compare the rows with the types:
//! names, defaults, and both sides of every range.

use std::borrow::Cow;

use super::config::MIN_USERS;
use super::limits::{LimitRow, Limits};
use super::telemetry::settings::LINES_PER_SECOND_MOST;
use crate::configuration::reference::{DefaultValue, Range, Section, Setting};

const STRING: &str = "string";
const BOOLEAN: &str = "boolean";
/// What holds where an optional part is left out.
const NONE: &str = "none";

/// The sections in the order of the page.
pub fn sections() -> Vec<Section> {
    vec![
        Section {
            name: "",
            purpose: "The models, and where calls are answered.",
            settings: Cow::Borrowed(SERVER),
        },
        Section {
            name: "tls",
            purpose: "Encryption with TLS 1.3. Without the section connections are not encrypted.",
            settings: Cow::Borrowed(TLS),
        },
        Section {
            name: "http",
            purpose: "JSON over HTTP and gRPC-Web, on a port of their own.",
            settings: Cow::Borrowed(HTTP),
        },
        Section {
            name: "metrics",
            purpose: "Metrics, a page for people and health, over plain HTTP on a port of their own.",
            settings: Cow::Borrowed(METRICS),
        },
        Section {
            name: "log",
            purpose: "The log, on standard error.",
            settings: Cow::Borrowed(LOG),
        },
        Section {
            name: "traces",
            purpose: "Traces of calls for an OpenTelemetry collector, in a build with the feature `otel`. Without the section \
                      there are none.",
            settings: Cow::Borrowed(TRACES),
        },
        Section {
            name: "privacy",
            purpose: "What may be published about groups of users.",
            settings: Cow::Borrowed(PRIVACY),
        },
        Section {
            name: "limits",
            purpose: "Bounds on what clients may send and hold.",
            settings: Limits::ROWS.iter().map(limit).collect(),
        },
    ]
}

const SERVER: &[Setting] = &[
    Setting::new(
        "model",
        STRING,
        "The folder of the model that answers by default, as `ebb-train fit` writes it.",
    )
    .otherwise("required, unless the command line names one"),
    Setting::new(
        "canary",
        STRING,
        "The folder of a second model, for calls whose field `model` is `canary`.",
    )
    .otherwise(NONE),
    Setting::new(
        "shadow",
        STRING,
        "The folder of a third model, whose answers are only compared with those of the first, when the server is idle.",
    )
    .otherwise(NONE),
    Setting::new(
        "models",
        STRING,
        "The folder below which more models can be loaded while the server runs.",
    )
    .otherwise("no other model can be loaded"),
    Setting::new(
        "rollup",
        STRING,
        "The daily roll-up, a Parquet file or a folder of them, whose users can be scored by id.",
    )
    .otherwise("no user is known by id"),
    Setting::new("listen", STRING, "The address and port to listen on.")
        .default("\"127.0.0.1:50051\"")
        .range(Range::Condition {
            words: "an address that other machines can reach needs `[tls]` or `insecure`",
            legal: &["\"127.0.0.1:1\"", "\"[::1]:50051\""],
            illegal: &["\"0.0.0.0:50051\"", "\"localhost\""],
        }),
    Setting::new(
        "insecure",
        BOOLEAN,
        "Whether other machines may connect without encryption.",
    )
    .default("false"),
    Setting::new(
        "api_keys_file",
        STRING,
        "The file of the API keys that callers need.",
    )
    .otherwise("callers need none"),
];

const TLS: &[Setting] = &[
    Setting::new(
        "certificate",
        STRING,
        "The file of the server's certificate, followed by those that lead to its authority, as PEM.",
    ),
    Setting::new("key", STRING, "The file of its private key, as PEM."),
    Setting::new(
        "client_ca",
        STRING,
        "The file of the authorities of the clients' certificates, as PEM: every client must then have one.",
    )
    .otherwise("clients need no certificate"),
];

const HTTP: &[Setting] = &[
    Setting::new(
        "listen",
        STRING,
        "The address and port to answer JSON over HTTP and gRPC-Web on.",
    )
    .otherwise("there is no such port")
    .range(Range::Condition {
        words: "an address that other machines can reach needs `[tls]` or `insecure`",
        legal: &["\"127.0.0.1:8080\""],
        illegal: &["\"0.0.0.0:8080\"", "\"127.0.0.1:50051\""],
    }),
    Setting::new(
        "allow_origins",
        "list of strings",
        "The origins whose pages may ask, as `https://HOST` or `https://HOST:PORT`; `*` stands for all.",
    )
    .otherwise("pages of no origin may ask"),
];

const METRICS: &[Setting] = &[
    Setting::new(
        "listen",
        STRING,
        "The address and port to answer `GET /metrics`, a page for people and probes on.",
    )
    .otherwise("there is no such port")
    .range(Range::Condition {
        words: "an address that other machines can reach needs `public`",
        legal: &["\"127.0.0.1:9464\""],
        illegal: &["\"0.0.0.0:9464\"", "\"127.0.0.1:50051\""],
    }),
    Setting::new(
        "public",
        BOOLEAN,
        "Whether that may be an address that other machines can reach.",
    )
    .default("false"),
];

const LOG: &[Setting] = &[
    Setting::new(
        "format",
        STRING,
        "One JSON object in each line, or text to be read.",
    )
    .default("\"json\"")
    .range(Range::OneOf(&["json", "text"])),
    Setting::new(
        "access_log",
        STRING,
        "Which calls have a line: none, those that failed by a fault of the server, all that failed, or all.",
    )
    .default("\"server_errors\"")
    .range(Range::OneOf(&["none", "server_errors", "failed", "all"])),
    Setting::new(
        "max_lines_per_second",
        "integer",
        "Lines of each kind in a second; of more only the count is written.",
    )
    .default("100")
    .unit("lines")
    .range(Range::Integers(1, LINES_PER_SECOND_MOST as u64)),
];

const TRACES: &[Setting] = &[
    Setting::new(
        "endpoint",
        STRING,
        "Where the collector receives OTLP over gRPC, unencrypted.",
    )
    .default("\"http://127.0.0.1:4317\"")
    .range(Range::Condition {
        words: "`http://HOST:PORT`",
        legal: &["\"http://collector:4317\""],
        illegal: &["\"collector:4317\"", "\"https://collector:4317\""],
    }),
    Setting::new(
        "sample_ratio",
        "number",
        "The share of calls that are traced; a caller's own decision takes precedence.",
    )
    .unit("share of calls")
    .default("0.01")
    .range(Range::Closed(0.0, 1.0)),
];

const PRIVACY: &[Setting] = &[Setting::new(
    "min_users",
    "integer",
    "The fewest users that a figure of `GetKpis` may count; one of fewer is withheld, and those that would give it away.",
)
.unit("users")
.default("10")
.range(Range::Integers(
    *MIN_USERS.start() as u64,
    *MIN_USERS.end() as u64,
))];

fn limit(row: &LimitRow) -> Setting {
    let LimitRow {
        name,
        default,
        least,
        most,
        meaning,
    } = *row;
    let unit = match name.rsplit('_').next() {
        Some("bytes") => "bytes",
        Some("seconds") => "seconds",
        Some("ms") => "milliseconds",
        // A count of what the key names.
        _ => "",
    };
    Setting {
        default: DefaultValue::Number(default.into()),
        range: Range::Integers(least.into(), most.into()),
        ..Setting::new(name, "integer", meaning.trim()).unit(unit)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::serve::Config;

    /// A configuration with a key set; a section of TLS needs two keys.
    fn with_setting(section: &str, key: &str, value: &str) -> String {
        let setting = format!("{key} = {value}\n");
        match section {
            "" if key == "model" => setting,
            "" => format!("model = \"m\"\n{setting}"),
            "tls" => {
                let required = ["certificate", "key"].map(|name| match key == name {
                    true => String::new(),
                    false => format!("{name} = \"x\"\n"),
                });
                format!("model = \"m\"\n[tls]\n{}{setting}", required.concat())
            }
            section => format!("model = \"m\"\n[{section}]\n{setting}"),
        }
    }

    fn parse(text: &str) -> Result<Config, String> {
        let config: Config = toml::from_str(text).map_err(|error| error.to_string())?;
        config.validate().map_err(|error| error.to_string())?;
        Ok(config)
    }

    /// Whether this build can judge a section: without the feature `otel` all of `[traces]` is refused.
    fn is_judged(section: &Section) -> bool {
        section.name != "traces" || cfg!(feature = "otel")
    }

    #[test]
    fn the_rows_are_the_keys_that_the_parser_knows() {
        let sections = sections();
        let mut tables: BTreeSet<&str> = sections.iter().map(|section| section.name).collect();
        tables.remove("");
        for section in &sections {
            let refused = parse(&with_setting(section.name, "no_such_key", "1")).unwrap_err();
            let (_, names) = refused.split_once("`, expected").unwrap();
            let found: BTreeSet<&str> = names.split('`').skip(1).step_by(2).collect();
            let mut documented: BTreeSet<&str> = section.settings.iter().map(|s| s.key).collect();
            if section.name.is_empty() {
                documented.extend(&tables);
            }
            assert_eq!(found, documented, "[{}]", section.name);
        }
    }

    #[test]
    fn the_defaults_are_those_of_a_file_without_the_key() {
        let of = |text: &str| {
            let config: Config = toml::from_str(text).unwrap();
            let listen = Some(config.address());
            Config { listen, ..config }
        };
        for section in sections() {
            for setting in section.settings.iter() {
                let value = match setting.default {
                    DefaultValue::Value(value) => value.to_owned(),
                    DefaultValue::Number(number) => number.to_string(),
                    DefaultValue::Required | DefaultValue::Otherwise(_) => continue,
                };
                let with = of(&with_setting(section.name, setting.key, &value));
                let without = match section.name {
                    "" => "model = \"m\"\n".to_owned(),
                    name => format!("model = \"m\"\n[{name}]\n"),
                };
                assert_eq!(with, of(&without), "{}.{}", section.name, setting.key);
            }
        }
    }

    #[test]
    fn the_ranges_are_those_that_the_server_accepts() {
        let mut compared = 0;
        for section in sections().iter().filter(|section| is_judged(section)) {
            for setting in section.settings.iter() {
                let place = format!("{}.{}", section.name, setting.key);
                let (legal, illegal) = setting.range.examples();
                for value in &legal {
                    let accepted = parse(&with_setting(section.name, setting.key, value));
                    assert!(accepted.is_ok(), "{place} = {value}: {accepted:?}");
                }
                for value in &illegal {
                    let refused = parse(&with_setting(section.name, setting.key, value));
                    assert!(refused.is_err(), "{place} = {value} is accepted");
                    compared += 1;
                }
            }
        }
        assert!(compared > 50, "only {compared} illegal values were tried");
    }
}
