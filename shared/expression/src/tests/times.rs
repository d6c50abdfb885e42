//! Times compared with `time` must be written in its form.

use super::*;

#[test]
fn a_time_in_another_form_is_rejected_on_save() {
    let write = |time: &str| format!("`time` is compared as a text in UTC with milliseconds: write \"{time}\"");
    for (text, at, time) in [
        (r#"time >= "2026-11-28T10:00:16Z""#, "1:9", "2026-11-28T10:00:16.000Z"),
        (r#""2026-11-28T10:00:16.1Z" < time"#, "1:1", "2026-11-28T10:00:16.100Z"),
        (r#"time == "2026-11-28T11:00:16.195+01:00""#, "1:9", "2026-11-28T10:00:16.195Z"),
        (r#"time != "2026-11-28T10:00:16.195432Z""#, "1:9", "2026-11-28T10:00:16.195Z"),
        (r#"time > "2026-11-28""#, "1:8", "2026-11-28T00:00:00.000Z"),
        (r#"time <= "2026-11-28t10:00:16.195z""#, "1:9", "2026-11-28T10:00:16.195Z"),
        (r#"time < "tomorrow""#, "1:8", "2026-11-28T10:00:16.195Z"),
        (r#"time == """#, "1:9", "2026-11-28T10:00:16.195Z"),
        ("id == \"a\" ||\n time in [\"2026-11-28T10:00:16.195Z\", \"2026-11-29\"]", "2:39", "2026-11-29T00:00:00.000Z"),
        (r#""2026" in [time]"#, "1:1", "2026-11-28T10:00:16.195Z"),
        (r#"time in {"2026-11-28": 1}"#, "1:10", "2026-11-28T00:00:00.000Z"),
        (r#"(data.a ? time : "x") > "2026-11-28""#, "1:25", "2026-11-28T00:00:00.000Z"),
        (r#"time > (data.a ? data.b : "2026-11-28")"#, "1:27", "2026-11-28T00:00:00.000Z"),
        (r#"data.items.exists(x, time > "2026-11-28")"#, "1:29", "2026-11-28T00:00:00.000Z"),
        (r#"["2026-11-28"].exists(x, x < time)"#, "1:2", "2026-11-28T00:00:00.000Z"),
        (r#"[time].all(x, x > "2026-11-28")"#, "1:19", "2026-11-28T00:00:00.000Z"),
        (r#"[time] == ["2026-11-28"]"#, "1:12", "2026-11-28T00:00:00.000Z"),
        (r#"string(time) > "2026-11-28""#, "1:16", "2026-11-28T00:00:00.000Z"),
        (r#"[time][0] > "2026-11-28""#, "1:13", "2026-11-28T00:00:00.000Z"),
        (r#"(time) > ("2026-11-28")"#, "1:11", "2026-11-28T00:00:00.000Z"),
    ] {
        let detail = Expression::compile(text).err().map(|bad| bad.detail);
        assert_eq!(detail, Some(format!("{at}: {}", write(time))), "{text}");
        assert!(Expression::compile_stored(text).is_ok(), "{text}");
    }
}

#[test]
fn texts_that_are_not_times_are_unrestricted() {
    for text in [
        r#"time >= "2026-11-28T10:00:16.195Z""#,
        r#"time in ["2026-11-28T10:00:16.195Z"]"#,
        r#"time.startsWith("2026-11")"#,
        r#"time.matches("^2026-1[12]")"#,
        r#"time.contains("T10:") || time == null"#,
        r#"data.time > "2026-11-28""#,
        r#"data["time"] == "2026-11-28""#,
        r#"data.raw.at < time"#,
        r#"{"time": data.at}.time > "2026-11-28""#,
        r#"["2026-11-28"].exists(time, time > "2026-11-27")"#,
        r#"data.items.exists(time, time > "2026-11-27")"#,
        r#"time > data.raw.since ? "2026-11-28" : "earlier""#,
        r#"(time > data.raw.since) == true && data.tag == "2026-11-28""#,
        r#""on " + time"#,
    ] {
        let detail = Expression::compile(text).err().map(|bad| bad.detail);
        assert_eq!(detail, None, "{text}");
    }
}

#[test]
fn times_compare_by_milliseconds() {
    let event = json!({ "time": "2026-11-28T10:00:16.195Z" });
    let passes = |text: &str| Expression::compile(text).unwrap().matches(&EventValues::of_json(&event));
    assert!(passes(r#"time >= "2026-11-28T10:00:16.000Z" && time < "2026-11-28T10:00:17.000Z""#));
    assert!(passes(r#"time == "2026-11-28T10:00:16.195Z""#));
    assert!(!passes(r#"time > "2026-11-28T10:00:16.195Z""#));
}
