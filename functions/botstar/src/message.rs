//! Messages in BotStar's JSON format. <https://docs.botstar.com/docs/en/json-formats/>

use connector::Fault;
use serde_json::{Map, Value, json};

/// BotStar's limit on the buttons of a message or a card.
const MAX_BUTTONS: usize = 3;
/// Actions of a button, which has exactly one.
const BUTTON_ACTIONS: [&str; 4] = ["value", "payload", "phone_number", "web_url"];
/// Texts of a button with a fixed list of values.
const BUTTON_MODES: [(&str, &[&str]); 2] =
    [("display_mode", &["internal", "external"]), ("webview_size", &["compact", "tall", "full"])];
const CARD_TEXTS: [&str; 3] = ["title", "subtitle", "image"];

/// The message that BotStar gets: a text becomes an object, an object stays as it is.
pub fn wire(message: Value) -> Value {
    match message {
        Value::String(text) => json!({ "text": text }),
        object => object,
    }
}

/// Checks the documented parts of a message. Other parts are passed on.
pub fn check(input: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    let Some(message) = input["message"].as_object() else { return faults };
    texts(message, "/message", &["text"], &mut faults);
    buttons(message, "/message", &mut faults);
    for (index, card) in list(message, "/message", "cards", &mut faults).iter().enumerate() {
        let at = format!("/message/cards/{index}");
        match card.as_object() {
            Some(card) => {
                texts(card, &at, &CARD_TEXTS, &mut faults);
                buttons(card, &at, &mut faults);
            }
            None => faults.push(Fault::new(at, "must be an object")),
        }
    }
    faults
}

/// A list of an object. Empty if there is none.
fn list<'m>(object: &'m Map<String, Value>, at: &str, name: &str, faults: &mut Vec<Fault>) -> &'m [Value] {
    match object.get(name) {
        None | Some(Value::Null) => &[],
        Some(Value::Array(items)) => items,
        Some(_) => {
            faults.push(Fault::new(format!("{at}/{name}"), "must be a list"));
            &[]
        }
    }
}

fn texts(object: &Map<String, Value>, at: &str, names: &[&str], faults: &mut Vec<Fault>) {
    let given = names.iter().filter_map(|name| Some((name, object.get(*name)?)));
    let wrong = given.filter(|(_, value)| !value.is_string() && !value.is_null());
    faults.extend(wrong.map(|(name, _)| Fault::new(format!("{at}/{name}"), "must be a text")));
}

fn buttons(object: &Map<String, Value>, at: &str, faults: &mut Vec<Fault>) {
    let buttons = list(object, at, "buttons", faults);
    if buttons.len() > MAX_BUTTONS {
        faults.push(Fault::new(format!("{at}/buttons"), "must have at most 3 buttons, which is BotStar's limit"));
    }
    for (index, button) in buttons.iter().enumerate() {
        let at = format!("{at}/buttons/{index}");
        match button.as_object() {
            Some(button) => check_button(button, &at, faults),
            None => faults.push(Fault::new(at, "must be an object")),
        }
    }
}

fn check_button(button: &Map<String, Value>, at: &str, faults: &mut Vec<Fault>) {
    if button.get("title").and_then(Value::as_str).is_none_or(str::is_empty) {
        faults.push(Fault::new(format!("{at}/title"), "must be a text, and not empty"));
    }
    let given = BUTTON_ACTIONS.iter().filter(|name| button.get(**name).is_some_and(|value| !value.is_null()));
    if given.count() != 1 {
        let detail = "must have exactly one of `value`, `payload.goToBlock`, `phone_number` and `web_url`";
        faults.push(Fault::new(at, detail));
    }
    texts(button, at, &["phone_number", "web_url"], faults);
    if let Some(payload) = button.get("payload").filter(|payload| !payload.is_null())
        && !payload["goToBlock"].is_string()
    {
        faults.push(Fault::new(format!("{at}/payload/goToBlock"), "must be a text: the name of a block"));
    }
    for (name, values) in BUTTON_MODES {
        let is_known = |value: &Value| value.is_null() || value.as_str().is_some_and(|text| values.contains(&text));
        if button.get(name).is_some_and(|value| !is_known(value)) {
            faults.push(Fault::new(format!("{at}/{name}"), format!("must be one of {}", values.join(", "))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(message: Value) -> Vec<String> {
        check(&json!({ "message": message })).into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn documented_messages_pass_and_so_do_unknown_parts() {
        let buttons = json!([
            { "title": "Yes", "value": "yes" },
            { "title": "Menu", "payload": { "goToBlock": "Menu" } },
            { "title": "Site", "web_url": "https://example.com", "display_mode": "internal", "webview_size": "tall" },
        ]);
        for message in [
            json!("Hello"),
            json!({ "text": "Hello" }),
            json!({ "text": "Sure?", "buttons": buttons }),
            json!({ "cards": [{ "title": "Latte", "subtitle": null, "image": "https://…", "buttons": buttons }] }),
            json!({ "video": { "url": "https://…" }, "x": [null, 7] }),
            json!({ "text": null, "buttons": null, "cards": null }),
            json!({ "buttons": [{ "title": "Call", "phone_number": "+1", "icon": {} }] }),
        ] {
            assert_eq!(pointers(message.clone()), [""; 0], "{message}");
        }
    }

    #[test]
    fn each_fault_of_a_message_has_its_pointer() {
        let button = json!({ "title": "x", "value": 1 });
        for (message, expected) in [
            (json!({ "text": 7 }), vec!["/message/text"]),
            (json!({ "buttons": {} }), vec!["/message/buttons"]),
            (json!({ "buttons": [button, button, button, button] }), vec!["/message/buttons"]),
            (json!({ "buttons": [7, null] }), vec!["/message/buttons/0", "/message/buttons/1"]),
            (json!({ "buttons": [{ "value": 1 }] }), vec!["/message/buttons/0/title"]),
            (json!({ "buttons": [{ "title": "", "value": 1 }] }), vec!["/message/buttons/0/title"]),
            (json!({ "buttons": [{ "title": "x" }] }), vec!["/message/buttons/0"]),
            (json!({ "buttons": [{ "title": "x", "value": 1, "web_url": "y" }] }), vec!["/message/buttons/0"]),
            (json!({ "buttons": [{ "title": "x", "payload": {} }] }), vec!["/message/buttons/0/payload/goToBlock"]),
            (json!({ "buttons": [{ "title": "x", "payload": [] }] }), vec!["/message/buttons/0/payload/goToBlock"]),
            (
                json!({ "buttons": [{ "title": "x", "value": 1, "display_mode": "modal", "webview_size": 5 }] }),
                vec!["/message/buttons/0/display_mode", "/message/buttons/0/webview_size"],
            ),
            (json!({ "cards": "x" }), vec!["/message/cards"]),
            (json!({ "cards": [null] }), vec!["/message/cards/0"]),
            (
                json!({ "cards": [{ "title": 1, "image": [], "buttons": [{ "title": "x", "web_url": 5 }] }] }),
                vec!["/message/cards/0/title", "/message/cards/0/image", "/message/cards/0/buttons/0/web_url"],
            ),
        ] {
            assert_eq!(pointers(message.clone()), expected, "{message}");
        }
    }
}
