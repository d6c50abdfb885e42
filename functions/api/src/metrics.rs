//! `GET /v1/metrics`: counts over time.

use crate::{AFTER, BEFORE, READ};
use app::{App, Function, Route};
use aws::history::{MAX_PERIODS, Series, TimeSpan};
use models::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use web::{Code, Problem, Query, QueryValue, Request, RequestExt as _, Response, respond};

pub static FUNCTION: Function = Function { name: "api-metrics", routes: &[GET], direct: None, settings: Vec::new };

#[derive(Serialize, JsonSchema)]
struct Metrics {
    /// Start times of the periods.
    times: Vec<Timestamp>,
    /// Length of a period in seconds.
    period: u64,
    series: Vec<Series>,
}

const DAY_SECONDS: u64 = 86_400;
/// Age in days from which CloudWatch keeps only periods of these seconds.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
const KEPT: [(u64, u64); 3] = [(63, 3_600), (15, 300), (0, 60)];
/// Default periods. CloudWatch keeps data for long in these; each is a multiple of the previous one.
const PERIODS: [u64; 5] = [60, 300, 3_600, 21_600, DAY_SECONDS];
/// Largest number of periods by default.
const PERIODS_SHOWN: u64 = 288;

const GET: Route =
    Route::get("/v1/metrics", READ, "Get metrics over time, by default of the last day", |app, request| {
        Box::pin(get(app, request))
    })
    .with_query(&[
        AFTER,
        BEFORE,
        Query {
            name: "period",
            description: "Length of a period in seconds: a multiple of 60, by default 300 for a day.",
            value: QueryValue::Multiple(60, DAY_SECONDS),
        },
    ])
    .answers::<Metrics>();

async fn get(app: &App, request: Request) -> Result<Response, Problem> {
    let span = span(&request)?;
    let Some(history) = app.history() else {
        let detail = "metrics are not available: STACK_NAME is not set";
        return Err(Problem::new(Code::MetricsUnavailable, detail));
    };
    let times = (0..span.periods).map(|period| span.at(period)).collect();
    respond::ok(&Metrics { times, period: span.period_seconds, series: history.read(span).await? })
}

fn span(request: &Request) -> Result<TimeSpan, Problem> {
    let until = request.query_time("before")?.unwrap_or(request.now());
    let day_before = Timestamp::from_millis(until.millis().saturating_sub(DAY_SECONDS * 1000));
    let after = request.query_time("after")?.unwrap_or(day_before);
    if until <= after {
        return Err(Problem::invalid_query("after", "must be earlier than `before` and than now"));
    }
    let seconds = until.millis_since(after).div_ceil(1000);
    let period_seconds = period(request, seconds, request.now().millis_since(after) / 1000)?;
    let from = after.seconds() / period_seconds * period_seconds;
    let periods = (until.millis().div_ceil(1000) - from).div_ceil(period_seconds);
    // The first and the last period may be incomplete, so one more than the limit is allowed.
    if periods > MAX_PERIODS + 1 {
        let detail = format!("gives {periods} periods; at most {MAX_PERIODS} are allowed");
        return Err(Problem::invalid_query("period", &detail));
    }
    let periods = usize::try_from(periods).map_err(Problem::internal)?;
    Ok(TimeSpan { from: Timestamp::from_millis(from * 1000), periods, period_seconds })
}

fn period(request: &Request, seconds: u64, age: u64) -> Result<u64, Problem> {
    let kept = KEPT.into_iter().find(|(days, _)| age >= days * DAY_SECONDS).map_or(60, |(_, period)| period);
    let Some(text) = request.query("period") else {
        let fits = PERIODS.into_iter().find(|period| *period >= kept && seconds / period <= PERIODS_SHOWN);
        return Ok(fits.unwrap_or(DAY_SECONDS));
    };
    let period = text.parse().ok().filter(|period| (60..=DAY_SECONDS).contains(period) && period % 60 == 0);
    let period = period.ok_or_else(|| Problem::invalid_query("period", "must be a multiple of 60 from 60 to 86400"))?;
    if period < kept {
        let detail = format!("must be at least {kept} for data of this age");
        return Err(Problem::invalid_query("period", &detail));
    }
    Ok(period)
}
