//! BotDistrikt's user object. Six of its fields are documented; the names of the others are guesses from the labels of
//! its screens: <https://docs.botdistrikt.com/messaging-channels/webchat-api>.

use payload::Field;
use schemars::JsonSchema;
use serde::Deserialize;

/// A user's id in a website chat. It gives access to the user's chat, so it must not be guessable.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct WebchatId(#[schemars(length(min = 1, max = 256), regex(pattern = "^[!-~]+$"))] pub String);

/// The fields of a user, at each of its possible places.
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

/// Fields in the answer to a registration: the user itself, which is sent with each message.
pub const REGISTERED: &[&[Field]] = &[user_fields![""; ], &[Field::optional("subscriber.platform_user", &[""])]];

/// Possible places of the user in a webhook body. `platform_user` is not among them: only a registration sets it.
pub const IN_EVENT: &[Field] = user_fields!["/user", "/bot_user"; "/webchat_id", "/webchatId"];
