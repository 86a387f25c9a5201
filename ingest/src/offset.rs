//! Which offsets are in flight and which may be committed; pure.
