//! Writing rules and cases: the texts that `palisade new` puts into files.
//!
//! Pure: the file system, the date and the new id belong to the command.

pub mod yaml;
pub mod secrets;
pub mod skeleton;
pub mod case;
