//! The budget of an evaluation. The `cel` crate has none, so every operation charges its cost here: the weight of the
//! values that it uses, because time and memory grow with it.

use super::{
    names::{INDEX, KEY, WEIGH},
    number::LongNumber,
    output::{MAX_OUTPUT_BYTES, Output},
    pattern::Pattern,
};
use cel::{
    ExecutionError,
    common::{
        types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelString, CelUInt},
        value::Val,
    },
};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// The budget of one evaluation; a byte costs 1. At worst it takes half a second, and as many bytes of memory.
const MAX_COST: u64 = 24 << 20;
/// The message if the budget is exhausted.
pub const TOO_MUCH: &str = "this exceeds the work limit for one event";
/// Cost of a value, without its contents.
const VALUE: u64 = 64;
/// Added to `VALUE` for a map.
const MAP: u64 = 192;
/// Cost of an operator, each time a macro evaluates it.
const STEP: u64 = 32;

/// The remaining budget, and the output so far.
#[derive(Clone)]
pub struct Budget(Arc<State>);

struct State {
    left: AtomicU64,
    output: Mutex<Output>,
}

impl Budget {
    pub fn new() -> Self {
        Self(Arc::new(State { left: AtomicU64::new(MAX_COST), output: Mutex::default() }))
    }

    /// The share of the budget that was used.
    #[cfg(test)]
    pub fn share(&self) -> f64 {
        1.0 - self.0.left.load(Ordering::Relaxed) as f64 / MAX_COST as f64
    }

    /// No code panics while it holds the lock.
    pub fn output(&self) -> MutexGuard<'_, Output> {
        self.0.output.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The output, or an error with its size if it is too large.
    pub fn into_output(self, what: &str) -> Result<String, String> {
        let output = std::mem::take(&mut *self.output());
        if output.is_too_large() {
            let bytes = output.bytes();
            let at_least = if self.0.left.load(Ordering::Relaxed) == 0 { "more than " } else { "" };
            return Err(format!("{what} would have {at_least}{bytes} bytes; at most {MAX_OUTPUT_BYTES} are allowed"));
        }
        String::from_utf8(output.into_text()).map_err(|error| error.to_string())
    }

    /// Evaluation is single-threaded, so the two steps can't interleave.
    pub fn charge(&self, weight: u64) -> Result<(), ExecutionError> {
        let left = self.0.left.load(Ordering::Relaxed).checked_sub(weight);
        self.0.left.store(left.unwrap_or(0), Ordering::Relaxed);
        left.map(|_| ()).ok_or_else(|| ExecutionError::function_error(WEIGH, TOO_MUCH))
    }

    pub fn weigh(&self, value: &dyn Val) -> Result<(), ExecutionError> {
        self.charge(VALUE)?;
        if let Some(text) = value.downcast_ref::<CelString<'_>>() {
            self.charge(text.inner().len() as u64)
        } else if let Some(number) = value.downcast_ref::<LongNumber>() {
            self.charge(number.digits().len() as u64)
        } else if let Some(list) = value.downcast_ref::<CelList<'_>>() {
            list.inner().iter().try_for_each(|item| self.weigh(item.as_ref()))
        } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
            self.charge(MAP)?;
            map.inner().iter().try_for_each(|(key, value)| {
                let bytes = if let CelMapKey::String(key) = key { key.inner().len() } else { 0 };
                self.charge(VALUE + bytes as u64)?;
                self.weigh(value.as_ref())
            })
        } else {
            Ok(())
        }
    }

    /// Charges a long number's digits for each item of the list that it is compared with.
    pub fn membership(&self, item: &dyn Val, container: &dyn Val) -> Result<(), ExecutionError> {
        let Some(number) = item.downcast_ref::<LongNumber>() else { return Ok(()) };
        let items = container.downcast_ref::<CelList<'_>>().map_or(0, |list| list.inner().len());
        self.charge((number.digits().len() as u64).saturating_mul(items as u64))
    }

    /// The crate's own error for a list with a fractional index would copy the list without a charge.
    pub fn index(&self, index: &dyn Val) -> Result<(), ExecutionError> {
        if index.downcast_ref::<CelDouble>().is_some() {
            return Err(ExecutionError::function_error(
                INDEX,
                "a list index must be an int, and a field name a string",
            ));
        }
        self.weigh(index)
    }

    /// The crate's own error for a key of another type would copy it.
    pub fn key(&self, key: &dyn Val) -> Result<(), ExecutionError> {
        let is_key = key.downcast_ref::<CelString<'_>>().is_some()
            || key.downcast_ref::<CelInt>().is_some()
            || key.downcast_ref::<CelUInt>().is_some()
            || key.downcast_ref::<CelBool>().is_some();
        if !is_key {
            let message = format!("a field name must be a string, not {}", key.get_type().name());
            return Err(ExecutionError::function_error(KEY, message));
        }
        self.weigh(key)
    }

    pub fn items(&self, items: &dyn Val, body: u64) -> Result<(), ExecutionError> {
        let count = items.as_sizer().map_or(0, |items| items.size().inner().unsigned_abs());
        self.charge(count.saturating_mul(body).saturating_mul(STEP))?;
        self.weigh(items)
    }

    pub fn matches(&self, text: &dyn Val, pattern: &Pattern) -> Result<bool, ExecutionError> {
        let Some(string) = text.downcast_ref::<CelString<'_>>() else {
            return Err(ExecutionError::no_such_overload("matches", vec![text.get_type().name().to_owned()]));
        };
        self.charge(VALUE + pattern.weight * string.inner().len() as u64)?;
        Ok(pattern.regex.is_match(string.inner()))
    }
}
