//! Flags by the names that they had before.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Flags of earlier versions and their names now.
const RENAMED: [(&str, &str); 4] = [
    ("--allow-weak", "--allow-below-baseline"),
    ("--challenger", "--random-forest-baseline"),
    ("--dirty-share", "--corruption-rate"),
    ("--max-refused-share", "--max-rejected-share"),
];

/// What to say of an argument that was renamed; `None` for any other error.
pub(crate) fn renamed_flag(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let (old, new) = RENAMED.iter().find(|(old, _)| old == given)?;
    Some(format!(
        "unexpected argument `{old}`; it is called `{new}` now"
    ))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::args::Arguments;

    #[test]
    fn every_old_flag_is_unknown_and_every_new_one_known() {
        let command = Arguments::command();
        let is_known = |flag: &str| {
            let mut arguments = command.get_subcommands().flat_map(|c| c.get_arguments());
            arguments.any(|argument| argument.get_long() == flag.strip_prefix("--"))
        };
        for (old, new) in RENAMED {
            assert!(is_known(new) && !is_known(old), "{old} {new}");
        }
    }

    #[test]
    fn an_old_flag_is_answered_with_the_new_one() {
        let said =
            |line: &str| renamed_flag(&Arguments::try_parse_from(line.split(' ')).unwrap_err());
        let expected = "unexpected argument `--dirty-share`; it is called `--corruption-rate` now";
        for line in [
            "ebb-train simulate --out x --dirty-share 0.1",
            "ebb-train simulate --dirty-share=0.1",
        ] {
            assert_eq!(said(line).as_deref(), Some(expected), "{line}");
        }
        assert_eq!(said("ebb-train simulate --dusty-share 0.1"), None);
        assert_eq!(said("ebb-train simulate"), None);
    }
}
