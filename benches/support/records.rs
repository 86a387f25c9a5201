//! Azure records from a seed: what an Event Hubs namespace of a mid-sized tenant carries.
//!
//! A record is an envelope of one to three elements, 4.2 KB on average. Most are everyday life; a
//! known number is made to fire one of our own rules, and some runs of failed sign-ins are password
//! sprays.

use palisade_detect::time::{Span, Timestamp};

use super::template::{Template, Values};

/// What to generate.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Records.
    pub(crate) records: usize,
    /// Every so many-th record holds one event that fires.
    pub(crate) alarm_every: usize,
    /// Password sprays.
    pub(crate) sprays: usize,
    /// Event time of the first record.
    pub(crate) begin: Timestamp,
    /// Event time between two records.
    pub(crate) step: Span,
}

/// A record that fires: the rule, and the record's number.
pub(crate) struct Alarm {
    /// The rule's id.
    pub(crate) rule: &'static str,
    /// The record's number from 0.
    pub(crate) record: usize,
}

/// Generated records, and what they must come to.
pub(crate) struct Input {
    /// The records; none is a tombstone.
    pub(crate) payloads: Vec<Option<Vec<u8>>>,
    /// What fires on its own, in the order of the records.
    pub(crate) alarms: Vec<Alarm>,
    /// Password sprays, each from an address of its own: one alert each.
    pub(crate) sprays: usize,
}

/// The correlation that every spray fires.
pub(crate) const SPRAY_RULE: &str = "d84ae56d-b93b-4169-a144-c4eecf3c3005";

/// Records of one spray, each for another user; the rule wants ten.
const SPRAY_RECORDS: usize = 12;

/// Rules that alarms fire, each with the maker of its event.
const ALARMS: [(&str, Kind); 6] = [
    ("06e7df8e-1eb1-466e-b9f7-4d60ac03031e", Kind::SignIn),
    ("1428dfad-70ce-4993-8498-d7d67c213c12", Kind::Activity),
    ("e88f40a2-3bd4-4e94-a114-f27eab195b47", Kind::Audit),
    ("8f4c6fc3-99f0-4659-9828-2d8a2af2003c", Kind::KeyVault),
    ("c958a792-4e9a-430c-bcfd-c56a522162b3", Kind::Flow),
    ("c35d7d3b-92e4-416e-a7e4-7ffc284a2d4f", Kind::DeviceCode),
];

/// Share of each kind in a thousand records.
const MIX: [(u64, Kind); 5] = [
    (500, Kind::SignIn),
    (250, Kind::Activity),
    (100, Kind::Audit),
    (100, Kind::KeyVault),
    (50, Kind::Flow),
];

/// An envelope takes further elements while it is shorter than this.
const ENVELOPE_BYTES: usize = 2_400;

const FLOW_TUPLES: u64 = 40;
const USERS: u64 = 3_000;
const TENANT: &str = "6f1e9d40-3b7c-4d52-9a10-58c2f0a7be11";

const NAMES: [&str; 8] = [
    "Amira", "Björn", "Chiara", "Dmitri", "Élodie", "Farid", "Grete", "Zoë",
];
const CITIES: [(&str, &str); 5] = [
    ("Oslo", "NO"),
    ("München", "DE"),
    ("Lisboa", "PT"),
    ("Utrecht", "NL"),
    ("Łódź", "PL"),
];
const APPS: [(&str, &str); 4] = [
    ("00000003-0000-0000-c000-000000000000", "Microsoft Graph"),
    (
        "00000002-0000-0ff1-ce00-000000000000",
        "Office 365 Exchange Online",
    ),
    ("c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "Azure Portal"),
    (
        "cc15fd57-2c6c-4117-a88c-83b1d56b4bbe",
        "Microsoft Teams Services",
    ),
];
const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "azsdk-net-Identity/1.13.2 (.NET 8.0.12; Microsoft Windows 10.0.20348)",
];
const POLICIES: [&str; 10] = [
    "CA001 Second factor for administrators",
    "CA002 Security info from trusted places",
    "CA003 No legacy protocols",
    "CA004 Second factor for everyone",
    "CA005 Guests: second factor",
    "CA006 Azure management: second factor",
    "CA007 Risky sign-ins: second factor",
    "CA008 Risky users: new password",
    "CA009 Compliant device for Exchange",
    "CA010 Unknown platforms blocked",
];
const OPERATIONS: [(&str, &str); 6] = [
    (
        "MICROSOFT.COMPUTE/VIRTUALMACHINES/START/ACTION",
        "MICROSOFT.COMPUTE/VIRTUALMACHINES/VM-07",
    ),
    (
        "MICROSOFT.COMPUTE/DISKS/WRITE",
        "MICROSOFT.COMPUTE/DISKS/DISK-OS-12",
    ),
    (
        "MICROSOFT.WEB/SITES/CONFIG/LIST/ACTION",
        "MICROSOFT.WEB/SITES/APP-PORTAL",
    ),
    (
        "MICROSOFT.RESOURCES/TAGS/WRITE",
        "MICROSOFT.RESOURCES/TAGS/DEFAULT",
    ),
    (
        "MICROSOFT.SQL/SERVERS/DATABASES/WRITE",
        "MICROSOFT.SQL/SERVERS/SQL-ERP",
    ),
    (
        "MICROSOFT.INSIGHTS/METRICALERTS/WRITE",
        "MICROSOFT.INSIGHTS/METRICALERTS/CPU",
    ),
];
const AUDITS: [(&str, &str); 3] = [
    ("Update user", "UserManagement"),
    ("Add member to group", "GroupManagement"),
    ("Update group", "GroupManagement"),
];
const VAULT_READS: [&str; 4] = ["SecretGet", "KeyGet", "SecretList", "KeySign"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    SignIn,
    DeviceCode,
    Activity,
    Audit,
    KeyVault,
    Flow,
}

/// Whether an event is made to fire.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Everyday,
    Alarm,
}

/// Generates `plan` from `seed`: the same bytes each time.
pub(crate) fn generate(seed: u64, plan: Plan) -> Input {
    let mut maker = Maker::new(seed);
    let mut input = Input {
        payloads: Vec::with_capacity(plan.records),
        alarms: Vec::new(),
        sprays: plan.sprays,
    };
    let spray_every = plan.records / (plan.sprays + 1);
    let mut time = plan.begin;
    for number in 0..plan.records {
        time = time.plus(plan.step);
        let spray = spray_every
            .checked_sub(1)
            .map(|_| (number / spray_every, number % spray_every))
            .filter(|(spray, place)| (1..=plan.sprays).contains(spray) && *place < SPRAY_RECORDS);
        let text = if let Some((spray, place)) = spray {
            maker.spray(spray, place, time)
        } else if number % plan.alarm_every == plan.alarm_every / 2 {
            let (rule, kind) = ALARMS[input.alarms.len() % ALARMS.len()];
            input.alarms.push(Alarm {
                rule,
                record: number,
            });
            maker.envelope(kind, Mood::Alarm, time)
        } else {
            let kind = maker.kind();
            maker.envelope(kind, Mood::Everyday, time)
        };
        input.payloads.push(Some(text.into_bytes()));
    }
    input
}

/// Hash of an input, record by record with its length.
pub(crate) fn digest(input: &Input) -> String {
    let mut hash = blake3::Hasher::new();
    for payload in input.payloads.iter().flatten() {
        hash.update(&(payload.len() as u64).to_le_bytes());
        hash.update(payload);
    }
    hash.finalize().to_hex().to_string()
}

struct Maker {
    random: Random,
    sign_in: Template,
    policy: Template,
    activity: Template,
    audit: Template,
    key_vault: Template,
    flow: Template,
}

impl Maker {
    fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            sign_in: Template::new(include_str!("../data/signin.json")),
            policy: Template::new(include_str!("../data/policy.json")),
            activity: Template::new(include_str!("../data/activity.json")),
            audit: Template::new(include_str!("../data/audit.json")),
            key_vault: Template::new(include_str!("../data/key_vault.json")),
            flow: Template::new(include_str!("../data/flow.json")),
        }
    }

    fn kind(&mut self) -> Kind {
        let mut place = self.random.below(1_000);
        for (share, kind) in MIX {
            if place < share {
                return kind;
            }
            place -= share;
        }
        Kind::SignIn
    }

    fn envelope(&mut self, kind: Kind, mood: Mood, time: Timestamp) -> String {
        let mut out = String::from("{\"records\":[");
        let mut mood = mood;
        loop {
            let user = self.random.below(USERS);
            let mut values = self.person(user, time);
            self.element(kind, mood, &mut values, &mut out);
            if out.len() >= ENVELOPE_BYTES {
                break;
            }
            out.push(',');
            mood = Mood::Everyday;
        }
        out.push_str("]}");
        out
    }

    fn spray(&mut self, spray: usize, place: usize, time: Timestamp) -> String {
        let mut values = self.person(USERS + place as u64, time);
        values.set("ip", format!("192.0.2.{spray}"));
        let mut out = String::from("{\"records\":[");
        self.sign_in(50_126, &mut values, &mut out);
        out.push_str("]}");
        out
    }

    /// What events of one user have in common.
    fn person(&mut self, user: u64, time: Timestamp) -> Values {
        let random = &mut self.random;
        let (city, country) = CITIES[random.index(CITIES.len())];
        let (app_id, app) = APPS[random.index(APPS.len())];
        let token = (random.guid() + &random.guid()).replace('-', "");
        let at = mix(user);
        let mut values = Values::default();
        values.set("time", time);
        values.set("tenant", TENANT);
        values.set("subscription", "0B1F6471-1BF0-4DDA-AEC3-CB9272F09590");
        values.set("group", format!("{:02}", user % 40));
        values.set("guid", random.guid());
        values.set("session", random.guid());
        values.set(
            "name",
            format!("{} {user:04}", NAMES[Random(at).index(NAMES.len())]),
        );
        values.set("upn", format!("user{user:04}@contoso.example"));
        values.set("user_id", Random(at).guid());
        values.set("device_id", Random(!at).guid());
        values.set("device", format!("{user:05}"));
        values.set(
            "ip",
            format!("20.{}.{}.{}", user / 250, user % 250, 1 + at % 250),
        );
        values.set("app_id", app_id);
        values.set("app", app);
        values.set("city", city);
        values.set("country", country);
        values.set("agent", AGENTS[random.index(AGENTS.len())]);
        values.set("token", token);
        values.set("took", 10 + random.below(400));
        values
    }

    fn element(&mut self, kind: Kind, mood: Mood, values: &mut Values, out: &mut String) {
        match kind {
            Kind::SignIn | Kind::DeviceCode => {
                let failed = mood == Mood::Everyday && self.random.below(100) < 3;
                if mood == Mood::Alarm && kind == Kind::SignIn {
                    values.set("risk", "high");
                } else if mood == Mood::Alarm {
                    values.set("protocol", "deviceCode");
                }
                if mood == Mood::Alarm || self.random.below(100) < 30 {
                    values.set("category", "SignInLogs");
                    values.set("interactive", true);
                }
                self.sign_in(if failed { 50_126 } else { 0 }, values, out);
            }
            Kind::Activity => self.activity(mood, values, out),
            Kind::Audit => self.audit(mood, values, out),
            Kind::KeyVault => {
                let everyday = VAULT_READS[self.random.index(VAULT_READS.len())];
                let alarm = mood == Mood::Alarm;
                values.set("operation", if alarm { "KeyBackup" } else { everyday });
                self.key_vault.fill(values, out);
            }
            Kind::Flow => self.flow(mood, values, out),
        }
    }
}

/// The kinds of element.
impl Maker {
    fn sign_in(&mut self, code: u32, values: &mut Values, out: &mut String) {
        let good = code == 0;
        let mut all = Values::default();
        all.set("risk", "none");
        all.set("protocol", "none");
        all.set(
            "category",
            if good {
                "NonInteractiveUserSignInLogs"
            } else {
                "SignInLogs"
            },
        );
        all.set("interactive", !good);
        all.set("code", code);
        all.set("signature", if good { "None" } else { "FAILURE" });
        all.set("succeeded", good);
        let details = "MFA requirement satisfied by claim in the token";
        all.set(
            "details",
            if good {
                details
            } else {
                "Invalid username or password"
            },
        );
        all.set("client", "Browser");
        all.set("access", if good { "success" } else { "notApplied" });
        all.set("network", "");
        all.set("asn", 8_000 + self.random.below(60_000));
        let mut policies = String::new();
        for (number, name) in (0_u64..2 + self.random.below(4)).zip(POLICIES) {
            if number > 0 {
                policies.push(',');
            }
            let applied = good && number < 2;
            let mut policy = Values::default();
            policy.set("id", Random(number).guid());
            policy.set("name", name);
            policy.set("control", if applied { "\"Mfa\"" } else { "" });
            policy.set("result", if applied { "success" } else { "notApplied" });
            policy.set("met", if applied { 3 } else { 1 });
            policy.set("unmet", if applied { 0 } else { 2 });
            self.policy.fill(&policy, &mut policies);
        }
        all.set("policies", policies);
        all.take(values);
        self.sign_in.fill(&all, out);
    }

    fn activity(&mut self, mood: Mood, values: &mut Values, out: &mut String) {
        let (mut operation, mut resource) = OPERATIONS[self.random.index(OPERATIONS.len())];
        if mood == Mood::Alarm {
            operation = "MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION";
            resource = "MICROSOFT.STORAGE/STORAGEACCOUNTS/STPAYROLL";
        }
        let groups: Vec<String> = (0..6).map(|_| self.random.guid()).collect();
        values.set("group_ids", groups.join(","));
        values.set("operation", operation);
        values.set("resource", resource);
        values.set("result", "Success");
        self.activity.fill(values, out);
    }

    fn audit(&mut self, mood: Mood, values: &mut Values, out: &mut String) {
        let (operation, category) = AUDITS[self.random.index(AUDITS.len())];
        values.set("operation", operation);
        values.set("category", category);
        values.set("property", "Department");
        values.set("value", "Finance");
        if mood == Mood::Alarm {
            values.set("operation", "Add member to role");
            values.set("category", "RoleManagement");
            values.set("property", "Role.DisplayName");
            values.set("value", "Global Administrator");
        }
        self.audit.fill(values, out);
    }

    fn flow(&mut self, mood: Mood, values: &mut Values, out: &mut String) {
        let mut tuples = Vec::new();
        let seconds = 1_772_442_000;
        for _ in 0..FLOW_TUPLES {
            let random = &mut self.random;
            let (outside, inside) = (random.below(250), random.below(250));
            let (source, port) = (40_000 + random.below(20_000), [80, 443][random.index(2)]);
            let sent = random.below(90_000);
            tuples.push(format!(
                "\"{seconds},198.51.100.{outside},10.1.2.{inside},{source},{port},T,I,A,E,{},{sent},{},{}\"",
                sent / 700,
                sent / 900,
                sent * 3
            ));
        }
        if mood == Mood::Alarm {
            let port = "\"1772442000,203.0.113.77,10.1.2.4,51234,3389,T,I,A,B,,,,\"";
            port.clone_into(&mut tuples[7]);
        }
        values.set("tuples", tuples.join(","));
        self.flow.fill(values, out);
    }
}

/// `SplitMix64`: short, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Below `limit`; the bias is far below what a bench can see.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a length")
    }

    fn guid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }
}

const fn mix(seed: u64) -> u64 {
    let mut z = seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
