//! An event as a tree of values, for the naive evaluator and for evidence.
