//! Keys and flags of earlier versions: an error names what took their place.

use ebb::train::config::renamed::{RENAMED, RenamedKey};

use super::*;

#[test]
fn a_renamed_key_is_bad_configuration() {
    let folder = tempfile::tempdir().unwrap();
    for RenamedKey { section, old, new } in RENAMED {
        let text = format!("[{section}]\n{old} = 1\n");
        fs::write(folder.path().join("ebb.toml"), text).unwrap();
        let run = ebb_train(folder.path(), "fit --config ebb.toml --out model");
        let expected = format!(
            "error: ebb.toml: line 2, column 1: unknown field `{section}.{old}`; it is called `{section}.{new}` now"
        );
        assert_eq!((run.code, run.error()), (64, expected.as_str()));
    }
}

#[test]
fn a_renamed_flag_is_bad_usage() {
    let folder = tempfile::tempdir().unwrap();
    for (command, old, new) in [
        ("fit", "--allow-weak", "--allow-below-baseline"),
        ("fit", "--challenger", "--random-forest-baseline"),
        ("check", "--max-refused-share 0.1", "--max-rejected-share"),
        ("simulate", "--dirty-share=0.1", "--corruption-rate"),
    ] {
        let run = ebb_train(folder.path(), &format!("{command} {old}"));
        let name = old.split([' ', '=']).next().unwrap();
        let expected = format!("error: unexpected argument `{name}`; it is called `{new}` now");
        assert_eq!((run.code, run.error()), (64, expected.as_str()));
    }
}
