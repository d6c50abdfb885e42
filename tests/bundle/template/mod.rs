//! `template.yaml`: its resources, its parameters, and the rights of each function.

mod aws;
pub mod deployment;
mod iam;
mod parameters;
mod requests;
pub mod resources;
mod rights;
mod rights_walk;
