//! How wide text may be.

use std::os::fd::AsFd;

use terminal_size::{Width, terminal_size_of};

/// The fewest columns that text is fitted into.
const FEWEST_COLUMNS: usize = 40;
/// The columns that help takes at most: longer lines are hard to read.
const HELP_COLUMNS: usize = 120;

/// The columns that text to a stream may take: what `COLUMNS` says in the environment, or the width of the terminal that the
/// stream is; `None` where there is neither, and lines may be of any length.
pub fn columns(stream: impl AsFd) -> Option<usize> {
    let said = std::env::var("COLUMNS").ok();
    let width = || terminal_size_of(stream).map(|(Width(width), _)| usize::from(width));
    chosen(said.as_deref(), width)
}

/// The columns that help on standard output may take, as `clap` takes them: 0 stands for lines of any length.
pub fn help_columns() -> usize {
    columns(std::io::stdout()).map_or(0, |columns| columns.min(HELP_COLUMNS))
}

fn chosen(said: Option<&str>, width: impl FnOnce() -> Option<usize>) -> Option<usize> {
    let said = said.and_then(|text| text.trim().parse::<usize>().ok());
    // A terminal whose size nobody has set says 0.
    let columns = said.filter(|columns| *columns > 0).or_else(width);
    columns
        .filter(|columns| *columns > 0)
        .map(|columns| columns.max(FEWEST_COLUMNS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_goes_before_the_terminal_and_nonsense_is_passed_over() {
        let terminal = || Some(132);
        assert_eq!(chosen(Some("72"), terminal), Some(72));
        assert_eq!(chosen(None, terminal), Some(132));
        for said in ["", "wide", "0", "-3"] {
            assert_eq!(chosen(Some(said), terminal), Some(132), "{said}");
        }
        assert_eq!(chosen(Some("7"), terminal), Some(FEWEST_COLUMNS));
        assert_eq!(chosen(None, || None), None);
        assert_eq!(chosen(None, || Some(0)), None);
    }

    #[test]
    fn a_file_has_no_width() {
        let file = tempfile::tempfile().unwrap();
        if std::env::var_os("COLUMNS").is_none() {
            assert_eq!(columns(&file), None);
        }
    }
}
