use std::hash::Hasher as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use twox_hash::XxHash64;

use crate::lifecycle::Stage;
use crate::model::RiskBand;
use crate::serve::convert::score::number;
use crate::serve::convert::value::tiers;
use crate::serve::errors::CallError;
use crate::serve::limits::size;
use crate::serve::registry::ServedModel;
use crate::serve::wire;

/// How many users a page has when the request does not say.
const DEFAULT_PAGE_SIZE: u32 = 100;
/// How many it has at most.
const MAX_PAGE_SIZE: u32 = 1_000;
/// The bytes of a token: two hashes and a position.
const TOKEN_BYTES: usize = 8 + 8 + 4;

/// The order of listed users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListingOrder {
    /// By falling churn probability.
    Risk,
    /// By their ids.
    UserId,
    /// By falling value at risk.
    ValueAtRisk,
}

/// Which users are listed, in which order, and how many of them at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    /// The order.
    pub(crate) order: ListingOrder,
    /// The position of the horizon among the model's.
    pub(crate) horizon: usize,
    /// The risk bands that are listed; all when empty.
    pub(crate) bands: Vec<RiskBand>,
    /// The stages.
    pub(crate) stages: Vec<Stage>,
    /// The segments, by their positions.
    pub(crate) segments: Vec<u32>,
    /// The tiers of value, by their positions.
    pub(crate) tiers: Vec<u32>,
    /// How many users a page has at most.
    pub(crate) page_size: usize,
    /// Where the page begins; `None` for the first one.
    from: Option<PageToken>,
}

/// What a page token says: the place in an order where the next page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PageToken {
    /// Which order.
    ranking: u64,
    /// Which filters.
    filters: u64,
    /// Which place.
    place: u32,
}

impl PageToken {
    fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let bytes: &[u8; TOKEN_BYTES] = bytes.as_slice().try_into().ok()?;
        let (ranking, rest) = bytes.split_first_chunk::<8>()?;
        let (filters, place) = rest.split_first_chunk::<8>()?;
        Some(Self {
            ranking: u64::from_le_bytes(*ranking),
            filters: u64::from_le_bytes(*filters),
            place: u32::from_le_bytes(place.try_into().ok()?),
        })
    }

    fn text(self) -> String {
        let parts = [
            &self.ranking.to_le_bytes()[..],
            &self.filters.to_le_bytes(),
            &self.place.to_le_bytes(),
        ];
        URL_SAFE_NO_PAD.encode(parts.concat())
    }
}

impl Listing {
    /// What a request asks of a model's users.
    pub(crate) fn new(
        request: wire::ListUsersRequest,
        model: &ServedModel,
    ) -> Result<Self, CallError> {
        let wire::ListUsersRequest {
            page_size,
            page_token,
            order,
            horizon_days,
            risk_bands,
            stages,
            segment_ids,
            value_tiers,
            segment_keys,
            // Options of the scores, which the context has.
            reason_count: _,
            model: _,
        } = request;
        let mut listing = Self {
            order: listing_order(order, model.spec().value.is_some())?,
            horizon: horizon(horizon_days, model)?,
            bands: values("risk_bands", &risk_bands, band)?,
            stages: values("stages", &stages, stage)?,
            segments: segments(segment_ids, &segment_keys, model)?,
            tiers: tiers(model.spec().value.as_ref(), &value_tiers)
                .map_err(|(i, problem)| CallError::field(format!("value_tiers[{i}]"), problem))?,
            page_size: size(match page_size {
                0 => DEFAULT_PAGE_SIZE,
                given => given.min(MAX_PAGE_SIZE),
            }),
            from: None,
        };
        if !page_token.is_empty() {
            let wrong = |problem: &str| CallError::field("page_token", problem);
            let token = PageToken::parse(&page_token)
                .ok_or_else(|| wrong("is not one that ListUsers has returned"))?;
            if token.filters != listing.filters() {
                return Err(wrong(
                    "belongs to a request with another order, horizon or filter; send those of that request, or no token",
                ));
            }
            listing.from = Some(token);
        }
        Ok(listing)
    }

    /// The place in this order where the page begins.
    pub(crate) fn place(&self, ranking: u64) -> Result<u32, CallError> {
        match self.from {
            None => Ok(0),
            Some(token) if token.ranking == ranking => Ok(token.place),
            Some(_) => Err(CallError::StalePage),
        }
    }

    /// The token of a page that begins at a place of this order.
    pub(crate) fn token(&self, ranking: u64, place: u32) -> String {
        let filters = self.filters();
        PageToken {
            ranking,
            filters,
            place,
        }
        .text()
    }

    /// Equal for requests whose pages belong together.
    fn filters(&self) -> u64 {
        let mut hash = XxHash64::with_seed(0);
        let mut list = |numbers: Vec<u32>| {
            hash.write_usize(numbers.len());
            numbers
                .into_iter()
                .for_each(|number| hash.write_u32(number));
        };
        list(vec![self.order as u32]);
        list(vec![u32::try_from(self.horizon).unwrap_or(u32::MAX)]);
        list(self.bands.iter().map(|band| *band as u32).collect());
        list(self.stages.iter().map(|stage| *stage as u32).collect());
        list(self.segments.clone());
        list(self.tiers.clone());
        hash.finish()
    }
}

fn listing_order(order: i32, has_value: bool) -> Result<ListingOrder, CallError> {
    match wire::UserOrder::try_from(order) {
        Ok(wire::UserOrder::Unspecified | wire::UserOrder::Risk) => Ok(ListingOrder::Risk),
        Ok(wire::UserOrder::UserId) => Ok(ListingOrder::UserId),
        Ok(wire::UserOrder::ValueAtRisk) if has_value => Ok(ListingOrder::ValueAtRisk),
        Ok(wire::UserOrder::ValueAtRisk) => Err(CallError::field(
            "order",
            "the model has no value part, so no value is at risk; fit it with [value] in its configuration, or order by risk",
        )),
        Err(_) => Err(CallError::field(
            "order",
            format!("{order} is not a UserOrder of this version"),
        )),
    }
}

/// The position of a horizon; 0 days stand for the shortest.
fn horizon(days: u32, model: &ServedModel) -> Result<usize, CallError> {
    let horizons = &model.spec().schema.horizon_days;
    if days == 0 {
        return Ok(0);
    }
    let found = horizons
        .iter()
        .position(|horizon| u32::from(*horizon) == days);
    found.ok_or_else(|| {
        let problem = format!("the model has no horizon of {days} days, but {horizons:?}");
        CallError::field("horizon_days", problem)
    })
}

/// The values of a filter, in order and each of them once.
fn values<T: Ord>(
    field: &str,
    given: &[i32],
    value: fn(i32) -> Option<T>,
) -> Result<Vec<T>, CallError> {
    let values = given.iter().enumerate().map(|(i, number)| {
        let problem = || format!("{number} is not a value of this version that users have");
        value(*number).ok_or_else(|| CallError::field(format!("{field}[{i}]"), problem()))
    });
    let mut values: Vec<T> = values.collect::<Result<_, _>>()?;
    values.sort_unstable();
    values.dedup();
    Ok(values)
}

fn band(number: i32) -> Option<RiskBand> {
    match wire::RiskBand::try_from(number).ok()? {
        wire::RiskBand::Unspecified => None,
        wire::RiskBand::Low => Some(RiskBand::Low),
        wire::RiskBand::Medium => Some(RiskBand::Medium),
        wire::RiskBand::High => Some(RiskBand::High),
    }
}

fn stage(number: i32) -> Option<Stage> {
    match wire::Stage::try_from(number).ok()? {
        wire::Stage::Unspecified => None,
        wire::Stage::Acquisition => Some(Stage::Acquisition),
        wire::Stage::Exploration => Some(Stage::Exploration),
        wire::Stage::Growth => Some(Stage::Growth),
        wire::Stage::Mature => Some(Stage::Mature),
        wire::Stage::Churning => Some(Stage::Churning),
    }
}

/// The segments of both lists.
fn segments(
    mut ids: Vec<u32>,
    keys: &[String],
    model: &ServedModel,
) -> Result<Vec<u32>, CallError> {
    let items = &model.spec().segments.items;
    let most = items.len();
    if let Some(i) = ids.iter().position(|id| size(*id) >= most) {
        let problem = format!("the model has no segment {}, but {most} from 0 on", ids[i]);
        return Err(CallError::field(format!("segment_ids[{i}]"), problem));
    }
    for (i, key) in keys.iter().enumerate() {
        let Some(id) = items.iter().position(|s| s.key.to_string() == *key) else {
            let all: Vec<String> = items.iter().map(|s| s.key.to_string()).collect();
            let problem = format!("the model has no segment `{key}`, but {}", all.join(", "));
            return Err(CallError::field(format!("segment_keys[{i}]"), problem));
        };
        ids.push(number(id));
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written_and_nothing_else_is_one() {
        let token = PageToken {
            ranking: 0x0123_4567_89ab_cdef,
            filters: u64::MAX,
            place: 7,
        };
        assert_eq!(PageToken::parse(&token.text()), Some(token));
        let text = token.text();
        for wrong in [
            "",
            "x",
            &text[1..],
            &format!("{text}A"),
            &text.replace('7', "="),
        ] {
            let found = PageToken::parse(wrong);
            assert!(found.is_none() || wrong == text, "{wrong}");
        }
    }

    #[test]
    fn only_what_users_can_have_is_a_filter() {
        assert_eq!(
            values("stages", &[5, 1, 5], stage).unwrap(),
            [Stage::Acquisition, Stage::Churning]
        );
        for wrong in [0, 6, -1] {
            let problem = values("stages", &[1, wrong], stage)
                .unwrap_err()
                .to_string();
            assert!(problem.starts_with("stages[1]: "), "{problem}");
        }
        assert_eq!(values("risk_bands", &[3], band).unwrap(), [RiskBand::High]);
        assert!(values("risk_bands", &[0], band).is_err());
        for (number, order) in [(0, ListingOrder::Risk), (2, ListingOrder::UserId)] {
            assert_eq!(listing_order(number, false).unwrap(), order);
        }
        assert_eq!(listing_order(3, true).unwrap(), ListingOrder::ValueAtRisk);
        let refused = listing_order(3, false).unwrap_err().to_string();
        assert!(refused.contains("[value]"), "{refused}");
        assert!(listing_order(4, true).is_err());
    }
}
