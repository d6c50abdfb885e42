//! The stored shape of a delivery's attempts and times. There are many deliveries, so each attempt is a few numbers in one
//! JSON text, and a time is a number. Version 1 of the shape had a map for each attempt, and times as RFC 3339.

/// Attempts as the JSON text of a list: `[[1767225600000,503,12],[1767225605000,null,9,"cut off"]]`.
pub mod attempts {
    use crate::{delivery::Attempt, time::Timestamp};
    use serde::{
        Deserialize, Deserializer, Serializer,
        de::{Error, SeqAccess, Visitor, value::SeqAccessDeserializer},
        ser,
    };
    use std::fmt;

    /// Milliseconds since the epoch, status, duration in milliseconds, error, body. A row may end before its defaults.
    #[derive(Deserialize)]
    struct Row(u64, Option<u16>, u64, #[serde(default)] Option<String>, #[serde(default = "empty")] Option<String>);

    #[expect(clippy::unnecessary_wraps, reason = "serde takes the field's type")]
    const fn empty() -> Option<String> {
        Some(String::new())
    }

    pub fn serialize<S: Serializer>(attempts: &[Attempt], serializer: S) -> Result<S::Ok, S::Error> {
        let text = |attempt: &Attempt| {
            let Attempt { at, status, duration_ms, error, body } = attempt;
            if error.is_none() && body.as_deref() == Some("") {
                serde_json::to_string(&(at.millis(), status, duration_ms))
            } else {
                serde_json::to_string(&(at.millis(), status, duration_ms, error, body))
            }
        };
        let rows: Result<Vec<String>, _> = attempts.iter().map(text).collect();
        serializer.collect_str(&format_args!("[{}]", rows.map_err(ser::Error::custom)?.join(",")))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Attempt>, D::Error> {
        deserializer.deserialize_any(Either)
    }

    struct Either;

    impl<'de> Visitor<'de> for Either {
        type Value = Vec<Attempt>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a delivery's attempts")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<Attempt>, E> {
            let rows: Vec<Row> = serde_json::from_str(text).map_err(E::custom)?;
            Ok(rows.into_iter().map(Attempt::from).collect())
        }

        /// Version 1.
        fn visit_seq<A: SeqAccess<'de>>(self, attempts: A) -> Result<Vec<Attempt>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(attempts))
        }
    }

    impl From<Row> for Attempt {
        fn from(Row(at, status, duration_ms, error, body): Row) -> Self {
            Self { at: Timestamp::from_millis(at), status, duration_ms, error, body }
        }
    }
}

/// A time in milliseconds since the epoch.
pub mod millis {
    use crate::time::Timestamp;
    use serde::{Deserializer, Serializer, de};
    use std::fmt;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(at.millis())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        deserializer.deserialize_any(Either)
    }

    struct Either;

    impl de::Visitor<'_> for Either {
        type Value = Timestamp;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a time")
        }

        fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Timestamp, E> {
            Ok(Timestamp::from_millis(millis))
        }

        fn visit_i64<E: de::Error>(self, millis: i64) -> Result<Timestamp, E> {
            u64::try_from(millis).map(Timestamp::from_millis).map_err(E::custom)
        }

        /// Version 1.
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
            Timestamp::parse(text).ok_or_else(|| E::custom("must be an RFC 3339 time"))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        delivery::{Attempt, StoredDelivery, VERSION},
        time::Timestamp,
    };
    use serde_json::{Value, json};

    /// A delivery that version 1 stored.
    fn earlier() -> Value {
        let event = "evt_06h2c0a0un6qgsivku8av4dtka8muik28fm86hq2uc";
        json!({
            "pk": event, "sk": format!("dlv_{}00000000048r605jk6cu05", &event[4..]), "v": 1, "version": 3,
            "route": "rt_06h2c091n2mvb5k8mik6qlaeo8", "state": "succeeded",
            "attempts": [
                { "at": "2026-01-01T00:00:00.000Z", "status": 503, "duration_ms": 12, "error": null, "body": "" },
                { "at": "2026-01-01T00:00:05.000Z", "status": null, "duration_ms": 9, "error": "cut off", "body": null },
            ],
            "tried": 2, "retried": 0, "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:05.009Z",
            "event_expires": u64::MAX, "expires": 1_798_525_975,
        })
    }

    #[test]
    fn a_delivery_that_version_1_stored_is_read_and_written_anew() {
        let mut delivery: StoredDelivery = serde_json::from_value(earlier()).unwrap();
        assert_eq!(delivery.created_at, Timestamp::from_millis(1_767_225_600_000));
        assert_eq!(delivery.attempts[1].error.as_deref(), Some("cut off"));
        assert_eq!(delivery.bump_version(Timestamp::from_millis(1_767_225_700_000)), 3);
        let stored = serde_json::to_value(&delivery).unwrap();
        assert_eq!(stored["v"], VERSION);
        assert_eq!(stored["attempts"], r#"[[1767225600000,503,12],[1767225605000,null,9,"cut off",null]]"#);
        assert_eq!(stored["updated_at"], 1_767_225_700_000_u64);
        assert_eq!((&stored["event_expires"], &stored["retried"]), (&Value::Null, &Value::Null), "the defaults");
        assert_eq!(serde_json::from_value::<StoredDelivery>(stored).unwrap(), delivery);
    }

    #[test]
    fn an_attempt_keeps_each_of_its_values() {
        let texts = [None, Some(String::new()), Some("x".to_owned())];
        let mut delivery: StoredDelivery = serde_json::from_value(earlier()).unwrap();
        delivery.attempts = texts
            .iter()
            .flat_map(|error| texts.iter().map(move |body| (error.clone(), body.clone())))
            .map(|(error, body)| Attempt {
                at: Timestamp::from_millis(7),
                status: Some(500),
                duration_ms: 0,
                error,
                body,
            })
            .collect();
        let stored = serde_json::to_value(&delivery).unwrap();
        assert_eq!(serde_json::from_value::<StoredDelivery>(stored).unwrap(), delivery);
    }
}
