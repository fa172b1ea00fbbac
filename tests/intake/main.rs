//! Records through the edge: taken in, refused, given out, read from files, imported.

#[cfg(target_os = "linux")]
#[cfg(test)]
mod bombs;
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
