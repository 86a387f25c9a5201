//! What the record shapes are put together from: text, times, ids, users, addresses.

use std::fmt;

use super::rng::{Rng, index, mix};

/// The one tenant all records are of.
pub(crate) const TENANT: &str = "6f1e9d40-3b7c-4d52-9a10-58c2f0a7be11";

/// A record being written.
#[derive(Default)]
pub(crate) struct Text(String);

impl Text {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Appends what is formatted.
    pub(crate) fn put(&mut self, text: fmt::Arguments<'_>) {
        fmt::Write::write_fmt(&mut self.0, text).expect("memory takes any text");
    }

    /// A comma before all elements but the first.
    pub(crate) fn comma(&mut self, before: u64) {
        if before > 0 {
            self.0.push(',');
        }
    }
}

/// `put!(text, "format", arguments...)`: the arguments are drawn from left to right.
macro_rules! put {
    ($text:expr, $($format:tt)*) => { $text.put(format_args!($($format)*)) };
}
pub(crate) use put;

/// Milliseconds since 1970 in RFC 3339 with seven digits of the second, as Azure writes it.
pub(crate) fn time(ms: u64) -> String {
    let (days, rest) = (ms / 86_400_000, ms % 86_400_000);
    // The calendar's eras of 400 years begin on a 1 March, so that a leap day ends its year.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}0000Z",
        rest / 3_600_000,
        rest / 60_000 % 60,
        rest / 1_000 % 60,
        rest % 1_000
    )
}

/// The GUID that belongs to a number.
pub(crate) fn guid_of(number: u64) -> String {
    let (a, b) = (mix(number), mix(number ^ 0xABCD));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        0x8000 | (b >> 50),
        b & 0xffff_ffff_ffff
    )
}

/// A GUID that nothing else has.
pub(crate) fn guid(rng: &mut Rng) -> String {
    guid_of(rng.next())
}

/// One of the tenant's twelve subscriptions.
pub(crate) fn subscription(rng: &mut Rng) -> String {
    guid_of(rng.below(12) ^ 0x5B)
}

/// Base64 of the form that tokens have.
pub(crate) fn token(rng: &mut Rng, length: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..length)
        .map(|_| char::from(LETTERS[index(rng.below(64))]))
        .collect()
}

/// The public address that belongs to a number.
pub(crate) fn address_of(number: u64) -> String {
    let x = mix(number ^ 0x19_5EED);
    let (a, d) = (20 + x % 180, 1 + (x >> 24) % 254);
    format!("{a}.{}.{}.{d}", (x >> 8) & 255, (x >> 16) & 255)
}

/// Somebody of the tenant.
pub(crate) struct User {
    pub(crate) id: String,
    /// User principal name.
    pub(crate) upn: String,
    /// First and last name, not always ASCII.
    pub(crate) name: String,
}

const FIRST: [&str; 24] = [
    "Adele", "Boris", "Chiara", "Dmitri", "Elena", "Farid", "Grete", "Hugo", "Ingrid", "João",
    "Kim", "Lars", "Marta", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Søren", "Tomás", "Ulla",
    "Viktor", "Wei", "Zoë",
];
const LAST: [&str; 16] = [
    "Andersen",
    "Brandt",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "García",
    "Haddad",
    "Ito",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Müller",
    "Novak",
    "Okafor",
    "Petrov",
];

/// The user that belongs to a number.
pub(crate) fn user_of(number: u64) -> User {
    let x = mix(number);
    let (first, last) = (FIRST[index(x % 24)], LAST[index((x >> 8) % 16)]);
    let ascii = |name: &str| -> String {
        let kept: String = name.chars().filter(char::is_ascii).collect();
        kept.to_lowercase()
    };
    User {
        id: guid_of(number),
        upn: format!(
            "{}.{}{number}@contoso{}.onmicrosoft.com",
            ascii(first),
            ascii(last),
            number % 3
        ),
        name: format!("{first} {last}"),
    }
}

/// User agents, as they are seen in sign-ins.
pub(crate) const AGENTS: [&str; 7] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 PKeyAuth/1.0",
    "Dalvik/2.1.0 (Linux; U; Android 15; Pixel 9 Build/AP4A.250205.002)",
    "python-requests/2.32.3",
    "azsdk-python-identity/1.23.0 Python/3.12.4 (Linux-6.8.0-1029-azure-x86_64-with-glibc2.39)",
];

/// Microsoft's applications: their ids, which are the same in every tenant, and names.
pub(crate) const APPS: [(&str, &str); 8] = [
    ("00000003-0000-0000-c000-000000000000", "Microsoft Graph"),
    (
        "797f4846-ba00-4fd7-ba43-dac1f8f63013",
        "Windows Azure Service Management API",
    ),
    (
        "00000002-0000-0ff1-ce00-000000000000",
        "Office 365 Exchange Online",
    ),
    (
        "00000003-0000-0ff1-ce00-000000000000",
        "Office 365 SharePoint Online",
    ),
    (
        "cc15fd57-2c6c-4117-a88c-83b1d56b4bbe",
        "Microsoft Teams Services",
    ),
    ("c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "Azure Portal"),
    (
        "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
        "Microsoft Azure CLI",
    ),
    (
        "1b730954-1685-4b74-9bfd-dac224a7b894",
        "Azure Active Directory PowerShell",
    ),
];

/// Where somebody signs in from.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) city: &'static str,
    pub(crate) state: &'static str,
    pub(crate) country: &'static str,
    pub(crate) latitude: &'static str,
    pub(crate) longitude: &'static str,
}

const fn place(
    city: &'static str,
    state: &'static str,
    country: &'static str,
    [latitude, longitude]: [&'static str; 2],
) -> Place {
    Place {
        city,
        state,
        country,
        latitude,
        longitude,
    }
}

/// Cities, not all of them ASCII.
pub(crate) const PLACES: [Place; 8] = [
    place("Oslo", "Oslo", "NO", ["59.9127", "10.7461"]),
    place("München", "Bayern", "DE", ["48.1374", "11.5755"]),
    place("Amsterdam", "Noord-Holland", "NL", ["52.3740", "4.8897"]),
    place("Lisboa", "Lisboa", "PT", ["38.7167", "-9.1333"]),
    place("Boydton", "Virginia", "US", ["36.6676", "-78.3875"]),
    place(
        "Singapore",
        "Central Singapore",
        "SG",
        ["1.2897", "103.8501"],
    ),
    place("São Paulo", "São Paulo", "BR", ["-23.5475", "-46.6361"]),
    place("Warszawa", "Mazowieckie", "PL", ["52.2298", "21.0118"]),
];

/// Conditional access policies, as a tenant numbers them.
pub(crate) const POLICIES: [&str; 12] = [
    "CA001: Require multifactor authentication for admins",
    "CA002: Securing security info registration",
    "CA003: Block legacy authentication",
    "CA004: Require multifactor authentication for all users",
    "CA005: Require multifactor authentication for guest access",
    "CA006: Require MFA for Azure management",
    "CA007: Require MFA for risky sign-ins",
    "CA008: Require password change for high-risk users",
    "CA009: Require compliant device",
    "CA010: Block unsupported device platforms",
    "CA011: No persistent browser session",
    "CA012: App enforced restrictions",
];
