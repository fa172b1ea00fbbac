//! How many connections there are, in all and from each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::telemetry::metrics::label::Unserved;

/// Counts connections and turns away what is beyond the bounds.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    most_of_one: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// No entry for an address without a connection.
    by_address: HashMap<IpAddr, usize>,
}

/// The place of one connection, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

/// Which bound a connection is beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beyond {
    /// `limits.max_connections`.
    All,
    /// `limits.max_connections_per_address`.
    OfOne,
}

impl Places {
    pub(super) fn new(most: usize, most_of_one: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_of_one,
            taken: Mutex::default(),
        })
    }

    /// Takes a place for a connection from an address.
    pub(super) fn take(self: &Arc<Self>, from: IpAddr) -> Result<Place, Beyond> {
        let address = one(from);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.most {
            return Err(Beyond::All);
        }
        let of_one = taken.by_address.get(&address).copied().unwrap_or(0);
        if of_one >= self.most_of_one {
            return Err(Beyond::OfOne);
        }
        taken.all += 1;
        taken.by_address.insert(address, of_one + 1);
        Ok(Place {
            places: Arc::clone(self),
            address,
        })
    }
}

impl Beyond {
    /// What it is counted under.
    pub(super) fn label(self) -> Unserved {
        match self {
            Self::All => Unserved::Limit,
            Self::OfOne => Unserved::AddressLimit,
        }
    }

    /// The key that sets the bound.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::All => "limits.max_connections",
            Self::OfOne => "limits.max_connections_per_address",
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = &self.places.taken;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(of_one) = taken.by_address.get_mut(&self.address) {
            *of_one = of_one.saturating_sub(1);
            if *of_one == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: of IPv6 the network of 64 bits that one subscriber has at least.
fn one(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_bounded_in_all_and_for_each_address_and_come_back() {
        let places = Places::new(3, 2);
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let first = places.take(one).unwrap();
        let second = places.take(one).unwrap();
        assert_eq!(places.take(one).unwrap_err(), Beyond::OfOne);
        let third = places.take(other).unwrap();
        assert_eq!(places.take(other).unwrap_err(), Beyond::All);
        drop(first);
        let first = places.take(one).unwrap();
        drop((first, third, second));
        let taken = places.taken.lock().unwrap();
        assert_eq!((taken.all, taken.by_address.len()), (0, 0));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let places = Places::new(10, 1);
        let _place = places.take(address("2001:db8::1")).unwrap();
        let beyond = places.take(address("2001:db8::ffff:1")).unwrap_err();
        assert_eq!(beyond, Beyond::OfOne);
        let _other = places.take(address("2001:db8:0:1::1")).unwrap();
        let _mapped = places.take(address("::ffff:192.0.2.1")).unwrap();
        let beyond = places.take(address("192.0.2.1")).unwrap_err();
        assert_eq!(beyond, Beyond::OfOne);
    }
}
