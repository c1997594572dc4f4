//! A configuration proposed from the log itself.
//!
//! [`propose`] looks at rows from places spread over the files, describes every column ([`columns`]), ranks the columns for
//! each field by their names and values ([`roles`]), and reads the whole log by the mapping that comes out best, as a fit
//! would: for its kinds, the gaps between active days, and what a fit would have. Everything that was guessed has a
//! reason beside it, in the text of the configuration and in [`Proposal`]; what is open is asked where somebody is there.

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
pub(crate) mod vocabulary;
pub(crate) mod whole;

pub use error::InitError;
pub use horizon::{Outlook, Windows};
pub use kinds::{KindFound, Meaning};
pub use proposal::{LayoutFound, Proposal, TimesFound};
pub use request::{Ask, Columns, InitRequest, Question};
pub use roles::{Alternative, Finding};

use crate::phases::Phases;
use columns::profile::profiles;
use mapped::Mapped;
use roles::Search;
use sample::Sampled;

/// Proposes a configuration for a log.
///
/// # Errors
/// [`InitError`] where the files cannot be read, or no column can be the user or the time.
pub fn propose(
    request: &InitRequest<'_>,
    ask: &mut Ask<'_>,
    phases: Phases<'_>,
) -> Result<Proposal, InitError> {
    let paths = paths::as_configured(request.files, request.folder)?;
    let Sampled { layout, sample } = sample::read(request.files)?;
    let mapped = match sample {
        None => Mapped::rollup(&layout),
        Some(sample) => {
            let profiles = profiles(sample, layout.usual_decimal);
            let search = Search {
                profiles: &profiles,
                format: layout.format,
                is_unnamed: layout.columns.is_some(),
                given: request.columns,
                ask,
            };
            let roles = search.roles()?;
            Mapped::new(roles, &profiles, &layout, ask)
        }
    };
    whole::read(request, paths, mapped, phases)
}
