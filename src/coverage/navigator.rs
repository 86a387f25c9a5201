//! Coverage as a layer for the ATT&CK Navigator, layer format 4.5.
//!
//! Format: `layers/spec/v4.5/layerformat.md` of the Navigator's repository. The score of a technique
//! is the number of its rules; titles stand in its comment, log sources in its metadata. A technique is
//! named once for each tactic under which rules cover it.

use palisade_detect::attack;
use palisade_detect::diagnostic::printable;
use serde_json::{Value, json};

use super::{Coverage, by_source};

/// Version of the layer format.
const LAYER: &str = "4.5";
/// Version of the Navigator that the layer is written for; the format wants 4.9.0 at least.
const NAVIGATOR: &str = "5.2.0";
/// Most titles in the comment of a technique.
const TITLES_MAX: usize = 40;
/// Colours from few rules to many.
const COLORS: [&str; 3] = ["#d6e8fa", "#4f9be0", "#0b4f94"];

/// The layer as a document.
pub fn layer(coverage: &Coverage) -> Value {
    let mut most = 0;
    let mut techniques = Vec::new();
    for (cell, rules) in coverage.cells() {
        most = most.max(rules.len());
        let titles = rules
            .iter()
            .take(TITLES_MAX)
            .map(|rule| rule.title.as_str());
        let mut comment = titles.collect::<Vec<_>>().join("\n");
        if rules.len() > TITLES_MAX {
            comment.push_str("\n…");
        }
        let comment: Vec<_> = comment.lines().map(printable).collect();
        let metadata: Vec<Value> = by_source(&rules)
            .iter()
            .map(|(source, count)| json!({"name": printable(source), "value": count.to_string()}))
            .collect();
        techniques.push(json!({
            "techniqueID": cell.technique.id,
            "tactic": cell.tactic.tag,
            "score": rules.len(),
            "comment": comment.join("\n"),
            "enabled": true,
            "metadata": metadata,
            "showSubtechniques": cell.technique.parent().is_none(),
        }));
    }
    // The upper end must lie above the lower one.
    let most = most.max(2);
    json!({
        "name": "Palisade coverage",
        "versions": {"attack": attack::VERSION, "navigator": NAVIGATOR, "layer": LAYER},
        "domain": "enterprise-attack",
        "description": coverage.summary(),
        "sorting": 3,
        "layout": {"layout": "side", "showID": true, "showName": true, "expandedSubtechniques": "annotated"},
        "hideDisabled": false,
        "techniques": techniques,
        "gradient": {"colors": COLORS, "minValue": 1, "maxValue": most},
        "legendItems": [
            {"label": "1 rule", "color": COLORS[0]},
            {"label": format!("{most} rules"), "color": COLORS[2]},
        ],
        "selectTechniquesAcrossTactics": true,
        "selectSubtechniquesWithParent": false,
        "metadata": [
            {"name": "rules", "value": coverage.rules.len().to_string()},
            {"name": "rules without a technique", "value": coverage.untagged.len().to_string()},
        ],
    })
}
