//! The functions that replace the crate's operators in a rewritten expression, and those that charge the budget.

use super::{
    json::write,
    names::{INDEX, ITEMS, JSON, KEY, MATCHES, OPERATORS, WEIGH},
    number::{LongNumber, equals, is_in, no_overload, order, string},
    pattern::Pattern,
    work::Budget,
};
use cel::{
    Context, Env, ExecutionError, FunctionContext,
    common::{
        types::{CelBool, CelInt, CelList, CelMap, CelNull, CelString},
        value::{CowVal, Val},
    },
    context::VariableResolver,
};
use std::{
    cmp::Ordering,
    sync::{Arc, LazyLock},
};

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::default().with_optional_support(false).with_stdlib();
    // This fails only if such an overload exists, and the type is our own.
    let _ = cel::add_overload!(environment, fn string: (LongNumber) -> CelString);
    Arc::new(environment)
});

type Function = Box<
    dyn for<'a, 'v> Fn(&mut FunctionContext<'a, 'v>) -> Result<CowVal<'a, 'v>, ExecutionError> + Send + Sync + 'static,
>;

/// The context of an expression with these patterns.
pub fn context<'v>(variables: &'v dyn VariableResolver, work: &Budget, patterns: &Arc<[Pattern]>) -> Context<'v, 'v> {
    let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
    context.set_variable_resolver(variables);
    let mut add = |name: &str, function: Function| {
        // This fails only if the environment has a function of the same name. It has none whose name begins with `@`.
        let _ = context.add_function::<Function, _>(name, function);
    };
    add(WEIGH, checked(work, |work, value, _| work.weigh(value)));
    add(INDEX, checked(work, |work, index, _| work.index(index)));
    add(KEY, checked(work, |work, key, _| work.key(key)));
    add(ITEMS, checked(work, Budget::items));
    add(MATCHES, matches(work, patterns));
    add(JSON, json(work));
    for (_, name) in OPERATORS {
        let (operator, work) = (name.trim_start_matches('@'), work.clone());
        add(
            name,
            Box::new(move |call| {
                let [left, right] = &*call.args else { return Err(ExecutionError::missing_argument_or_target()) };
                if operator == "in" {
                    work.membership(&**left, &**right)?;
                }
                apply(operator, &**left, &**right).map(CowVal::Owned)
            }),
        );
    }
    context
}

fn apply<'v>(
    operator: &str,
    left: &(dyn Val + 'v),
    right: &(dyn Val + 'v),
) -> Result<Box<dyn Val + 'v>, ExecutionError> {
    let ordered = || order(left, right).ok_or_else(|| no_overload(operator, left, right));
    let bool = match operator {
        "==" => equals(left, right),
        "!=" => !equals(left, right),
        "<" => ordered()? == Ordering::Less,
        "<=" => ordered()? != Ordering::Greater,
        ">" => ordered()? == Ordering::Greater,
        ">=" => ordered()? != Ordering::Less,
        "in" => is_in(left, right)?,
        _ => return arithmetic(operator, left, right),
    };
    Ok(Box::new(CelBool::from(bool)))
}

fn arithmetic<'v>(
    operator: &str,
    left: &(dyn Val + 'v),
    right: &(dyn Val + 'v),
) -> Result<Box<dyn Val + 'v>, ExecutionError> {
    let refused = || no_overload(operator, left, right);
    let is_list = |value: &dyn Val| value.downcast_ref::<CelList<'_>>().is_some();
    let is_other =
        |value: &dyn Val| value.downcast_ref::<CelMap<'_>>().is_some() || value.downcast_ref::<LongNumber>().is_some();
    // The crate's own error would copy its operands, however large.
    let are_lists = is_list(left) && is_list(right);
    if is_other(left) || is_other(right) || (is_list(left) || is_list(right)) && !(are_lists && operator == "+") {
        return Err(refused());
    }
    Ok(match operator {
        "+" => left.as_adder().ok_or_else(refused)?.add(right)?,
        "-" => left.as_subtractor().ok_or_else(refused)?.sub(right)?,
        "*" => left.as_multiplier().ok_or_else(refused)?.mul(right)?,
        "/" => left.as_divider().ok_or_else(refused)?.div(right)?,
        _ => left.as_modder().ok_or_else(refused)?.modulo(right)?,
    }
    .into_owned())
}

/// A function that returns its first argument after a check. The second argument is a number.
fn checked(work: &Budget, check: fn(&Budget, &dyn Val, u64) -> Result<(), ExecutionError>) -> Function {
    let work = work.clone();
    Box::new(move |call| {
        let number = call.args.get(1).map_or(0, |number| number_of(&**number));
        let value = call.args.drain(..).next().ok_or_else(ExecutionError::missing_argument_or_target)?;
        check(&work, &*value, number)?;
        Ok(value)
    })
}

fn matches(work: &Budget, patterns: &Arc<[Pattern]>) -> Function {
    let (work, patterns) = (work.clone(), Arc::clone(patterns));
    Box::new(move |call| {
        let [text, number] = &*call.args else { return Err(ExecutionError::missing_argument_or_target()) };
        let pattern = usize::try_from(number_of(&**number)).ok().and_then(|number| patterns.get(number));
        let pattern = pattern.ok_or_else(ExecutionError::missing_argument_or_target)?;
        Ok(CowVal::owned(CelBool::from(work.matches(&**text, pattern)?)))
    })
}

fn json(work: &Budget) -> Function {
    let work = work.clone();
    Box::new(move |call| {
        let [value] = &*call.args else { return Err(ExecutionError::missing_argument_or_target()) };
        write(&**value, &mut work.output(), &work)?;
        Ok(CowVal::owned(CelNull))
    })
}

fn number_of(value: &dyn Val) -> u64 {
    value.downcast_ref::<CelInt>().map_or(0, |number| number.inner().unsigned_abs())
}
