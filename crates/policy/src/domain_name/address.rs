//! Which IP addresses are reachable from the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a site at this address can be reached from outside.
///
/// False for the special-purpose addresses of the IANA registries (RFC 6890): private, shared
/// (RFC 6598), loopback, link-local, multicast, unspecified, documentation, benchmarking, reserved,
/// unique-local, and for IPv6 addresses that only carry such an IPv4 address.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let this_network = a == 0;
    let protocol_assignments = (a, b, c) == (192, 0, 0);
    let relay_anycast = (a, b, c) == (192, 88, 99);
    let benchmarking = a == 198 && (18..20).contains(&b);
    let reserved = a >= 240;
    !(shared
        || this_network
        || protocol_assignments
        || relay_anycast
        || benchmarking
        || reserved
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // RFC 6052, the well-known prefix of translators, and RFC 3056, 6to4, carry an IPv4 address.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            is_public_v4(v4(high, low))
        }
        // RFC 2928: protocol assignments; RFC 3849 and RFC 9637: documentation.
        [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
        [0x3fff, second, ..] => second >= 0x1000,
        // RFC 4291: only 2000::/3 is handed out for global unicast.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}
