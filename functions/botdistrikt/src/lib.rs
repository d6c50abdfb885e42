//! BotDistrikt: two actions of its website chat, and a trigger for what the bot sends.
//! <https://docs.botdistrikt.com/messaging-channels/webchat-api>

mod bot_user;
mod client;
mod credentials;
pub mod register_user;
pub mod send_message;
pub mod watch_message;

use runtime::{
    Connector, Function, Platform, Registrar,
    config::{Setting, SettingKind},
    platform::Generated,
};

/// What is below here is BotDistrikt's API.
const API_URL: Setting =
    Setting { name: "BOTDISTRIKT_API_URL", default: "https://flow.botdistrikt.com/api", kind: SettingKind::BaseUrl };

static SETTINGS: &[Setting] = &[API_URL];

pub static PLATFORM: Platform = Platform {
    name: "botdistrikt",
    label: "BotDistrikt",
    credentials: credentials::schema,
    credentials_optional: false,
    modules: &[watch_message::MODULE, register_user::MODULE, send_message::MODULE],
    settings: SETTINGS,
};

pub static CONNECTOR: Connector = Connector {
    platform: &PLATFORM,
    review: credentials::review,
    generated: Some(Generated { credential: "domain", make: credentials::make_domain }),
    test: |app, _| Box::pin(credentials::test(app)),
};

pub const REGISTRAR: Option<&Registrar> = None;

pub static FUNCTIONS: &[&Function] = &[&watch_message::FUNCTION, &register_user::FUNCTION, &send_message::FUNCTION];
