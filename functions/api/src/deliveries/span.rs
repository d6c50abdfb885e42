//! The time span of the deliveries' events.

use models::{DeliveryId, EventId, Timestamp, ids::lower_bound};
use store::list::Listing;

/// A time span; both bounds are exclusive.
#[derive(Clone, Copy)]
pub struct EventSpan {
    pub after: Option<Timestamp>,
    pub before: Option<Timestamp>,
}

impl EventSpan {
    pub fn contains(&self, event: &EventId) -> bool {
        let at = event.time();
        self.after.is_none_or(|after| at > after) && self.before.is_none_or(|before| at < before)
    }

    /// The part of a listing that sorts by delivery id, and so by event.
    pub fn part_of<'a>(&self, listing: Listing<'a>) -> Listing<'a> {
        let bound = |at: Timestamp| lower_bound(DeliveryId::PREFIX, at);
        let from = self.after.map(|after| bound(Timestamp::from_millis(after.millis() + 1)));
        let until = self.before.map(bound);
        Listing {
            from: from.unwrap_or(listing.from),
            until: until.map_or(listing.until.clone(), |until| until.min(listing.until)),
            ..listing
        }
    }
}
