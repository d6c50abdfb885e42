//! The person of one event.

use super::{TEXTS, tags, text};
use crate::ids::{ConnectionId, SubscriberId};
use payload::{
    mapping::Reading,
    view::{Fields, View},
};
use serde_json::Value;

/// The person in a body: the fields of a [`Subscriber`], without `first_seen` and `last_seen`.
pub fn view<'a>(platform: &str, connection: &ConnectionId, reading: &'a Reading, body: &'a Value) -> Option<View<'a>> {
    let platform_id = reading.text("subscriber.id", body)?;
    let mut fields: Fields<'a> = vec![
        ("id".into(), SubscriberId::derive(platform, connection, &platform_id).to_string().into()),
        ("platform".into(), platform.into()),
        ("connection".into(), connection.as_str().into()),
        ("platform_id".into(), platform_id.into()),
    ];
    fields.extend(TEXTS.map(|field| (field.into(), text(field, reading, body).into())));
    let attributes = reading.attributes_of(body).into_iter().map(|(name, value)| (name.into(), View::Of(value)));
    fields.extend([
        ("tags".into(), tags(reading, body).into_iter().collect::<Value>().into()),
        ("attributes".into(), View::Map(attributes.collect())),
        ("platform_user".into(), reading.view("subscriber.platform_user", body).unwrap_or(View::NULL)),
        ("first_seen".into(), View::NULL),
        ("last_seen".into(), View::NULL),
    ]);
    Some(View::Map(fields))
}
