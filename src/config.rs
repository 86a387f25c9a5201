//! The configuration: one YAML file and the environment, read strictly, every problem at once.

pub mod load;
