//! Records through the edge: taken in, refused, given out, read from files, imported.

mod files;
mod importing;
mod records;
mod refusals;
mod support;
