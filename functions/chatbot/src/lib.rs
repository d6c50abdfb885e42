//! ChatBot: actions on users and stories, and a trigger whose webhook is created and deleted through ChatBot's API.
//! <https://www.chatbot.com/docs/>

mod client;
mod credentials;
mod filters;
mod story;
mod test_connection;
mod user;

use connector::{Connector, Platform, Registrar, Setting, SettingKind, modules, platform::no_review};

/// Base URL of ChatBot's API.
const API_URL: Setting =
    Setting { name: "CHATBOT_API_URL", default: "https://api.chatbot.com", kind: SettingKind::BaseUrl };

/// Prefix of the paths of stories; `/` for paths without a version.
const STORIES_PREFIX: Setting = Setting { name: "CHATBOT_STORIES_PREFIX", default: "/v2", kind: SettingKind::PathStep };

static SETTINGS: &[Setting] = &[API_URL, STORIES_PREFIX];

pub static PLATFORM: Platform = Platform {
    name: "chatbot",
    label: "ChatBot",
    credentials: credentials::schema,
    credentials_optional: false,
    modules: MODULES,
    settings: SETTINGS,
};

pub static CONNECTOR: Connector = Connector {
    platform: &PLATFORM,
    review: no_review,
    generated: None,
    test: |app, credentials| Box::pin(test_connection::test_connection(app, credentials)),
};

pub const REGISTRAR: Option<&Registrar> = Some(&watch_message::REGISTRAR);

modules! {
    watch_message,
    search_users,
    get_user,
    create_user,
    update_user,
    ban_user,
    list_stories,
    get_story,
    create_story,
    update_story,
    delete_story,
    call_api,
}
