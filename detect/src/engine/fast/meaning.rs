//! Which tests mean the same: rules ask for the same values again and again, and each is tried once.

use std::hash::{Hash, Hasher};
use std::mem::discriminant;

use crate::naive::{Shape, Test};
use crate::rule::item::{Case, Number};

/// What a test asks for. Equal ones hold for the same values; not all that hold for the same are equal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meaning<'m>(pub(super) &'m Test);

impl PartialEq for Meaning<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Test::Glob(one), Test::Glob(other)) => {
                let (shape, of_other) = (one.shape(), other.shape());
                let alike = match shape {
                    Shape::Other(_) => one == other,
                    _ => shape == of_other,
                };
                alike && one.case() == other.case()
            }
            (Test::Equal(one, written), Test::Equal(other, of_other)) => {
                one == other && written == of_other
            }
            (Test::Cidr(one), Test::Cidr(other)) => one == other,
            (Test::Compare(how, one), Test::Compare(of_other, other)) => {
                how == of_other && one == other
            }
            (Test::TimePart(part, one), Test::TimePart(of_other, other)) => {
                part == of_other && one == other
            }
            // An expression does not show its flags, a list is long.
            (one, other) => std::ptr::eq(one, other),
        }
    }
}

/// A number that is none equals nothing, itself included: its test is then tried twice.
impl Eq for Meaning<'_> {}

impl Hash for Meaning<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        discriminant(self.0).hash(state);
        match self.0 {
            Test::Glob(glob) => {
                let shape = glob.shape();
                let (Shape::Whole(text)
                | Shape::Start(text)
                | Shape::End(text)
                | Shape::Anywhere(text)
                | Shape::Other(text)) = shape;
                discriminant(&shape).hash(state);
                (glob.case() == Case::Exact).hash(state);
                text.hash(state);
            }
            Test::Equal(_, written) => written.hash(state),
            Test::Cidr(range) => range.hash(state),
            Test::Compare(how, Number::Int(number)) => (how, number).hash(state),
            // Zero has two forms, which are equal.
            Test::Compare(how, Number::Float(number)) => {
                (how, (number + 0.0).to_bits()).hash(state);
            }
            Test::TimePart(part, number) => (part, number).hash(state),
            other => std::ptr::hash(other, state),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::naive::{Check, Matcher, Node};
    use crate::rule::RuleFile;
    use crate::rule::parse::parse;
    use crate::rule::{Comparison, Expr};

    /// How many tests an item with these values has, and how many meanings they have.
    #[expect(
        clippy::mutable_key_type,
        reason = "expressions keep caches, of which equality knows nothing"
    )]
    fn counts(item: &str) -> (usize, usize) {
        let rule = format!(
            "title: T\nlogsource:\n  product: p\ndetection:\n  s:\n    {item}\n  condition: s\n"
        );
        let file = RuleFile {
            name: "r.yml".into(),
            bytes: rule.into_bytes(),
        };
        let (set, problems) = parse(&[file]);
        assert!(problems.is_empty(), "{problems:?}");
        let matcher = Matcher::compile(&set.detections[0].searches, &Expr::Search(0)).unwrap();
        let check = check(&matcher.searches[0]);
        let meanings: HashSet<_> = check.tests.iter().map(|test| Meaning(test)).collect();
        (check.tests.len(), meanings.len())
    }

    fn check(node: &Node) -> &Check {
        match node {
            Node::All(parts) | Node::Any(parts) => check(&parts[0]),
            Node::Item(check) => check,
        }
    }

    #[test]
    fn tests_that_ask_for_the_same_are_one_and_others_are_not() {
        for (item, meanings) in [
            ("a: [x, X, 'y', x]", 2),
            ("a: [x, x*, '*x', '*x*', 'x?', '?x', 'x*x', 'x*x']", 7),
            ("a|cased: [x, X]", 2),
            ("a|cidr: [10.0.0.0/8, 10.0.0.0/8, 10.0.0.0/9]", 2),
            ("a: [1, 1, 2, '1']", 3),
            ("a|gt: [1, 1, 2, 1.5]", 3),
            ("a|gt: [0.0, -0.0, 1.5]", 2),
        ] {
            assert_eq!(counts(item).1, meanings, "{item} has {}", counts(item).0);
        }
    }

    #[test]
    fn numbers_that_are_compared_in_one_way_do_not_fall_together() {
        let hash = |number| {
            let mut hasher = std::hash::DefaultHasher::new();
            Meaning(&Test::Compare(Comparison::Gt, number)).hash(&mut hasher);
            hasher.finish()
        };
        let numbers = (0..1_000).flat_map(|n| [Number::Int(n.into()), Number::Float(f64::from(n))]);
        let hashes: HashSet<_> = numbers.map(hash).collect();
        assert!(hashes.len() > 1_900, "{} hashes", hashes.len());
    }
}
