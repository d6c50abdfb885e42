//! What an evaluation may cost. The crate bounds no evaluation, so that the expression's tree is given calls of these
//! functions: one weighs each value that something is done with, as whatever is done takes time and memory for that
//! value and no more, and one counts beforehand what a macro goes through.

use super::pattern::Pattern;
use cel::{
    Context, Env, ExecutionError, FunctionContext,
    common::{
        types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelString},
        value::{CowVal, Val},
    },
    context::VariableResolver,
};
use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicU64, Ordering},
};

/// Weighs a value that is an operand, an argument or a part of a list or a map.
pub const WEIGH: &str = "@weigh";
/// Weighs the place in a list or a map.
pub const INDEX: &str = "@index";
/// Weighs what a macro goes through. The second argument is what its body weighs.
pub const ITEMS: &str = "@items";
/// Holds a text against the pattern of that number.
pub const MATCHES: &str = "@matches";

/// What one evaluation may weigh; a byte is 1. At worst that takes half a second, and 100 MB of memory.
const MOST: u64 = 32 << 20;
/// What a value weighs besides what it holds, a map in particular, and an operator each time a macro comes to it.
const VALUE: u64 = 64;
const MAP: u64 = 192;
const STEP: u64 = 32;

static ENVIRONMENT: LazyLock<Arc<Env>> =
    LazyLock::new(|| Arc::new(Env::default().with_optional_support(false).with_stdlib()));

type Function = Box<
    dyn for<'a, 'v> Fn(&mut FunctionContext<'a, 'v>) -> Result<CowVal<'a, 'v>, ExecutionError> + Send + Sync + 'static,
>;

/// What is left of what may be done.
#[derive(Clone)]
pub struct Work(Arc<AtomicU64>);

impl Work {
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(MOST)))
    }

    /// What has been done.
    #[cfg(test)]
    pub fn share(&self) -> f64 {
        1.0 - self.0.load(Ordering::Relaxed) as f64 / MOST as f64
    }

    /// Only one thread evaluates, so that nothing comes between the two steps.
    fn spend(&self, weight: u64) -> Result<(), ExecutionError> {
        let left = self.0.load(Ordering::Relaxed).checked_sub(weight);
        self.0.store(left.unwrap_or(0), Ordering::Relaxed);
        left.map(|_| ()).ok_or_else(|| ExecutionError::function_error(WEIGH, "this takes more work than an event may"))
    }

    fn weigh(&self, value: &dyn Val) -> Result<(), ExecutionError> {
        self.spend(VALUE)?;
        if let Some(text) = value.downcast_ref::<CelString<'_>>() {
            self.spend(text.inner().len() as u64)
        } else if let Some(list) = value.downcast_ref::<CelList<'_>>() {
            list.inner().iter().try_for_each(|item| self.weigh(item.as_ref()))
        } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
            self.spend(MAP)?;
            map.inner().iter().try_for_each(|(key, value)| {
                let bytes = if let CelMapKey::String(key) = key { key.inner().len() } else { 0 };
                self.spend(VALUE + bytes as u64)?;
                self.weigh(value.as_ref())
            })
        } else {
            Ok(())
        }
    }

    /// An error of the crate's for a list at a fraction's place would copy the list, which is not weighed.
    fn index(&self, index: &dyn Val) -> Result<(), ExecutionError> {
        if index.downcast_ref::<CelDouble>().is_some() {
            return Err(ExecutionError::function_error(
                INDEX,
                "a place in a list is an int, and a field's name a text",
            ));
        }
        self.weigh(index)
    }

    fn items(&self, items: &dyn Val, body: u64) -> Result<(), ExecutionError> {
        let count = items.as_sizer().map_or(0, |items| items.size().inner().unsigned_abs());
        self.spend(count.saturating_mul(body).saturating_mul(STEP))?;
        self.weigh(items)
    }

    fn matches(&self, text: &dyn Val, pattern: &Pattern) -> Result<bool, ExecutionError> {
        let Some(string) = text.downcast_ref::<CelString<'_>>() else {
            return Err(ExecutionError::no_such_overload("matches", vec![text.get_type().name().to_owned()]));
        };
        self.spend(VALUE + pattern.weight * string.inner().len() as u64)?;
        Ok(pattern.regex.is_match(string.inner()))
    }
}

/// Where an expression with these patterns is evaluated.
pub fn context<'v>(variables: &'v dyn VariableResolver, work: &Work, patterns: &Arc<[Pattern]>) -> Context<'v, 'v> {
    let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
    context.set_variable_resolver(variables);
    let functions: [(&str, Function); 4] = [
        (WEIGH, checked(work, |work, value, _| work.weigh(value))),
        (INDEX, checked(work, |work, index, _| work.index(index))),
        (ITEMS, checked(work, Work::items)),
        (MATCHES, matches(work, patterns)),
    ];
    for (name, function) in functions {
        // Refused only where the environment has a function of that name, and none of its own begins with an `@`.
        let _ = context.add_function::<Function, _>(name, function);
    }
    context
}

/// A function that gives its first argument back, if it may. The second is a number.
fn checked(work: &Work, check: fn(&Work, &dyn Val, u64) -> Result<(), ExecutionError>) -> Function {
    let work = work.clone();
    Box::new(move |call| {
        let number = call.args.get(1).map_or(0, |number| number_of(&**number));
        let value = call.args.drain(..).next().ok_or_else(ExecutionError::missing_argument_or_target)?;
        check(&work, &*value, number)?;
        Ok(value)
    })
}

fn matches(work: &Work, patterns: &Arc<[Pattern]>) -> Function {
    let (work, patterns) = (work.clone(), Arc::clone(patterns));
    Box::new(move |call| {
        let [text, number] = &*call.args else { return Err(ExecutionError::missing_argument_or_target()) };
        let pattern = usize::try_from(number_of(&**number)).ok().and_then(|number| patterns.get(number));
        let pattern = pattern.ok_or_else(ExecutionError::missing_argument_or_target)?;
        Ok(CowVal::owned(CelBool::from(work.matches(&**text, pattern)?)))
    })
}

fn number_of(value: &dyn Val) -> u64 {
    value.downcast_ref::<CelInt>().map_or(0, |number| number.inner().unsigned_abs())
}
