//! Metrics by the minute, for a day, in memory: CloudWatch for a laptop.

use crate::stop::stop;
use app::App;
use aws::{
    history::{History, Reading, Series, Statistic, TimeSpan},
    metrics::{Counts, Metric, MetricValue},
};
use models::Timestamp;
use sketches_ddsketch::{Config, DDSketch};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time};

const KEPT_SECONDS: u64 = 86_400;
const MINUTE: u64 = 60;
const EVERY: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Minute {
    sums: BTreeMap<Metric, u64>,
    times: BTreeMap<Metric, DDSketch>,
}

#[derive(Default)]
pub struct MemoryHistory(Mutex<BTreeMap<u64, Minute>>);

impl MemoryHistory {
    /// Takes the process's counts every second.
    pub async fn keep(self: Arc<Self>, app: Arc<App>, mut stopped: watch::Receiver<bool>) {
        let mut timer = time::interval(EVERY);
        loop {
            self.add_counts(app.now(), app.metrics.take());
            tokio::select! {
                _ = timer.tick() => {}
                () = stop(&mut stopped) => return,
            }
        }
    }

    fn add_counts(&self, now: Timestamp, counts: Counts) {
        if counts.is_empty() {
            return;
        }
        let mut minutes = self.minutes();
        let minute = minutes.entry(now.seconds() / MINUTE).or_default();
        for (metric, counted) in counts {
            match counted {
                MetricValue::Sum(sum) => *minute.sums.entry(metric).or_default() += sum,
                MetricValue::Times(times) => {
                    let sketch = minute.times.entry(metric).or_insert_with(|| DDSketch::new(Config::defaults()));
                    times.into_iter().for_each(|millis| sketch.add(millis as f64));
                }
            }
        }
        let oldest = now.seconds().saturating_sub(KEPT_SECONDS) / MINUTE;
        *minutes = minutes.split_off(&oldest);
    }

    fn series(&self, span: &TimeSpan) -> Vec<Series> {
        let mut all = Series::all(span);
        let mut sketches: BTreeMap<(Metric, usize), DDSketch> = BTreeMap::new();
        let minutes = self.minutes();
        for (minute, counted) in &*minutes {
            let Some(period) = span.period_of(Timestamp::from_millis(minute * MINUTE * 1000)) else { continue };
            for series in &mut all {
                if let Some(sum) = counted.sums.get(&series.metric) {
                    *series.values[period].get_or_insert_default() += *sum as f64;
                }
            }
            for (metric, sketch) in &counted.times {
                let whole = sketches.entry((*metric, period)).or_insert_with(|| DDSketch::new(Config::defaults()));
                // All have the same configuration.
                let _ = whole.merge(sketch);
            }
        }
        for series in &mut all {
            let quantile = match series.statistic {
                Statistic::Sum => continue,
                Statistic::Median => 0.5,
                Statistic::P99 => 0.99,
            };
            for (period, value) in series.values.iter_mut().enumerate() {
                let sketch = sketches.get(&(series.metric, period));
                *value = sketch.and_then(|sketch| sketch.quantile(quantile).ok().flatten()).map(f64::round);
            }
        }
        all
    }

    fn minutes(&self) -> MutexGuard<'_, BTreeMap<u64, Minute>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl History for MemoryHistory {
    fn read(&self, span: TimeSpan) -> Reading<'_> {
        Box::pin(async move { Ok(self.series(&span)) })
    }
}
