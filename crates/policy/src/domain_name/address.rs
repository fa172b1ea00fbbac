//! Which IP addresses can be those of a public site.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address may be that of a site on the public internet.
///
/// False for addresses that are private (RFC 1918, and unique-local of RFC 4193), loopback,
/// link-local, multicast or unspecified, and for IPv6 addresses that only carry such an IPv4
/// address. Other special purposes are left to whoever reviews a bare address.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_unspecified())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    !(address.is_unique_local()
        || address.is_unicast_link_local()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_unspecified())
}
