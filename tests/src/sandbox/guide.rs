//! Help text of a sandbox.

use super::{botdistrikt, botmother, botstar, chatbot};

const CONTROLS: &str = r#"
POST   /sandbox/faults               arm a fault: {"kind": "slow_down", "platform": "chatbot", "path": "/webhooks",
                                     "method": "POST", "times": 2}; all but the kind may be left out. Kinds:
                                     bad_request, unauthorized, forbidden, not_found, gone, conflict, slow_down, error,
                                     unavailable, redirect, hang, hang_before, slow, cut, cut_before, nonsense,
                                     wrong_shape, empty, echo, huge, envelope_error
DELETE /sandbox/faults               disarm all
GET    /sandbox/requests             what the platforms received, in order
DELETE /sandbox/requests             forget it

POST   /sandbox/botstar/bots         add a bot: {"name": "Shop"}
POST   /sandbox/botstar/items        add items to the first entity: {"count": 100}

POST   /sandbox/chatbot/users        add users: {"count": 100}
POST   /sandbox/chatbot/say          have a user reach the webhook blocks: {"text": "Hi", "attributes": {"vip": "yes"}}
                                     besides: "webhook" and "user", ids; "message_id"; "version", 2 or 1; "with_token",
                                     true or false; "token", another than the webhook's. The body of version 2 has no
                                     text: it is in the attribute "text", as if the story had saved it there

POST   /sandbox/botdistrikt/webhook  set the address of the Event Webhook: {"url": "http://..."}
POST   /sandbox/botdistrikt/say      have it called: {"source": "human", "source_id": "7", "text": "Hi"}
                                     sources: human, broadcast, bot, any other text, or null for no such header;
                                     besides: "webchat_id", by default that of the last registration
POST   /sandbox/botdistrikt/answer   answer messages with another body: {"body": [{"text": "Hi"}]}; {}: as usual again

POST   /sandbox/botmother/request    have a user reach an API request component: {"url": "http://...", "text": "Hi"}
                                     besides: "body", a template with {{last_input}} and {{this_user.platform_id}} in it
POST   /sandbox/botmother/switches   change the answers to events: {"refuse_events": true, "exceed_limits": true,
                                     "nest_payload": true}; what is left out stays as it is
"#;

/// Settings that point Switchboard to this sandbox, one a line.
pub fn settings(url: &str) -> String {
    let (botstar, chatbot, botdistrikt) = (botstar::PREFIX, chatbot::PREFIX, botdistrikt::PREFIX);
    let lines = [
        format!("  BOTSTAR_API_URL={url}{botstar}"),
        format!("  CHATBOT_API_URL={url}{chatbot}"),
        format!("  BOTDISTRIKT_API_URL={url}{botdistrikt}"),
        format!("  BOTMOTHER_API_URL={url}"),
    ];
    lines.join("\n")
}

/// Credentials for a connection of each platform, one a line.
pub fn credentials(url: &str) -> String {
    let (token, app, domain, path) =
        (chatbot::TOKEN, botdistrikt::WEBCHAT_APP_ID, botdistrikt::DOMAIN, botmother::event_path());
    let lines = [
        format!("  of BotStar this API token: {}", botstar::TOKEN),
        format!("  of ChatBot this access token: {token}"),
        format!("  of BotDistrikt the webchat app {app} and this domain: {domain}"),
        format!("  of Botmother this event URL: {url}{path}"),
    ];
    lines.join("\n")
}

pub fn help(url: &str) -> String {
    let (settings, credentials) = (settings(url), credentials(url));
    format!(
        "Switchboard's sandbox. It plays BotStar, ChatBot, BotDistrikt and Botmother; everything in it is made up.\n\nStart \
         Switchboard with\n{settings}\nand give a connection\n{credentials}\n{CONTROLS}"
    )
}
