//! The credentials of a BotDistrikt connection. `domain` is the secret custom domain of a Website Chat integration: any
//! text like a URL, chosen by its user, that works as a password.

use crate::API_URL;
use data_encoding::BASE32_DNSSEC;
use runtime::{
    App, Fault, Problem,
    clock::random,
    platform::{Review, Tested},
};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::{Map, Value};
use zxcvbn::{matching::patterns::MatchPattern, zxcvbn};

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Credentials {
    /// The number of the Website Chat integration, from BotDistrikt's Website Integration page.
    #[schemars(range(min = 1))]
    pub webchat_app_id: u64,
    /// The secret custom domain of the integration. It works as a password, so it must not be guessable.
    #[schemars(length(min = 8, max = 1024), regex(pattern = "^[!-~]*$"))]
    pub domain: String,
}

pub fn schema() -> Schema {
    schemars::schema_for!(Credentials)
}

/// Below this many bits a domain is called guessable.
const LEAST_BITS: f64 = 64.0;

pub fn review(_: &App, credentials: &Map<String, Value>) -> Result<Review, Problem> {
    let domain = credentials["domain"].as_str().unwrap_or_default();
    let guessable = bits(domain) < LEAST_BITS;
    let detail = "is guessable, and who guesses it can write as any user whose id is known: take one with a random part \
                  of 64 bits or more, or have one made with `generate`";
    let warnings = if guessable { vec![Fault::new("/domain", detail)] } else { Vec::new() };
    // To a schema 4711.0 is whole as well, and so is what has more than 64 bits.
    let faults = if credentials["webchat_app_id"].is_u64() {
        Vec::new()
    } else {
        vec![Fault::new("/webchat_app_id", "is not a whole number of up to 64 bits, written without a fraction")]
    };
    Ok(Review { faults, warnings })
}

/// How many bits of randomness there are in the label that has most: those around it may be the site's own.
fn bits(domain: &str) -> f64 {
    let labels = domain.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    labels.map(|label| label.split(['-', '_']).map(bits_of_part).sum()).fold(0.0, f64::max)
}

/// About what a letter tells in the words of any language: a name is made of them, however long it is.
const BITS_OF_A_LETTER: f64 = 1.0;

fn bits_of_part(part: &str) -> f64 {
    let estimate: f64 = zxcvbn(part, &[])
        .sequence()
        .iter()
        .map(|found| match (&found.pattern, found.guesses) {
            (MatchPattern::BruteForce, _) => bits_of_unknown(&found.token),
            (_, guesses) => (guesses.unwrap_or(1).max(1) as f64).log2(),
        })
        .sum();
    if is_word(part) { estimate.min(part.len() as f64 * BITS_OF_A_LETTER) } else { estimate }
}

fn is_word(part: &str) -> bool {
    let mut letters = part.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic()) && letters.all(|c| c.is_ascii_lowercase())
}

/// What is no word, date or pattern that zxcvbn knows. Letters alone may be a word that it does not.
fn bits_of_unknown(text: &str) -> f64 {
    let has = |kind: fn(&char) -> bool| text.chars().any(|c| kind(&c));
    let (letters, digits) = (has(char::is_ascii_alphabetic), has(char::is_ascii_digit));
    let each: f64 = match (letters, digits) {
        (true, true) if text.chars().all(|c| c.is_ascii_hexdigit()) => 16.0,
        (true, true) => 32.0,
        _ => 10.0,
    };
    text.len() as f64 * each.log2()
}

const SECRET_BYTES: usize = 32;

/// A domain that nobody guesses, below a name that nobody can register (RFC 6761).
pub fn make_domain() -> Result<String, Problem> {
    Ok(format!("{}.invalid", BASE32_DNSSEC.encode(&random::<SECRET_BYTES>()?)))
}

/// BotDistrikt documents no call that tries the domain and leaves nothing behind.
pub async fn test(app: &App) -> Result<Tested, Problem> {
    app.http().map_err(Problem::internal)?.reach(app.config.platforms.url(&API_URL)?.clone()).await?;
    let detail = "BotDistrikt can be reached; whether it takes the domain is told by registering a user \
                  (botdistrikt.register-user)";
    Ok(Tested { ok: None, detail: detail.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_guessable_unless_a_label_is_random() {
        for guessable in [
            "app.example.com",
            "www.example.com",
            "https://webchat.internationalization-support.com/chat",
            "myshop-webchat-2024.example.com",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com",
            "correct-horse-battery-staple.example.com",
            "My-Very-Long-Company-Name-for-the-webchat-of-our-shop.example.com",
            "swissboutiquehotelgroupzurichwebchat.example.com",
            "donaudampfschifffahrtsgesellschaft.example.com",
            "die_beste_zahnarztpraxis_in_winterthur_chat_2024.example.com",
            "a8f3k2m9x1.example.com",
        ] {
            assert!(bits(guessable) < LEAST_BITS, "{guessable}: {}", bits(guessable));
        }
        for good in [
            "x7k2m9q4w8z1v5n3.example.com",
            "9f8e7d6c5b4a3928.example.com",
            "9f8e7d6c5b4a39281706f5e4.example.com",
            "f47ac10b-58cc-4372-a567-0e02b2c3d479.example.com",
            "https://www.example.com/KBxydDlxRjCEaYywKTwRwg",
        ] {
            assert!(bits(good) >= LEAST_BITS, "{good}: {}", bits(good));
        }
        let made = make_domain().unwrap();
        assert!(bits(&made) >= LEAST_BITS && made != make_domain().unwrap(), "{made}");
    }
}
