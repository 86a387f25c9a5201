//! The values of an entry, which the copies of a filter's entry in its rules share.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::RawValue;

/// Values as written: a copy costs nothing until it is changed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<RawValue>", into = "Vec<RawValue>")]
pub struct Values(Arc<Vec<RawValue>>);

impl Values {
    /// The values, to be changed; copies no longer share them.
    pub fn change(&mut self) -> &mut [RawValue] {
        let values: &mut Vec<RawValue> = Arc::make_mut(&mut self.0);
        values
    }

    /// What all copies of these values, and no others, have in common, while one of them is there;
    /// `None` if there is no copy.
    pub(crate) fn shared(&self) -> Option<usize> {
        (Arc::strong_count(&self.0) > 1).then(|| Arc::as_ptr(&self.0).addr())
    }
}

impl Deref for Values {
    type Target = [RawValue];

    fn deref(&self) -> &[RawValue] {
        &self.0
    }
}

impl From<Vec<RawValue>> for Values {
    fn from(values: Vec<RawValue>) -> Self {
        Self(Arc::new(values))
    }
}

impl From<Values> for Vec<RawValue> {
    fn from(values: Values) -> Self {
        Arc::unwrap_or_clone(values.0)
    }
}

impl FromIterator<RawValue> for Values {
    fn from_iter<I: IntoIterator<Item = RawValue>>(values: I) -> Self {
        values.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'v> IntoIterator for &'v Values {
    type Item = &'v RawValue;
    type IntoIter = std::slice::Iter<'v, RawValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
