//! `palisade schema`: JSON Schemas for editors.

use std::io::{self, Write as _};

use crate::exit::Exit;
use crate::schema::{self, Kind};

/// Options of `schema`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What kind of file it is for.
    pub kind: Kind,
}

/// Prints the schema.
///
/// # Errors
/// When standard output is gone.
pub fn execute(args: &Args) -> anyhow::Result<Exit> {
    io::stdout().write_all(schema::text(args.kind).as_bytes())?;
    Ok(Exit::Ok)
}
