//! Rules for deliveries to MCP subscriptions. A subscription has an end, and its client can't be asked to mend it, so its
//! failures are reported by no event and never disable it.

use super::attempt::Verdict;
use app::App;
use models::delivery::Reason;
use store::{
    StoreError,
    keys::Key,
    routes::{EventRoute, Target},
};

/// True for a subscription whose time is over, or whose key was deleted.
pub async fn has_ended(app: &App, route: &EventRoute) -> Result<bool, StoreError> {
    let Target::Mcp(target) = &route.target else { return Ok(false) };
    Ok(route.has_ended(app.now()) || app.store.find::<Key>(target.key.as_str()).await?.is_none())
}

/// The verdict on an endpoint's answer. 410 and 413 refuse this event alone.
pub const fn verdict(verdict: Verdict, status: Option<u16>) -> Verdict {
    match (verdict, status) {
        (_, Some(410)) => Verdict::Gone { taken: false },
        (_, Some(413)) => Verdict::Dead(Reason::TooLarge),
        (Verdict::Gone { taken: true }, _) => Verdict::Succeeded,
        (Verdict::Gone { taken: false }, _) => Verdict::Failed(None),
        (other, _) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_refuses_one_event_at_a_time() {
        let gone = |taken| Verdict::Gone { taken };
        for (general, status, of_subscription) in [
            (gone(false), Some(410), gone(false)),
            (Verdict::Failed(None), Some(413), Verdict::Dead(Reason::TooLarge)),
            (gone(true), Some(204), Verdict::Succeeded),
            (gone(false), Some(500), Verdict::Failed(None)),
            (Verdict::Failed(None), Some(503), Verdict::Failed(None)),
            (Verdict::Failed(None), None, Verdict::Failed(None)),
            (Verdict::Succeeded, Some(200), Verdict::Succeeded),
        ] {
            assert_eq!(verdict(general, status), of_subscription, "{status:?}");
        }
    }
}
