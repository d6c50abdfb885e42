//! Made-up people, and the webhook bodies about them: the triggers' samples with other values.

use serde_json::{Value, json};

/// Names, as given name and family name.
const NAMES: [(&str, &str); 24] = [
    ("Ava", "Chen"),
    ("Noah", "Okafor"),
    ("Mia", "Lindqvist"),
    ("Luis", "Ferreira"),
    ("Zoë", "Martin"),
    ("Kenji", "Watanabe"),
    ("Amara", "Diallo"),
    ("Elif", "Yılmaz"),
    ("Tom", "Becker"),
    ("Priya", "Raman"),
    ("Jonas", "Novák"),
    ("Sofia", "Rossi"),
    ("Omar", "Haddad"),
    ("Freya", "Nielsen"),
    ("Diego", "Morales"),
    ("Hana", "Kim"),
    ("Ivan", "Petrov"),
    ("Grace", "Mensah"),
    ("Leo", "Dubois"),
    ("Nina", "Kovač"),
    ("Samuel", "Adeyemi"),
    ("Lucía", "Vega"),
    ("Ben", "Carter"),
    ("Anh", "Nguyễn"),
];
const CHANNELS: [&str; 4] = ["facebook", "instagram", "web", "whatsapp"];
const LOCALES: [&str; 4] = ["en_US", "de_DE", "pt_BR", "fr_FR"];
const PLANS: [&str; 3] = ["free", "silver", "gold"];
const PRODUCTS: [&str; 6] = ["Latte", "Flat white", "Espresso", "Cold brew", "Chai", "Cortado"];
const TAGS: [&str; 5] = ["vip", "newsletter", "first order", "at risk", "wholesale"];
const REASONS: [&str; 4] =
    ["Wants to talk about a refund", "The order arrived damaged", "Asks for an invoice", "Question about allergens"];

/// The number of people.
pub const COUNT: usize = NAMES.len();

pub fn name(person: usize) -> String {
    let (first, last) = NAMES[person % COUNT];
    format!("{first} {last}")
}

pub fn email(person: usize) -> String {
    format!("person-{}@example.com", person % COUNT + 1)
}

/// A person in BotStar's bodies. Every fifth has no customer number.
fn botstar_user(person: usize) -> Value {
    let (first, last) = NAMES[person % COUNT];
    let mut user = json!({
        "id": format!("u-{}", 1_000 + person % COUNT), "name": name(person), "first_name": first, "last_name": last,
        "email": email(person), "channel": CHANNELS[person % CHANNELS.len()], "locale": LOCALES[person % LOCALES.len()],
        "timezone": person % 9, "plan": PLANS[person % PLANS.len()],
    });
    if !person.is_multiple_of(5) {
        user["customer_number"] = json!(format!("C-{}", 20_000 + person % COUNT));
    }
    user
}

/// The body of a BotStar trigger: its sample with this person. `number` differs in each body, so that none is a duplicate.
pub fn botstar_body(trigger: &str, person: usize, number: usize) -> Value {
    let sample = registry::trigger(trigger).map_or("{}", |entry| entry.sample);
    let mut body: Value = serde_json::from_str(sample).unwrap_or_default();
    body["user"] = botstar_user(person);
    body["number"] = number.into();
    match trigger {
        "botstar.watch-checkpoint-record" => {
            let quantity = number % 3 + 1;
            let total = format!("{}.50", 4 * quantity);
            let product = PRODUCTS[number % PRODUCTS.len()];
            body["record"] = json!({
                "id": format!("r-{number}"),
                "fields": { "Product": product, "Quantity": quantity.to_string(), "Total Cost": total },
            });
        }
        "botstar.watch-tag" => body["tag"] = json!(TAGS[number % TAGS.len()]),
        "botstar.watch-human-takeover" => body["takeover"]["reason"] = json!(REASONS[number % REASONS.len()]),
        _ => {}
    }
    body
}

/// Texts that people say at ChatBot.
pub fn text(number: usize) -> &'static str {
    ["Where is my order?", "Do you deliver on Sundays?", "I'd like a latte", "Thanks!", "Can I change my address?"]
        [number % 5]
}

/// The chat's attributes at ChatBot.
pub fn chat_attributes(number: usize) -> Value {
    json!({ "product": PRODUCTS[number % PRODUCTS.len()], "quantity": (number % 3 + 1).to_string() })
}
