//! BotDistrikt's object of a user. Six of its fields are documented; the names of the others are guesses after the
//! labels of its screens: <https://docs.botdistrikt.com/messaging-channels/webchat-api>.

use payload::Field;
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
            Field::expected("subscriber.id", &[$(concat!($place, "/webchat_id")),+, $($more),*]),
            Field::optional("subscriber.name", &[$(concat!($place, "/name")),+]),
            Field::optional("subscriber.first_name", &[$(concat!($place, "/first_name")),+]),
            Field::optional("subscriber.last_name", &[$(concat!($place, "/last_name")),+]),
            Field::optional("subscriber.email", &[$(concat!($place, "/email")),+]),
            Field::optional("subscriber.phone", &[$(concat!($place, "/phone")),+]),
            Field::optional("subscriber.channel", &[$(concat!($place, "/channel")),+]),
            Field::optional("subscriber.timezone", &[$(concat!($place, "/timezone")),+]),
            Field::optional("subscriber.picture", &[$(concat!($place, "/profile_pic")),+]),
            Field::optional("subscriber.tags", &[$(concat!($place, "/tags")),+]),
        ]
    };
}

/// What a registration answers: the user itself, which is sent along with each message.
pub const REGISTERED: &[&[Field]] = &[user_fields![""; ], &[Field::optional("subscriber.platform_user", &[""])]];

/// Where a webhook's body may tell of the user. Not the whole object: only a registration tells that.
pub const IN_EVENT: &[Field] = user_fields!["/user", "/bot_user"; "/webchat_id", "/webchatId"];
