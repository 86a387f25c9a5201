//! `snapshots:`: where the state of correlations is kept, how often, how much of it.

use std::num::NonZeroUsize;
use std::path::Path;

use palisade_detect::time::Span;

use super::options::Section;
use super::reader::{Map, Reader};
use super::value;
use crate::snapshots::Place;

/// Folder of the state directory that holds snapshots where nothing else is said.
const FOLDER: &str = "snapshots";

/// `snapshots:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshots {
    /// Where they are kept.
    pub place: Place,
    /// How often they are taken.
    pub interval: Span,
    /// How many of each key partition stay.
    pub keep: NonZeroUsize,
}

impl Reader<'_> {
    /// `snapshots:`, of a state in this directory.
    pub(super) fn snapshots(&mut self, top: &Map<'_>, state: &Path) -> Option<Snapshots> {
        let map = self.open(
            top.get("snapshots"),
            top.full("snapshots"),
            &[Section::Snapshots],
            &top.place,
        );
        let url = self.value(&map, "url", |text| {
            value::text(text)?;
            let place = Place::parse(text).transpose()?;
            Ok(place.ok_or_else(|| text.to_owned()))
        });
        let place = match (url, map.get("url")) {
            (Some(Ok(place)), _) => Some(place),
            (Some(Err(path)), _) => Some(Place::Folder(self.resolve(&path))),
            (None, None) => Some(Place::Folder(state.join(FOLDER))),
            (None, Some(_)) => None,
        };
        let interval = self.value(&map, "interval", value::duration_above_zero);
        let keep = self.value(&map, "keep", value::number);
        Some(Snapshots {
            place: place?,
            interval: interval?,
            keep: keep?,
        })
    }
}
