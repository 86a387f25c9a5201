//! Flow logs of network security groups, version 2, 2.7 KB on average. None of them is made to match.

use super::parts::{Text, address_of, guid_of, put, subscription, time};
use super::rng::{Rng, index, mix};

const RULES: [&str; 4] = [
    "DefaultRule_AllowInternetOutBound",
    "DefaultRule_DenyAllInBound",
    "UserRule_Allow-HTTPS",
    "UserRule_Allow-Bastion",
];
const PORTS: [u64; 7] = [443, 80, 22, 3389, 53, 445, 8080];

pub(super) fn write(rng: &mut Rng, at: u64, text: &mut Text) {
    let subscription = subscription(rng).to_uppercase();
    let group = rng.below(60);
    let mac = mix(group) & 0xFF_FFFF;
    put!(
        text,
        r#""time":"{}","systemId":"{}","macAddress":"000D3A{mac:06X}","category":"NetworkSecurityGroupFlowEvent","resourceId":"/SUBSCRIPTIONS/{subscription}/RESOURCEGROUPS/RG-NET-{:02}/PROVIDERS/MICROSOFT.NETWORK/NETWORKSECURITYGROUPS/NSG-{group:03}","operationName":"NetworkSecurityGroupFlowEvents","properties":{{"Version":2,"flows":["#,
        time(at),
        guid_of(group ^ 0x51),
        group % 20,
    );
    let rules = 1 + rng.below(3);
    for i in 0..rules {
        text.comma(i);
        let rule = RULES[index((i + group) % 4)];
        put!(
            text,
            r#"{{"rule":"{rule}","flows":[{{"mac":"000D3A{mac:06X}","flowTuples":["#
        );
        let tuples = 4 + rng.below(22);
        for j in 0..tuples {
            text.comma(j);
            tuple(rng, at, text);
        }
        put!(text, "]}}]}}");
    }
    put!(text, "]}}");
}

/// Time, addresses, ports, protocol, direction, decision, state; but for a beginning also packets and
/// bytes both ways.
fn tuple(rng: &mut Rng, at: u64, text: &mut Text) {
    let state = rng.of(&['B', 'C', 'E']);
    put!(
        text,
        "\"{},10.{}.{}.{},{},{},{},{},{},{},{state},",
        at / 1000,
        rng.below(4),
        rng.below(32),
        4 + rng.below(240),
        address_of(rng.below(100_000)),
        1024 + rng.below(60_000),
        rng.of(&PORTS),
        rng.of(&['T', 'U']),
        rng.of(&['I', 'O']),
        rng.of(&['A', 'D']),
    );
    if state == 'B' {
        put!(text, ",,,\"");
    } else {
        put!(
            text,
            "{},{},{},{}\"",
            rng.below(300),
            rng.below(60_000),
            rng.below(400),
            rng.below(300_000)
        );
    }
}
