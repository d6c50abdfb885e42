//! The list of modules, and what repeats it.

mod modules;
mod restated;
mod restated_documents;
