//! The table of codes: every kind of problem has a stable number here and nowhere else.
//!
//! ```text
//! PAL01xx  YAML              PAL05xx  correlations
//! PAL02xx  documents         PAL06xx  filters
//! PAL03xx  searches          PAL07xx  pipelines
//! PAL04xx  conditions        PAL08xx  configuration
//!                            PAL09xx  case files
//!
//! PAL10xx  metadata          PAL15xx  values, expressions
//! PAL11xx  style             PAL16xx  cost
//! PAL12xx  tags              PAL17xx  correlations
//! PAL13xx  duplicates        PAL18xx  fields, log sources
//! PAL14xx  logic             PAL19xx  filters, pipelines, cases
//!                            PAL20xx  comments
//! ```
//!
//! Numbers from 1000 on are checks of [`crate::lint`], never errors.
//!
//! Every row has an explanation, `explain/NUMBER.md`. A number is never reused. `kind` is the word of the conformance suite for errors of its list;
//! warnings and configuration have words of their own. The third text is help.

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Stable number, such as `PAL0101`.
    pub id: &'static str,
    /// Kind in the words of the conformance suite.
    pub kind: &'static str,
    /// What to write instead, where nothing better is known about the place; every error has some.
    pub help: Option<&'static str>,
}

/// The help of a row, if it has some.
macro_rules! help {
    () => {
        None
    };
    ($help:literal) => {
        Some($help)
    };
}

/// Defines the constants, [`ALL`] and [`PAGES`] from one list, so that no row can be missing in one
/// of them, and no row can be without an explanation.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $kind:literal $(, $help:literal)?;)*) => {
        $(
            $(#[$doc])*
            pub const $name: Code = Code {
                id: $id,
                kind: $kind,
                help: help!($($help)?),
            };
        )*

        /// Every row, in the order of the numbers.
        pub const ALL: &[Code] = &[$($name),*];

        /// The explanation of every row, as it stands in its file, in the order of [`ALL`].
        pub(super) const PAGES: &[&str] =
            &[$(include_str!(concat!("explain/", $id, ".md"))),*];
    };
}

codes! {
    /// The text is no YAML 1.2, or uses a tag that is unknown here.
    YAML_SYNTAX = "PAL0101", "yaml-syntax",
        "close quotes and brackets, begin the keys of one mapping in the same column, and put \
         values with special characters into quotes";
    /// The bytes are not UTF-8.
    YAML_NOT_UTF8 = "PAL0102", "yaml-syntax",
        "save the file with the encoding UTF-8";
    /// A mapping has a key twice.
    YAML_DUPLICATE_KEY = "PAL0103", "yaml-syntax",
        "keep one of the two: several values of one field are a list, and `|all` asks for all of \
         them";
    /// A character that YAML does not allow, such as NUL.
    YAML_CHARACTER = "PAL0104", "yaml-syntax",
        "write it as an escape in double quotes";
    /// An alias stands inside its own anchor or names none of its document.
    YAML_ALIAS = "PAL0105", "yaml-syntax",
        "write `&name` before its first use in the same document; a value that begins with `*` \
         stands in quotes";
    /// A mapping key is a sequence or a mapping, or a merge key has no mapping as value.
    YAML_KEY = "PAL0106", "yaml-syntax",
        "write a key as a single word or text, and below `<<` a mapping or an alias of one";
    /// A scalar does not fit its tag.
    YAML_TAG = "PAL0107", "yaml-syntax",
        "take the tag out, or write a value that fits it";
    /// A character that turns text around stands beside other text.
    YAML_TURNED = "PAL0108", "yaml-syntax",
        "take it away";
    /// The file is larger than the limit.
    FILE_TOO_LARGE = "PAL0110", "limit-exceeded",
        "split it into several files";
    /// Nested deeper than the limit.
    YAML_TOO_DEEP = "PAL0111", "limit-exceeded",
        "write it flatter: a rule needs few levels";
    /// More aliases than the limit.
    YAML_ALIASES = "PAL0112", "limit-exceeded",
        "write the values out instead, or split the file";
    /// Aliases expand to more than the limit.
    YAML_EXPANSION = "PAL0113", "limit-exceeded",
        "write the values out instead of aliases of aliases, or split the file";
    /// The file or folder cannot be read.
    FILE_UNREADABLE = "PAL0114", "unreadable-file",
        "see whether the path is right and whether the account that runs this may read it";
    /// A link to a folder that is read already.
    LINK_CIRCLE = "PAL0115", "link-circle";

    /// A document is no mapping.
    DOCUMENT_TYPE = "PAL0201", "wrong-type",
        "write the keys of a rule, such as `title:`, at the beginning of their lines";
    /// A mandatory key is missing.
    MISSING_FIELD = "PAL0202", "missing-field",
        "add it";
    /// A value has the wrong type.
    WRONG_TYPE = "PAL0203", "wrong-type",
        "write a value of that type";
    /// A value is outside what is allowed.
    INVALID_VALUE = "PAL0204", "invalid-value",
        "write a value that is allowed there";
    /// A rule with this id is loaded already.
    DUPLICATE_ID = "PAL0205", "duplicate-id",
        "draw a new id with `uuidgen`, or take one of the two rules out";
    /// A rule with this name is loaded already.
    DUPLICATE_NAME = "PAL0206", "duplicate-name",
        "rename one of the two";
    /// `action:` is unknown, or repeats nothing.
    UNKNOWN_ACTION = "PAL0207", "unknown-action",
        "write `action: global`, `action: reset` or `action: repeat`";
    /// A key under `palisade:` is unknown.
    UNKNOWN_PALISADE_KEY = "PAL0208", "invalid-value",
        "take it out";
    /// More rules than a set may hold.
    TOO_MANY_RULES = "PAL0210", "limit-exceeded",
        "load fewer files, or leave rules out by `exclude` in the configuration";

    /// More problems in one file than are reported.
    TOO_MANY_PROBLEMS = "PAL0211", "limit-exceeded",
        "mend the first ones: many of the others mostly follow from them";
    /// Templates of a legacy collection add more than the limit.
    COLLECTION_LIMIT = "PAL0212", "limit-exceeded",
        "write the rules out in files of their own, or shorten the template";
    /// A character in what people read that ends text or turns it around.
    UNREADABLE_TEXT = "PAL0213", "invalid-value",
        "take it away; only values of searches may hold it";
    /// A document of several kinds.
    SEVERAL_KINDS = "PAL0214", "invalid-value",
        "write each of them as a document of its own, with `---` between them";

    /// A search identifier or a value list is empty.
    EMPTY_SEARCH = "PAL0301", "invalid-value",
        "name a value, or take it out";
    /// A modifier is unknown.
    UNKNOWN_MODIFIER = "PAL0302", "unknown-modifier",
        "take it out";
    /// Modifiers that do not go together.
    MODIFIER_COMBINATION = "PAL0303", "invalid-modifier-combination",
        "take the modifier out, or write two entries, each with its own";
    /// A value that the modifier cannot take.
    MODIFIER_VALUE = "PAL0304", "invalid-modifier-value",
        "write a value that the modifier can take";
    /// No regular expression, or one with look-around or back-references.
    INVALID_REGEX = "PAL0305", "invalid-regex",
        "put a backslash before what is meant literally, and close all brackets";
    /// The regular expression is longer, or compiles to more, than the limit.
    REGEX_TOO_COMPLEX = "PAL0306", "regex-too-complex",
        "make it shorter, and counted repetitions smaller";
    /// No address or address range.
    INVALID_CIDR = "PAL0307", "invalid-cidr",
        "write an address or a range such as `10.0.0.0/8` or `2001:db8::/32`";
    /// A placeholder that no pipeline replaced.
    UNRESOLVED_PLACEHOLDER = "PAL0308", "unresolved-placeholder",
        "add a pipeline with `value_placeholders` and the name under `vars`";
    /// A value that stands for more alternatives than the limit.
    TOO_MANY_VALUES = "PAL0309", "limit-exceeded",
        "split it into several searches, or put the values into a list and write `in_list`";
    /// A null among keywords.
    NULL_KEYWORD = "PAL0310", "invalid-value",
        "take it out; to ask for a field without value, write the field and `null`";
    /// A rule names a list that there is none of, or that was refused.
    UNKNOWN_LIST = "PAL0311", "unknown-list",
        "write the name of a file in the folder `lists`, without its ending";
    /// An entry of a list, or its file, that cannot be read.
    LIST_ENTRY = "PAL0312", "invalid-value",
        "mend the entry, or take it out";
    /// A list, or all lists of a set, beyond a limit.
    LIST_LIMIT = "PAL0313", "limit-exceeded",
        "shorten the list, or split it into several";
    /// A value longer than the limit.
    VALUE_TOO_LONG = "PAL0314", "limit-exceeded",
        "name a part of it that tells it apart, or split it into several searches";
    /// A name of a field longer, or of more parts, than the limit.
    FIELD_TOO_LONG = "PAL0315", "limit-exceeded",
        "write the name as it stands in the events";
    /// `all` with a single value has no effect.
    ALL_WITH_ONE_VALUE = "PAL0350", "all-with-one-value",
        "take it out, or name the other values that must be there, too";
    /// `null` among other values.
    NULL_IN_LIST = "PAL0351", "null-in-list",
        "where a missing field is not meant, take it out";
    /// A file among the lists that no rule can name.
    LIST_NAME = "PAL0352", "list-name";
    /// An entry of a list that looks like an address and is none.
    LIST_ADDRESS = "PAL0353", "list-address";
    /// A list without entries.
    LIST_EMPTY = "PAL0354", "list-empty";

    /// The condition is not in the grammar.
    CONDITION_SYNTAX = "PAL0401", "condition-syntax",
        "join names of searches by `and`, `or` and `not`, or write `1 of` or `all of` and a \
         pattern";
    /// A name or pattern in the condition selects no search.
    UNKNOWN_IDENTIFIER = "PAL0402", "unknown-identifier",
        "write the name of a search that stands in the same section";
    /// A condition with `|`.
    DEPRECATED_AGGREGATION = "PAL0403", "deprecated-aggregation",
        "write a correlation rule instead";
    /// The condition is nested deeper, or longer, than the limit.
    CONDITION_LIMIT = "PAL0404", "limit-exceeded",
        "join searches by `1 of` or `all of` and a pattern, or split the rule";

    /// A correlation that cannot be honoured.
    INVALID_CORRELATION = "PAL0501", "invalid-correlation",
        "a correlation has `type`, `rules`, `timespan` and, unless it is temporal, a `condition` \
         such as `gte: 10`";
    /// The time span is not in the grammar.
    INVALID_TIMESPAN = "PAL0502", "invalid-timespan",
        "write a positive whole number and one of `s`, `m`, `h`, `d`, `w`, `M`, `y`, such as \
         `10m`";
    /// A reference to a rule that is not loaded.
    UNKNOWN_RULE_REFERENCE = "PAL0503", "unknown-rule-reference",
        "write the `id` or `name` of a rule that loads from the same folders";
    /// Correlations that refer to each other in a circle.
    CORRELATION_CYCLE = "PAL0504", "correlation-cycle",
        "take one of the references out: each correlation looks at rules that do not look at it";
    /// Correlations over correlations, deeper than the limit.
    CORRELATION_TOO_DEEP = "PAL0505", "limit-exceeded",
        "refer to rules further down the chain, or take levels out of it";

    /// A correlation over more rules than the limit.
    CORRELATION_RULES = "PAL0506", "limit-exceeded",
        "join the rules into fewer, or write a correlation over correlations";

    /// A filter without `not`, which keeps what it most probably should exclude.
    FILTER_WITHOUT_NOT = "PAL0650", "filter-without-not";
    /// Filters that add more to their rules than the limit.
    FILTER_LIMIT = "PAL0651", "limit-exceeded",
        "name fewer rules, or take values out";
    /// A filter's `expires` is near.
    EXCEPTION_ENDS_SOON = "PAL0652", "expires-soon";
    /// A filter's `expires` is past.
    EXCEPTION_ENDED = "PAL0653", "expired";

    /// A pipeline that cannot be honoured, or that refuses a rule.
    PIPELINE = "PAL0701", "pipeline",
        "compare it with the pipelines in pySigma's documentation, of which all is supported that \
         concerns rules";

    /// A mandatory key of the configuration is missing.
    CONFIG_MISSING = "PAL0801", "missing-field",
        "add it";
    /// A value of the configuration has the wrong type.
    CONFIG_TYPE = "PAL0802", "wrong-type",
        "write a value of that type; `docs/configuration.md` has an example of each option";
    /// A value of the configuration is outside what is allowed.
    CONFIG_VALUE = "PAL0803", "invalid-value",
        "write a value that is allowed there; `docs/configuration.md` says which";
    /// A key that the configuration does not know.
    CONFIG_UNKNOWN_KEY = "PAL0804", "unknown-key",
        "take it out";
    /// A variable of the environment that the configuration names is not set.
    CONFIG_VARIABLE = "PAL0805", "unknown-variable",
        "set the variable where the program is started, or write the value itself";
    /// Values of the configuration that do not go together.
    CONFIG_CONFLICT = "PAL0806", "conflict",
        "take one of the two out, or change it";
    /// The configuration says something over a rule that is not there.
    OVERRIDE_UNKNOWN = "PAL0850", "unknown-rule";
    /// A pattern of the configuration matches no rule file.
    CHOICE_MATCHES_NOTHING = "PAL0851", "matches-nothing";
    /// The configuration says something over a rule that has no effect there.
    OVERRIDE_WITHOUT_EFFECT = "PAL0852", "no-effect";

    /// A key that case files do not know.
    CASE_UNKNOWN_KEY = "PAL0901", "unknown-key",
        "take it out";
    /// A mandatory part of a case is missing.
    CASE_MISSING = "PAL0902", "missing-field",
        "add it";
    /// A part of a case file has the wrong type.
    CASE_TYPE = "PAL0903", "wrong-type",
        "write a value of that type";
    /// A value of a case is outside what is allowed.
    CASE_VALUE = "PAL0904", "invalid-value",
        "write a value that is allowed there";
    /// A case names a rule that it is not judged by.
    CASE_RULE = "PAL0905", "unknown-rule-reference",
        "write the id, name or title of a rule in the file beside these cases";
    /// A file of records that a case cannot use.
    CASE_FILE = "PAL0906", "unreadable-file",
        "name a file of records in the case file's folder or below it";
    /// A selection that is none, or selects no record.
    CASE_SELECT = "PAL0907", "invalid-value",
        "write `select: 3`, `select: /records/0` or `select: identity=kim`";
    /// More records than a case may have.
    CASE_LIMIT = "PAL0908", "limit-exceeded",
        "a case shows what a rule means with as few records as that takes";
    /// Cases without a rule beside them.
    CASE_ALONE = "PAL0909", "missing-field",
        "`NAME.cases.yml` holds the cases of the rules in `NAME.yml`";

    // Metadata.

    /// A rule has no id.
    NO_ID = "PAL1001", "no-id";
    /// An id that is no UUID.
    ID_NOT_UUID = "PAL1002", "id-not-uuid";
    /// An id with upper-case letters.
    ID_UPPER_CASE = "PAL1003", "id-upper-case";
    /// An id that was typed, not drawn.
    ID_EXAMPLE = "PAL1004", "id-example";
    /// A rule has no status.
    NO_STATUS = "PAL1005", "no-status";
    /// A rule has no level.
    NO_LEVEL = "PAL1006", "no-level";
    /// A deprecated rule that names no other.
    DEPRECATED_ALONE = "PAL1007", "deprecated-alone";
    /// A rule has no date.
    NO_DATE = "PAL1020", "no-date";
    /// A date in another form than Sigma 2 has.
    DATE_FORM = "PAL1021", "date-form";
    /// A rule that was modified before it was made.
    MODIFIED_BEFORE_DATE = "PAL1022", "modified-before-date";
    /// A date that has not come.
    DATE_IN_FUTURE = "PAL1023", "date-in-future";
    /// A rule has no description.
    NO_DESCRIPTION = "PAL1030", "no-description";
    /// A description that repeats the title.
    DESCRIPTION_IS_TITLE = "PAL1031", "description-is-title";
    /// A description of a word or two.
    DESCRIPTION_SHORT = "PAL1032", "description-short";
    /// A rule has no author.
    NO_AUTHOR = "PAL1033", "no-author";
    /// A reference that is no link.
    REFERENCE_FORM = "PAL1034", "reference-form";
    /// A grave rule says nothing of benign causes.
    NO_FALSE_POSITIVES = "PAL1035", "no-false-positives";
    /// A benign cause that says nothing.
    FALSE_POSITIVES_EMPTY = "PAL1036", "empty-false-positives";
    /// A mark of unfinished work in what people read.
    UNFINISHED = "PAL1037", "unfinished";
    /// A key that is nearly a known one.
    KEY_MISSPELT = "PAL1050", "misspelt-key";
    /// A key without a value.
    KEY_EMPTY = "PAL1051", "empty-key";
    /// A key of other tools with the wrong type.
    KEY_TYPE = "PAL1052", "key-type";
    /// An entry of `related` that other tools refuse.
    RELATED_FORM = "PAL1053", "related-form";
    /// A rule that is related to itself.
    RELATED_SELF = "PAL1054", "related-self";
    /// A license that is no SPDX expression.
    LICENSE_FORM = "PAL1055", "license-form";
    /// A key of a log source that restricts nothing.
    LOGSOURCE_KEY = "PAL1056", "logsource-key";
    /// A log source with upper-case letters.
    LOGSOURCE_CASE = "PAL1057", "logsource-case";
    /// A key of a correlation that says nothing.
    CORRELATION_KEY = "PAL1058", "correlation-key";

    // Style: PAL11xx.

    /// A title too long for a list.
    TITLE_LONG = "PAL1101", "title-long";
    /// A title with spaces too many or a full stop.
    TITLE_SHAPE = "PAL1102", "title-shape";
    /// A title that says that the rule detects.
    TITLE_DETECTS = "PAL1103", "title-detects";
    /// A file name of other than plain characters.
    FILE_NAME = "PAL1104", "file-name";
    /// A rule file that does not end in `.yml`.
    FILE_ENDING = "PAL1105", "file-ending";
    /// A file of rules that nothing joins.
    FILE_SHARED = "PAL1106", "file-shared";
    /// A rule file that says nothing.
    FILE_EMPTY = "PAL1107", "file-empty";
    /// White space at the end of lines.
    TRAILING_SPACE = "PAL1110", "trailing-space";
    /// Line ends of Windows.
    CARRIAGE_RETURN = "PAL1111", "carriage-return";
    /// A last line without an end.
    NO_FINAL_LINE_FEED = "PAL1112", "no-final-line-feed";
    /// A byte order mark.
    BYTE_ORDER_MARK = "PAL1113", "byte-order-mark";
    /// A character that hides or turns text around.
    HIDDEN_CHARACTER = "PAL1114", "hidden-character";
    /// A plain scalar that YAML 1.1 reads otherwise.
    YAML_11 = "PAL1115", "yaml-1.1";
    /// What only this program understands; found only where it is asked for.
    HOUSE_EXTENSION = "PAL1116", "house-extension";

    // Tags: PAL12xx.

    /// A tag that is not `namespace.name`.
    TAG_FORM = "PAL1201", "tag-form";
    /// A tag with upper-case letters.
    TAG_UPPER_CASE = "PAL1202", "tag-upper-case";
    /// A tag of a name space that Sigma does not have.
    TAG_NAMESPACE = "PAL1203", "tag-namespace";
    /// The same tag twice in one rule.
    TAG_TWICE = "PAL1204", "tag-twice";
    /// A tag that its name space does not have.
    TAG_VALUE = "PAL1205", "tag-value";
    /// A rule without ATT&CK tags.
    ATTACK_MISSING = "PAL1210", "no-attack-tag";
    /// A name under `attack` that is no tactic.
    ATTACK_UNKNOWN = "PAL1211", "unknown-attack-tag";
    /// A tactic with `_` for `-`.
    ATTACK_UNDERSCORE = "PAL1212", "tactic-underscore";
    /// The tactic that ATT&CK 19 split.
    ATTACK_SPLIT_TACTIC = "PAL1213", "split-tactic";
    /// A technique that ATT&CK does not have.
    ATTACK_UNKNOWN_TECHNIQUE = "PAL1214", "unknown-technique";
    /// A technique that another one replaced.
    ATTACK_REVOKED = "PAL1215", "revoked-technique";
    /// A technique that was given up.
    ATTACK_DEPRECATED = "PAL1216", "deprecated-technique";
    /// A tactic that no technique of the rule serves.
    ATTACK_TACTIC_ALONE = "PAL1217", "tactic-without-technique";
    /// A technique of which the rule names no tactic.
    ATTACK_TECHNIQUE_ALONE = "PAL1218", "technique-without-tactic";

    // Duplicates: PAL13xx.

    /// Two rules that find the same.
    SAME_LOGIC = "PAL1301", "same-logic";
    /// Two rules of one title.
    SAME_TITLE = "PAL1302", "same-title";
    /// The same element twice in a list of metadata.
    ENTRY_TWICE = "PAL1303", "entry-twice";

    // Logic: PAL14xx.

    /// A search that the condition does not name.
    SEARCH_UNUSED = "PAL1401", "search-unused";
    /// A condition that holds for every event.
    CONDITION_ALWAYS_TRUE = "PAL1402", "condition-always-true";
    /// A condition that holds for no event.
    CONDITION_ALWAYS_FALSE = "PAL1403", "condition-always-false";
    /// A search on which the condition never depends.
    SEARCH_WITHOUT_EFFECT = "PAL1404", "search-without-effect";
    /// `1 of` a pattern that selects a single search.
    QUANTITY_OF_ONE = "PAL1405", "quantity-of-one";
    /// `not not`.
    DOUBLE_NOT = "PAL1406", "double-not";
    /// Two searches that are the same.
    SEARCHES_IDENTICAL = "PAL1407", "searches-identical";
    /// A condition that holds for events that no search matches.
    CONDITION_ONLY_EXCLUDES = "PAL1408", "condition-only-excludes";
    /// A search that asks only for what is absent.
    SEARCH_ONLY_EXCLUDES = "PAL1409", "search-only-excludes";
    /// Two entries of one mapping that no event meets.
    ENTRIES_CONTRADICT = "PAL1410", "entries-contradict";
    /// Two entries of one mapping that no single value meets.
    ENTRIES_NEED_LIST = "PAL1411", "entries-need-list";
    /// An entry that follows from another one.
    ENTRY_IMPLIED = "PAL1412", "entry-implied";
    /// An alternative that another one covers.
    ALTERNATIVE_COVERED = "PAL1413", "alternative-covered";

    // Values and regular expressions: PAL15xx.

    /// A value that stands in its list twice.
    VALUE_REPEATED = "PAL1501", "value-repeated";
    /// A value that another one of its list makes needless.
    VALUE_COVERED = "PAL1502", "value-covered";
    /// An empty text that every value contains.
    VALUE_EMPTY = "PAL1503", "value-empty";
    /// `**`.
    WILDCARD_REPEATED = "PAL1504", "wildcard-repeated";
    /// A wildcard where the modifier allows anything.
    WILDCARD_AT_EDGE = "PAL1505", "wildcard-at-edge";
    /// `*` alone.
    ONLY_WILDCARD = "PAL1506", "only-wildcard";
    /// `?` alone.
    ONLY_QUESTION_MARKS = "PAL1507", "only-question-marks";
    /// White space at an edge that is compared.
    VALUE_WHITESPACE = "PAL1508", "value-whitespace";
    /// An escaped `*` in what looks like a path.
    ESCAPED_WILDCARD_IN_PATH = "PAL1509", "escaped-wildcard-in-path";
    /// `null` as text.
    VALUE_TEXT_NULL = "PAL1510", "value-text-null";
    /// `yes` and such without quotes.
    WORD_OF_YAML_1_1 = "PAL1511", "word-of-yaml-1-1";
    /// A number that begins with a zero.
    NUMBER_WITH_LEADING_ZERO = "PAL1512", "number-with-leading-zero";
    /// `all` over different whole values.
    ALL_ON_WHOLE_VALUES = "PAL1513", "all-on-whole-values";
    /// A range of a single address.
    CIDR_OF_ONE = "PAL1520", "cidr-of-one";
    /// A range of all addresses.
    CIDR_OF_ALL = "PAL1521", "cidr-of-all";
    /// A range inside another one of its list.
    CIDR_COVERED = "PAL1522", "cidr-covered";
    /// `windash` without a dash.
    WINDASH_WITHOUT_DASH = "PAL1523", "windash-without-dash";
    /// `base64` of a part of a text.
    BASE64_OF_A_PART = "PAL1524", "base64-of-a-part";
    /// UTF-16 that is not encoded further.
    UTF16_WITHOUT_BASE64 = "PAL1525", "utf16-without-base64";
    /// `cased` without a letter.
    CASED_WITHOUT_LETTERS = "PAL1526", "cased-without-letters";
    /// A field that is compared with itself.
    FIELDREF_TO_ITSELF = "PAL1527", "fieldref-to-itself";
    /// A part of a date that no date has.
    TIME_PART_RANGE = "PAL1528", "time-part-range";
    /// A regular expression that is plain text.
    RE_AS_MODIFIER = "PAL1540", "re-as-modifier";
    /// `.*` at the edge of a regular expression.
    RE_ANY_AT_EDGE = "PAL1541", "re-any-at-edge";
    /// A regular expression that every value meets.
    RE_MATCHES_ALL = "PAL1542", "re-matches-all";
    /// An anchor that belongs to one alternative only.
    RE_ANCHOR_IN_ALTERNATIVE = "PAL1543", "re-anchor-in-alternative";
    /// `(?i)` for the modifier `i`.
    RE_INLINE_IGNORE_CASE = "PAL1544", "re-inline-ignore-case";
    /// A repetition of a repetition.
    RE_NESTED_REPETITION = "PAL1545", "re-nested-repetition";
    /// A dot in a name that matches any character.
    RE_DOT_IN_NAME = "PAL1546", "re-dot-in-name";
    /// A flag that changes nothing.
    RE_FLAG_WITHOUT_EFFECT = "PAL1547", "re-flag-without-effect";

    // Cost: PAL16xx.

    /// Keywords, which are looked for in every value.
    KEYWORDS_COST = "PAL1601", "keywords-cost";
    /// A keyword of less than three letters.
    KEYWORD_SHORT = "PAL1602", "keyword-short";
    /// A regular expression without a fixed text of three characters.
    RE_WITHOUT_LITERAL = "PAL1603", "re-without-literal";
    /// More values than belong into a rule.
    MANY_VALUES = "PAL1604", "many-values";
    /// A repetition that is counted out.
    LARGE_REPETITION = "PAL1605", "large-repetition";

    // Correlations: PAL17xx.

    /// A condition that one event meets.
    BOUND_ALWAYS_MET = "PAL1701", "bound-always-met";
    /// A condition that no number meets.
    BOUND_NEVER_MET = "PAL1702", "bound-never-met";
    /// More values than a group holds.
    COUNT_BEYOND_GROUP = "PAL1703", "count-beyond-group";
    /// A timespan of more than a week.
    TIMESPAN_LONG = "PAL1704", "timespan-long";
    /// A temporal correlation over a single rule.
    TEMPORAL_OF_ONE = "PAL1706", "temporal-of-one";
    /// A rule that stands twice among those of a correlation.
    REFERENCE_REPEATED = "PAL1707", "reference-repeated";
    /// A correlation without groups.
    GROUP_BY_MISSING = "PAL1708", "group-by-missing";
    /// A field of a correlation that events of a rule do not have.
    GROUP_BY_NOT_CARRIED = "PAL1709", "group-by-not-carried";
    /// An alias that is not used.
    ALIAS_UNUSED = "PAL1710", "alias-unused";
    /// An alias without a field of each rule.
    ALIAS_INCOMPLETE = "PAL1711", "alias-incomplete";
    /// A counted field that the group has in common.
    COUNTED_IN_GROUP = "PAL1712", "counted-in-group";
    /// A correlation of a lower level than a rule of it.
    LEVEL_BELOW_BASE = "PAL1713", "level-below-base";
    /// A percentile that is the smallest or the largest value.
    PERCENTILE_AT_EDGE = "PAL1714", "percentile-at-edge";
    /// A computation over what is no number.
    FIELD_NOT_NUMERIC = "PAL1715", "field-not-numeric";
    /// A correlation over a correlation that looks back further than itself.
    WINDOW_INSIDE_LONGER = "PAL1716", "window-inside-longer";
    /// A field of a correlation's group that holds an object.
    GROUP_BY_IS_OBJECT = "PAL1717", "group-by-is-object";
    /// A computation over a field that was seen as text alone.
    COMPUTED_FROM_TEXT = "PAL1718", "computed-from-text";

    // Fields and log sources: PAL18xx.

    /// A field that none of many own events had.
    FIELD_NEVER_SEEN = "PAL1801", "field-never-seen";
    /// A field that no sample has.
    FIELD_NOT_IN_SAMPLES = "PAL1802", "field-not-in-samples";
    /// A field whose name differs in case from what was seen.
    FIELD_CASE = "PAL1803", "field-case";
    /// A field that holds an object, compared with a value.
    FIELD_IS_OBJECT = "PAL1804", "field-is-object";
    /// A log source near one that log types carry.
    LOGSOURCE_MISTYPED = "PAL1805", "logsource-mistyped";
    /// A log source that no log type carries.
    LOGSOURCE_NOT_CARRIED = "PAL1806", "logsource-not-carried";
    /// A log source of many log types.
    LOGSOURCE_BROAD = "PAL1807", "logsource-broad";

    // Filters, pipelines, case files: PAL19xx.

    /// A filter names a rule that is not there.
    FILTER_RULE_UNKNOWN = "PAL1901", "filter-rule-unknown";
    /// A filter whose log source no rule has.
    FILTER_FITS_NOTHING = "PAL1902", "filter-fits-nothing";
    /// A filter for every rule of its log source.
    FILTER_FOR_ANY = "PAL1903", "filter-for-any";
    /// An exception without owner, reason or end.
    EXCEPTION_UNOWNED = "PAL1904", "exception-unowned";
    /// A pipeline that maps a field to its own name.
    MAPPED_TO_ITSELF = "PAL1910", "mapped-to-itself";
    /// A rule file without cases where others have them.
    RULE_WITHOUT_CASES = "PAL1920", "rule-without-cases";
    /// Cases in none of which a rule fires.
    CASES_NEVER_FIRE = "PAL1921", "cases-never-fire";
    /// Cases in each of which a rule fires.
    CASES_NEVER_SILENT = "PAL1922", "cases-never-silent";
    /// Two cases of one file with the same name.
    CASE_NAME_TWICE = "PAL1923", "case-name-twice";

    // Comments to palisade.

    /// A comment allows a finding that is not there.
    ALLOW_UNUSED = "PAL2001", "allow-unused";
    /// A comment allows what is no code.
    ALLOW_UNKNOWN_CODE = "PAL2002", "allow-unknown-code";
    /// A comment to palisade without reason, or in no known form.
    ALLOW_FORM = "PAL2003", "allow-form";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Severity;
    use crate::lint;

    #[test]
    fn every_error_says_what_to_write_instead() {
        for code in ALL {
            let is_error = lint::severity(*code) == Severity::Error;
            assert!(!is_error || code.help.is_some(), "{}", code.id);
        }
    }

    #[test]
    fn numbers_are_unique_and_in_order() {
        for pair in ALL.windows(2) {
            assert!(
                pair[0].id < pair[1].id,
                "{} before {}",
                pair[0].id,
                pair[1].id
            );
        }
        assert!(
            ALL.iter()
                .all(|code| code.id.len() == 7 && code.id.starts_with("PAL"))
        );
    }
}
