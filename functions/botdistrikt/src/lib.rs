//! BotDistrikt: actions of its website chat, and a trigger for messages to users.
//! <https://docs.botdistrikt.com/messaging-channels/webchat-api>

mod bot_user;
mod client;
mod credentials;

use connector::{Connector, Platform, Registrar, Setting, SettingKind, modules, platform::GeneratedCredential};

/// Base URL of BotDistrikt's API.
const API_URL: Setting =
    Setting { name: "BOTDISTRIKT_API_URL", default: "https://flow.botdistrikt.com/api", kind: SettingKind::BaseUrl };

static SETTINGS: &[Setting] = &[API_URL];

pub static PLATFORM: Platform = Platform {
    name: "botdistrikt",
    label: "BotDistrikt",
    credentials: credentials::schema,
    credentials_optional: false,
    modules: MODULES,
    settings: SETTINGS,
};

pub static CONNECTOR: Connector = Connector {
    platform: &PLATFORM,
    review: credentials::review,
    generated: Some(GeneratedCredential { credential: "domain", make: credentials::generate_domain }),
    test: |app, _| Box::pin(credentials::test(app)),
};

pub const REGISTRAR: Option<&Registrar> = None;

modules! {
    watch_message,
    register_user,
    send_message,
}
