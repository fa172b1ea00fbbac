//! Records through the edge: taken in, refused, given out, read from files, imported.

#[cfg(test)]
mod files;
#[cfg(test)]
mod importing;
#[cfg(test)]
mod records;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod support;
