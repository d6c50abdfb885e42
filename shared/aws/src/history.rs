//! Metrics over time, as series: read from CloudWatch on AWS, held in memory on a laptop.

use crate::{
    METRICS_ATTEMPT_TIMEOUT,
    metrics::{DIMENSION, Metric, NAMESPACE},
    with_attempt_timeout,
};
use aws_sdk_cloudwatch::{
    Client,
    error::DisplayErrorContext,
    operation::get_metric_data::GetMetricDataOutput,
    primitives::DateTime,
    types::{Dimension, Metric as Named, MetricDataQuery, MetricStat, ScanBy, StatusCode},
};
use aws_types::SdkConfig;
use models::{Failure, FailureKind, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use std::{error::Error, pin::Pin};

/// Largest number of periods in a request: a day by the minute.
pub const MAX_PERIODS: u64 = 1_440;
/// Largest number of CloudWatch pages that are combined. A page has 100,800 values.
const MAX_PAGES: usize = 4;

/// Statistic of a metric's values in a period, by CloudWatch's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Statistic {
    Sum,
    #[serde(rename = "p50")]
    Median,
    #[serde(rename = "p99")]
    P99,
}

impl Statistic {
    const fn name(self) -> &'static str {
        match self {
            Self::Sum => "Sum",
            Self::Median => "p50",
            Self::P99 => "p99",
        }
    }

    const fn of(metric: Metric) -> &'static [Self] {
        if metric.is_of_times() { &[Self::Median, Self::P99] } else { &[Self::Sum] }
    }
}

/// A time span, divided into periods.
#[derive(Debug, Clone, Copy)]
pub struct TimeSpan {
    /// A multiple of the period.
    pub from: Timestamp,
    pub periods: usize,
    pub period_seconds: u64,
}

impl TimeSpan {
    /// Start of a period.
    pub const fn at(&self, period: usize) -> Timestamp {
        self.from.plus_seconds(self.period_seconds * period as u64)
    }

    pub const fn until(&self) -> Timestamp {
        self.at(self.periods)
    }

    /// The period that contains an instant.
    pub fn period_of(&self, at: Timestamp) -> Option<usize> {
        let period = at.seconds().checked_sub(self.from.seconds())? / self.period_seconds;
        usize::try_from(period).ok().filter(|period| *period < self.periods)
    }
}

/// One statistic of one metric, with a value per period.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Series {
    pub metric: Metric,
    pub statistic: Statistic,
    pub unit: &'static str,
    /// For a sum, 0 if nothing was counted; for times, null.
    pub values: Vec<Option<f64>>,
}

impl Series {
    /// All series, without counts.
    pub fn all(span: &TimeSpan) -> Vec<Self> {
        let series = |metric: Metric| {
            let empty = vec![(!metric.is_of_times()).then_some(0.0); span.periods];
            let of = move |statistic: &Statistic| Self {
                metric,
                statistic: *statistic,
                unit: metric.unit(),
                values: empty.clone(),
            };
            Statistic::of(metric).iter().map(of)
        };
        Metric::ALL.into_iter().flat_map(series).collect()
    }
}

pub type Reading<'a> = Pin<Box<dyn Future<Output = Result<Vec<Series>, MetricsUnavailable>> + Send + 'a>>;

/// The reason why no metrics could be read.
#[derive(Debug, thiserror::Error)]
#[error("the metrics are unavailable")]
pub struct MetricsUnavailable(#[from] Box<dyn Error + Send + Sync>);

impl Failure for MetricsUnavailable {
    fn kind(&self) -> FailureKind {
        FailureKind::MetricsUnavailable
    }
}

pub trait History: Send + Sync {
    /// Reads the series of [`Series::all`].
    fn read(&self, span: TimeSpan) -> Reading<'_>;
}

pub struct CloudWatch {
    client: Client,
    stack: String,
}

impl CloudWatch {
    pub fn new(sdk: &SdkConfig, stack: &str) -> Self {
        Self { client: Client::new(&with_attempt_timeout(sdk, METRICS_ATTEMPT_TIMEOUT)), stack: stack.to_owned() }
    }

    fn query(
        &self,
        id: usize,
        series: &Series,
        span: &TimeSpan,
    ) -> Result<MetricDataQuery, Box<dyn Error + Send + Sync>> {
        let stack = Dimension::builder().name(DIMENSION).value(&self.stack).build();
        let metric = Named::builder().namespace(NAMESPACE).metric_name(series.metric.name()).dimensions(stack).build();
        let statistic = MetricStat::builder()
            .metric(metric)
            .period(i32::try_from(span.period_seconds)?)
            .stat(series.statistic.name())
            .build();
        Ok(MetricDataQuery::builder().id(format!("s{id}")).metric_stat(statistic).build())
    }

    async fn read_series(&self, span: TimeSpan) -> Result<Vec<Series>, Box<dyn Error + Send + Sync>> {
        let mut all = Series::all(&span);
        let queries: Result<Vec<_>, _> =
            all.iter().enumerate().map(|(id, series)| self.query(id, series, &span)).collect();
        let instant = |at: Timestamp| DateTime::from_millis(i64::try_from(at.millis()).unwrap_or(i64::MAX));
        let request = self
            .client
            .get_metric_data()
            .set_metric_data_queries(Some(queries?))
            .start_time(instant(span.from))
            .end_time(instant(span.until()))
            .scan_by(ScanBy::TimestampAscending);
        let mut next = None;
        for _ in 0..MAX_PAGES {
            let page = request.clone().set_next_token(next).send().await;
            let page = page.map_err(|error| DisplayErrorContext(error).to_string())?;
            add_page(&mut all, &page, &span)?;
            next = page.next_token;
            if next.is_none() {
                return Ok(all);
            }
        }
        Err("CloudWatch returned more pages than requested".into())
    }
}

fn add_page(all: &mut [Series], page: &GetMetricDataOutput, span: &TimeSpan) -> Result<(), String> {
    for result in page.metric_data_results() {
        if let Some(status @ (StatusCode::InternalError | StatusCode::Forbidden)) = result.status_code() {
            return Err(format!("CloudWatch returned the status {} for a metric", status.as_str()));
        }
        let id = result.id().and_then(|id| id.strip_prefix('s')?.parse::<usize>().ok());
        let Some(series) = id.and_then(|id| all.get_mut(id)) else { continue };
        for (at, value) in result.timestamps().iter().zip(result.values()) {
            let at = u64::try_from(at.secs()).map(|seconds| Timestamp::from_millis(seconds * 1000)).ok();
            if let Some(slot) = at.and_then(|at| series.values.get_mut(span.period_of(at)?)) {
                *slot = Some(*value);
            }
        }
    }
    Ok(())
}

impl History for CloudWatch {
    fn read(&self, span: TimeSpan) -> Reading<'_> {
        Box::pin(async move { Ok(self.read_series(span).await?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_cloudwatch::types::MetricDataResult;

    const SPAN: TimeSpan =
        TimeSpan { from: Timestamp::from_millis(1_767_225_600_000), periods: 3, period_seconds: 300 };

    #[test]
    fn an_instant_belongs_to_the_period_that_starts_before_it() {
        let at = |seconds: u64| SPAN.period_of(SPAN.from.plus_seconds(seconds));
        assert_eq!([at(0), at(299), at(300), at(899), at(900)], [Some(0), Some(0), Some(1), Some(2), None]);
        assert_eq!(SPAN.period_of(Timestamp::from_millis(0)), None);
    }

    #[test]
    fn values_are_assigned_to_their_series_and_periods() {
        let mut all = Series::all(&SPAN);
        let result = |id: &str, seconds: i64, value: f64| {
            let at = DateTime::from_secs(1_767_225_600 + seconds);
            MetricDataResult::builder().id(id).timestamps(at).values(value).build()
        };
        let page = GetMetricDataOutput::builder()
            .metric_data_results(result("s0", 300, 4.0))
            .metric_data_results(result("s8", 600, 12.5))
            .metric_data_results(result("s0", 900, 1.0))
            .metric_data_results(result("unknown", 0, 1.0))
            .build();
        add_page(&mut all, &page, &SPAN).unwrap();
        assert_eq!((all[0].metric, &all[0].values), (Metric::Accepted, &vec![Some(0.0), Some(4.0), Some(0.0)]));
        assert_eq!((all[8].metric, all[8].statistic), (Metric::Latency, Statistic::P99));
        assert_eq!(all[8].values, [None, None, Some(12.5)]);
        assert_eq!(all[1].values, [Some(0.0); 3]);

        let failed = MetricDataResult::builder().id("s0").status_code(StatusCode::InternalError).build();
        let page = GetMetricDataOutput::builder().metric_data_results(failed).build();
        assert!(add_page(&mut all, &page, &SPAN).is_err(), "it is no zero");
    }
}
