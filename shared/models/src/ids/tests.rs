use super::*;
use proptest::prelude::*;

#[test]
fn a_token_contains_its_hooks_id() {
    let hook = HookId::new(Timestamp::from_millis(1_767_225_600_000), [7; 10]);
    let token = hook.token(&[9; SECRET_BYTES]);
    assert_eq!(token.len(), 64);
    assert_eq!(HookId::of_token(&token), Some(hook));
    assert_eq!(HookId::of_token("short"), None);
    assert_eq!(HookId::of_token(&"!".repeat(64)), None);
}

#[test]
fn only_the_canonical_spelling_is_an_id() {
    let id = KeyId::new(Timestamp::from_millis(1), [255; 10]).to_string();
    assert!(id.parse::<KeyId>().is_ok());
    assert!(id.to_uppercase().replace("KEY_", "key_").parse::<KeyId>().is_err());
    assert!(id.parse::<HookId>().is_err());
    assert!("key_".parse::<KeyId>().is_err());
}

/// Compares the pattern of a kind of ids with the parser.
macro_rules! pattern_is_exact {
    ($($test:ident: $id:ident, $bytes:expr;)*) => {
        proptest! {
            $(
                #[test]
                fn $test(
                    matching in proptest::string::string_regex($id::PATTERN.trim_matches(['^', '$'])).unwrap(),
                    bytes in proptest::collection::vec(any::<u8>(), $bytes),
                    other in concat!("(con|hook|evt|dlv|sub)_", "[0-9a-w]{25,65}"),
                ) {
                    let pattern = regex_lite::Regex::new($id::PATTERN).unwrap();
                    prop_assert!(matching.parse::<$id>().is_ok(), "{}", matching);
                    prop_assert!(pattern.is_match($id::from_bytes(&bytes.try_into().unwrap()).as_str()));
                    prop_assert_eq!(pattern.is_match(&other), other.parse::<$id>().is_ok());
                }
            )*
        }
    };
}

pattern_is_exact! {
    a_timed_id_is_what_its_pattern_says: ConnectionId, TIME_BYTES + RANDOM_BYTES;
    an_event_s_id_is_what_its_pattern_says: EventId, EVENT_BYTES;
    a_delivery_s_id_is_what_its_pattern_says: DeliveryId, EVENT_BYTES + TIME_BYTES + DELIVERY_BYTES;
    a_subscriber_s_id_is_what_its_pattern_says: SubscriberId, SUBSCRIBER_BYTES;
}

#[test]
fn a_delivery_id_contains_its_event_and_sorts_by_it() {
    let (early, late) = (Timestamp::from_millis(1_767_225_600_000), Timestamp::from_millis(1_767_225_600_001));
    let event = |at, key| EventId::new(at, ContentKey::unique(key));
    let (first, second) = (event(early, [255; 20]), event(late, [0; 20]));
    let route = RouteId::new(late, [9; 10]);
    let replay = |at| ReplayId::new(at, [1; 10]);
    let ids = [
        DeliveryId::derive(&first, &route, None),
        DeliveryId::derive(&first, &route, Some(&replay(early))),
        DeliveryId::derive(&first, &route, Some(&replay(late))),
        DeliveryId::derive(&second, &route, None),
    ];
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert_eq!(ids.each_ref().map(DeliveryId::event), [&first, &first, &first, &second].map(Clone::clone));
    assert_eq!(ids[0].to_string().parse::<DeliveryId>().unwrap(), ids[0]);
    let bound = |at| lower_bound(DeliveryId::PREFIX, at);
    assert!(bound(early).as_str() < ids[0].as_str() && ids[2].as_str() < bound(late).as_str());
    assert!(bound(late).as_str() < ids[3].as_str());
}

#[test]
fn subscriptions_sort_after_routes_and_have_an_id_for_each_list_of_parts() {
    let key = |number| KeyId::new(Timestamp::from_millis(1), [number; 10]);
    let of = |number, url, event_type, arguments| RouteId::of_subscription(&key(number), url, event_type, arguments);
    let first = of(1, "https://a.example/", "botstar.tag.added", "{}");
    assert_eq!(first, of(1, "https://a.example/", "botstar.tag.added", "{}"));
    for other in [
        of(2, "https://a.example/", "botstar.tag.added", "{}"),
        of(1, "https://a.example/b", "botstar.tag.added", "{}"),
        of(1, "https://a.example/", "botstar.tag.adde", "d{}"),
        of(1, "https://a.example/", "botstar.tag.added", r#"{"tag":"vip"}"#),
    ] {
        assert_ne!(first, other);
    }
    let latest_route = RouteId::new(Timestamp::from_millis(u64::MAX >> 17), [255; 10]);
    assert!(latest_route.as_str() < "rt_v" && "rt_v" < first.as_str() && first.as_str() < "rt_w");
    assert_eq!(first.to_string().parse::<RouteId>().unwrap(), first);
}

#[test]
fn shards_are_even() {
    let mut counts = [0_usize; SHARDS];
    for n in 0_u32..16_000 {
        let hook = HookId::new(Timestamp::from_millis(0), [0; 10]);
        let id = EventId::new(Timestamp::from_millis(5), ContentKey::digest(&hook, &[&n.to_be_bytes()]));
        counts[id.shard()] += 1;
    }
    assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
}

proptest! {
    #[test]
    fn event_ids_sort_by_time_and_keep_their_parts(
        a in 0_u64..1 << 47, b in 0_u64..1 << 47, key: [u8; 20], other: [u8; 20],
    ) {
        let (a, b) = (Timestamp::from_millis(a), Timestamp::from_millis(b));
        let first = EventId::new(a, ContentKey::unique(key));
        let second = EventId::new(b, ContentKey::unique(other));
        prop_assert_eq!(first.time(), a);
        prop_assert_eq!(first.key(), ContentKey::unique(key));
        if a != b {
            prop_assert_eq!(first < second, a < b);
            prop_assert_eq!(first.as_str() < lower_bound("evt_", b).as_str(), a < b);
        }
        prop_assert!(lower_bound("evt_", a).as_str() <= first.as_str());
        prop_assert_eq!(first.record().event(), first.clone());
        prop_assert_eq!(first.to_string().parse::<EventId>().unwrap(), first);
    }

    #[test]
    fn no_text_panics(text in ".*") {
        let _ = text.parse::<EventId>();
        let _ = HookId::of_token(&text);
        shard(&text);
    }

    #[test]
    fn parts_are_digested_separately(a in ".{0,8}", b in ".{0,8}") {
        let hook = HookId::new(Timestamp::from_millis(0), [0; 10]);
        let apart = ContentKey::digest(&hook, &[a.as_bytes(), b.as_bytes()]);
        let joined = ContentKey::digest(&hook, &[format!("{a}{b}").as_bytes()]);
        prop_assert_ne!(apart, joined);
    }
}
