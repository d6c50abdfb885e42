//! ChatBot: eleven actions, and a trigger whose webhook is made and removed through ChatBot's API.
//! <https://www.chatbot.com/docs/>

pub mod ban_user;
pub mod call_api;
mod client;
pub mod create_story;
pub mod create_user;
mod credentials;
pub mod delete_story;
mod filters;
pub mod get_story;
pub mod get_user;
mod list;
pub mod list_stories;
pub mod search_users;
mod story;
mod test_connection;
pub mod update_story;
pub mod update_user;
mod user;
pub mod watch_message;

use runtime::{
    Connector, Function, Platform, Registrar,
    config::{Setting, SettingKind},
    platform::no_review,
};

/// What is below here is ChatBot's API.
const API_URL: Setting =
    Setting { name: "CHATBOT_API_URL", default: "https://api.chatbot.com", kind: SettingKind::BaseUrl };

/// What the paths of stories begin with; `/` where they have no version.
const STORIES_PREFIX: Setting = Setting { name: "CHATBOT_STORIES_PREFIX", default: "/v2", kind: SettingKind::PathStep };

static SETTINGS: &[Setting] = &[API_URL, STORIES_PREFIX];

pub static PLATFORM: Platform = Platform {
    name: "chatbot",
    label: "ChatBot",
    credentials: credentials::schema,
    credentials_optional: false,
    modules: &[
        watch_message::MODULE,
        search_users::MODULE,
        get_user::MODULE,
        create_user::MODULE,
        update_user::MODULE,
        ban_user::MODULE,
        list_stories::MODULE,
        get_story::MODULE,
        create_story::MODULE,
        update_story::MODULE,
        delete_story::MODULE,
        call_api::MODULE,
    ],
    settings: SETTINGS,
};

pub static CONNECTOR: Connector = Connector {
    platform: &PLATFORM,
    review: no_review,
    generated: None,
    test: |app, credentials| Box::pin(test_connection::test_connection(app, credentials)),
};

pub const REGISTRAR: Option<&Registrar> = Some(&watch_message::REGISTRAR);

pub static FUNCTIONS: &[&Function] = &[
    &watch_message::FUNCTION,
    &search_users::FUNCTION,
    &get_user::FUNCTION,
    &create_user::FUNCTION,
    &update_user::FUNCTION,
    &ban_user::FUNCTION,
    &list_stories::FUNCTION,
    &get_story::FUNCTION,
    &create_story::FUNCTION,
    &update_story::FUNCTION,
    &delete_story::FUNCTION,
    &call_api::FUNCTION,
];
