//! BotDistrikt's object of a user. Six of its fields are documented; the names of the others are guesses after the
//! labels of its screens: <https://docs.botdistrikt.com/messaging-channels/webchat-api>.

use models::Field;
use schemars::JsonSchema;
use serde::Deserialize;

/// A user's id in a website chat. It opens the user's chat, so it should not be guessable.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct WebchatId(#[schemars(length(min = 1, max = 256), regex(pattern = "^[!-~]+$"))] pub String);

/// The fields of a user, at each of the places where it may be.
macro_rules! user_fields {
    ($($place:literal),+; $($more:literal),*) => {
        &[
            Field { path: "subscriber.id", expected: true, candidates: &[$(concat!($place, "/webchat_id")),+, $($more),*] },
            field("subscriber.name", &[$(concat!($place, "/name")),+]),
            field("subscriber.first_name", &[$(concat!($place, "/first_name")),+]),
            field("subscriber.last_name", &[$(concat!($place, "/last_name")),+]),
            field("subscriber.email", &[$(concat!($place, "/email")),+]),
            field("subscriber.phone", &[$(concat!($place, "/phone")),+]),
            field("subscriber.channel", &[$(concat!($place, "/channel")),+]),
            field("subscriber.timezone", &[$(concat!($place, "/timezone")),+]),
            field("subscriber.picture", &[$(concat!($place, "/profile_pic")),+]),
            field("subscriber.tags", &[$(concat!($place, "/tags")),+]),
        ]
    };
}

const fn field(path: &'static str, candidates: &'static [&'static str]) -> Field {
    Field { path, expected: false, candidates }
}

/// What a registration answers: the user itself, which is sent along with each message.
pub const REGISTERED: &[&[Field]] = &[user_fields![""; ], &[field("subscriber.platform_user", &[""])]];

/// Where a webhook's body may tell of the user. Not the whole object: only a registration tells that.
pub const IN_EVENT: &[Field] = user_fields!["/user", "/bot_user"; "/webchat_id", "/webchatId"];
