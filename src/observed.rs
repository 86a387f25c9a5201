//! Files of observed fields, and the fields of the public samples.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use palisade_detect::observed::{Fields, Observed};
use palisade_ingest::log_type;

use crate::exit::Exit;

/// The fields of the records in the public samples that the decoder is tested with.
const SAMPLES: &str = include_str!("observed/samples.json");
/// Largest file that is read: 500 log types of 5,000 fields stay below it.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// What is known about fields: from the samples, and from a file of somebody's own events.
///
/// # Errors
/// When the file cannot be read; the status is [`Exit::Usage`].
pub fn observed(traffic: Option<&Path>) -> anyhow::Result<Observed> {
    let samples =
        Fields::from_json(SAMPLES.as_bytes()).context("built-in file of observed fields")?;
    let traffic = match traffic {
        Some(path) => read(path)?,
        None => Fields::default(),
    };
    Ok(Observed::new(log_type::all().collect(), samples, traffic))
}

/// Whether a file can be added to: it is a regular one, or none yet.
///
/// # Errors
/// When something else stands there, such as a folder or a pipe; the status is [`Exit::Usage`].
pub fn can_add_to(path: &Path) -> anyhow::Result<()> {
    // It is replaced by a new file, so that a pipe would be no pipe any more, and never be read.
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        let error = anyhow!(
            "`{}` is no regular file: observed fields are added to one, or make a new one",
            path.display()
        );
        return Err(error.context(Exit::Usage));
    }
    Ok(())
}

/// Adds fields to a file, which is made if it is not there.
///
/// # Errors
/// When there is a file that holds no observed fields (it is left as it is), or when the new one cannot
/// be written.
pub fn add_to(path: &Path, mut fields: Fields) -> anyhow::Result<Fields> {
    can_add_to(path)?;
    if path.exists() {
        fields.merge(read(path)?);
    }
    let failed = || format!("cannot write `{}`", path.display());
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    // Whoever reads the file meanwhile sees the old one whole.
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    file.write_all(fields.to_json().as_bytes())
        .with_context(failed)?;
    file.persist(path).with_context(failed)?;
    Ok(fields)
}

fn read(path: &Path) -> anyhow::Result<Fields> {
    let failed = || format!("cannot read `{}`", path.display());
    let file = File::open(path).with_context(failed).context(Exit::Usage)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .with_context(failed)
        .context(Exit::Usage)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let error = anyhow!("file is larger than the limit of {FILE_BYTES_MAX} bytes");
        return Err(error.context(failed()).context(Exit::Usage));
    }
    Fields::from_json(&bytes)
        .with_context(failed)
        .context(Exit::Usage)
}

#[cfg(test)]
mod tests;
