//! The obvious evaluator: walks the parsed event for every item of every rule.
//!
//! It stays for ever as the judge of any faster path and as the engine of `explain`.
