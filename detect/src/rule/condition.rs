//! The condition grammar: text to [`super::Expr`].
