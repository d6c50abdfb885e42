//! Errors of an evaluation in words.

use cel::ExecutionError;

/// An error in words that repeat nothing of the event but what the expression's text says too: they are kept and shown.
pub fn of(error: &ExecutionError, text: &str) -> String {
    let name = |value: &cel::Value| value.type_of().to_string().replace("float", "double");
    match error {
        ExecutionError::NoSuchKey(name) if text.contains(name.as_str()) => format!("there is no field `{name}`"),
        ExecutionError::NoSuchKey(_) => "there is no such field".to_owned(),
        ExecutionError::NoSuchOverload(error) => {
            // An operator's name has underscores where its operands are.
            let function = error.function().trim_matches(['_', '@']);
            format!("`{function}` does not go with {}", error.argument_types().join(" and "))
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            let operator = match *operator {
                "add" => "+",
                "sub" => "-",
                "mul" => "*",
                "div" => "/",
                "rem" => "%",
                other => other,
            };
            format!("`{operator}` does not go with {} and {}", name(left), name(right))
        }
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("{} and {} have no order", name(left), name(right))
        }
        ExecutionError::UnexpectedType { got, want } => format!("{want} is wanted where {got} is"),
        ExecutionError::UnsupportedKeyType(key) => format!("a field's name is a text, and this is {}", name(key)),
        ExecutionError::DuplicateKey(_) => "a map has the same field twice".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "a list is shorter than that".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "a division by zero".to_owned(),
        ExecutionError::Overflow(..) => "a number becomes too large".to_owned(),
        ExecutionError::FunctionError { function, message } if function.starts_with('@') => message.clone(),
        ExecutionError::FunctionError { function, message } => format!("{function}: {message}"),
        _ => "it has no value".to_owned(),
    }
}
