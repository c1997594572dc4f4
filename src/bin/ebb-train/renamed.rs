//! Flags of earlier versions, and those that took their place.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// A flag that has another name now.
struct RenamedFlag {
    command: &'static str,
    old: &'static str,
    new: &'static str,
}

const RENAMED: [RenamedFlag; 4] = [
    renamed("fit", "--allow-weak", "--allow-below-baseline"),
    renamed("fit", "--challenger", "--random-forest-baseline"),
    renamed("check", "--max-refused-share", "--max-rejected-share"),
    renamed("simulate", "--dirty-share", "--corruption-rate"),
];

const fn renamed(command: &'static str, old: &'static str, new: &'static str) -> RenamedFlag {
    RenamedFlag { command, old, new }
}

/// What to say of an argument that the parser does not accept because it was renamed.
pub(crate) fn explain(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(found)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    // The parser's errors name the command in no other place.
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => return None,
    };
    let RenamedFlag { old, new, .. } = RENAMED.iter().find(|flag| {
        flag.old == found && usage.contains(&format!("ebb-train {} ", flag.command))
    })?;
    Some(format!(
        "unexpected argument `{old}`; it is called `{new}` now"
    ))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::args::Arguments;

    fn explanation(arguments: &str) -> Option<String> {
        let parsed = Arguments::try_parse_from(arguments.split(' '));
        explain(&parsed.expect_err("an unknown argument"))
    }

    #[test]
    fn every_renamed_flag_is_refused_with_its_new_name_which_is_accepted() {
        for RenamedFlag { command, old, new } in RENAMED {
            let expected = format!("unexpected argument `{old}`; it is called `{new}` now");
            for given in [old.to_owned(), format!("{old}=0.5"), format!("{old} 0.5")] {
                assert_eq!(
                    explanation(&format!("ebb-train {command} {given}")).as_ref(),
                    Some(&expected)
                );
            }
            let arguments = Arguments::command();
            let command = arguments.find_subcommand(command).expect("a command");
            assert!(
                command
                    .get_arguments()
                    .any(|a| a.get_long() == Some(&new[2..])),
                "{new}"
            );
        }
    }

    #[test]
    fn other_mistakes_are_the_parsers_to_explain() {
        assert_eq!(explanation("ebb-train score --challenger"), None);
        assert_eq!(explanation("ebb-train fit --no-such-flag"), None);
        assert_eq!(explanation("ebb-train fit"), None);
    }
}
