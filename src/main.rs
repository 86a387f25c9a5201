//! Parse arguments, load the configuration, build, announce, run, drain.

fn main() {}
