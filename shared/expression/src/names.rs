//! The functions that a rewritten expression calls. Their names are no identifiers, so no expression can call them.

use cel::common::ast::operators;

/// Weighs a value that is an operand, an argument or a part of a list or a map.
pub const WEIGH: &str = "@weigh";
/// Weighs the place in a list or a map.
pub const INDEX: &str = "@index";
/// Weighs the name of a map's field.
pub const KEY: &str = "@key";
/// Weighs the list or map of a macro. The second argument is the weight of the macro's body.
pub const ITEMS: &str = "@items";
/// Matches a text against the pattern of that number.
pub const MATCHES: &str = "@matches";
/// Writes the value of an expression as JSON.
pub const JSON: &str = "@json";

/// The operators of the crate, and the functions in their place.
pub const OPERATORS: [(&str, &str); 12] = [
    (operators::EQUALS, "@=="),
    (operators::NOT_EQUALS, "@!="),
    (operators::LESS, "@<"),
    (operators::LESS_EQUALS, "@<="),
    (operators::GREATER, "@>"),
    (operators::GREATER_EQUALS, "@>="),
    // The crate calls its own `@in`.
    (operators::IN, "@@in"),
    (operators::ADD, "@+"),
    (operators::SUBSTRACT, "@-"),
    (operators::MULTIPLY, "@*"),
    (operators::DIVIDE, "@/"),
    (operators::MODULO, "@%"),
];
