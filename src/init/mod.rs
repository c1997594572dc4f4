//! A configuration proposed from the log itself.
//!
//! Three steps: [`examine`] reads rows from places spread over the files, [`choose`] describes every column and ranks the
//! columns for each field by their names and values, and [`propose`] reads the whole log by the mapping that comes out best,
//! as a fit would: for its kinds, the gaps between active days, and what a fit would have. Everything that was guessed has
//! a reason beside it, in the text of the configuration and in [`Proposal`]; what is open is asked where somebody is there.

pub(crate) mod columns;
pub(crate) mod error;
pub(crate) mod horizon;
pub(crate) mod kinds;
pub(crate) mod mapped;
pub(crate) mod names;
pub(crate) mod paths;
pub(crate) mod proposal;
pub(crate) mod request;
pub(crate) mod roles;
pub(crate) mod sample;
pub(crate) mod text;
pub(crate) mod value;
pub(crate) mod vocabulary;
pub(crate) mod whole;

pub use error::InitError;
pub use horizon::{Outlook, Windows};
pub use kinds::{KindFound, Meaning};
pub use mapped::Mapped;
pub use proposal::{LayoutFound, Proposal, TimesFound};
pub use request::{Ask, Columns, InitRequest, Question};
pub use roles::{Alternative, Finding};
pub use sample::Sampled;
pub use value::ValueFound;

use crate::events::input::open::STANDARD_INPUT;
use crate::phases::Phases;
use columns::profile::profiles;
use roles::Search;

/// Reads rows from places spread over the files of a log.
///
/// # Errors
/// [`InitError`] where the files cannot be read, or are not those of one log.
pub fn examine(request: &InitRequest<'_>, phases: Phases<'_>) -> Result<Sampled, InitError> {
    if request
        .files
        .iter()
        .any(|path| path.as_os_str() == STANDARD_INPUT)
    {
        return Err(InitError::StandardInput);
    }
    // Paths that no configuration can hold are refused before anything is read.
    paths::as_configured(request.files, request.folder)?;
    sample::read(request.files, phases)
}

/// Chooses what the columns of a sample are for; asks where several could be meant.
///
/// # Errors
/// [`InitError`] where no column can be the user or the time, or a given one cannot be what it is given for.
pub fn choose(
    request: &InitRequest<'_>,
    sampled: Sampled,
    ask: &mut Ask<'_>,
) -> Result<Mapped, InitError> {
    let Sampled { layout, sample } = sampled;
    let Some(sample) = sample else {
        return Ok(Mapped::rollup(&layout));
    };
    let profiles = profiles(sample, layout.usual_decimal);
    let search = Search {
        profiles: &profiles,
        format: layout.format,
        is_unnamed: layout.columns.is_some(),
        given: request.columns,
        ask,
    };
    let roles = search.roles()?;
    Ok(Mapped::new(roles, &profiles, &layout, ask))
}

/// Reads the whole log by a mapping, as a fit would, and proposes a configuration.
///
/// # Errors
/// [`InitError`] where the log cannot be read.
pub fn propose(
    request: &InitRequest<'_>,
    mapped: Mapped,
    phases: Phases<'_>,
) -> Result<Proposal, InitError> {
    let paths = paths::as_configured(request.files, request.folder)?;
    whole::read(request, paths, mapped, phases)
}
