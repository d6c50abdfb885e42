//! Possible places of the chat user in BotStar's webhook bodies. The field names are those of `GET
//! /bots/{botId}/users/{userId}`; their position in a webhook is not documented, so likely places are tried in turn.

use payload::Field;

/// A user's field: inside objects that may be the user and, if its name is unambiguous, at the top level.
macro_rules! user_field {
    ($path:literal, $key:literal $(, $more:literal)*) => {
        Field::optional(
            $path,
            &[
                concat!("/user/", $key),
                concat!("/subscriber/", $key),
                concat!("/audience/", $key),
                concat!("/contact/", $key),
                $($more),*
            ],
        )
    };
}

pub const PERSON: &[Field] = &[
    Field::expected(
        "subscriber.id",
        &[
            "/user/id",
            "/subscriber/id",
            "/audience/id",
            "/contact/id",
            "/user_id",
            "/userId",
            "/subscriber_id",
            "/recipient/id",
            "/id",
        ],
    ),
    user_field!("subscriber.name", "name", "/user_name", "/full_name"),
    user_field!("subscriber.first_name", "first_name", "/first_name"),
    user_field!("subscriber.last_name", "last_name", "/last_name"),
    user_field!("subscriber.email", "email", "/email"),
    user_field!("subscriber.phone", "phone", "/phone"),
    user_field!("subscriber.channel", "channel", "/channel"),
    user_field!("subscriber.locale", "locale", "/locale"),
    user_field!("subscriber.timezone", "timezone", "/timezone"),
    user_field!("subscriber.picture", "picture", "/picture"),
    user_field!("subscriber.tags", "tags", "/tags"),
    // A user's custom attributes are among its other fields.
    Field::optional(
        "subscriber.attributes",
        &["/user/attributes", "/subscriber/attributes", "/user", "/subscriber", "/audience", "/contact"],
    ),
    Field::optional("subscriber.platform_user", &["/user", "/subscriber", "/audience", "/contact"]),
];

/// A module's sample, read like by a hook without a mapping. All expected fields must be found.
#[cfg(test)]
pub fn sample(module: &models::Module) -> (serde_json::Value, payload::Reading) {
    let models::ModuleKind::Trigger { trigger, sample, .. } = module.kind else { return Default::default() };
    let body = serde_json::from_str(sample).unwrap_or_default();
    let reading = payload::mapping::resolve(trigger.fields(), &payload::Mapping::new(), &body);
    assert_eq!(reading.unmapped, [""; 0]);
    assert_eq!(reading.text("subscriber.id", &body).as_deref(), Some("u-1"));
    (body, reading)
}
