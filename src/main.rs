//! The `icpgate` program; everything is in the library.

fn main() {}
