//! Which addresses are out in the world: the one function that the guard stands on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 that is not out in the world, as address and length of the prefix (IANA's special-purpose registry, and where
/// clouds tell instances their secrets).
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 16] = [
    // This network, and the unspecified address.
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    // Private.
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Carriers' own translation (CGNAT), where a cloud has its metadata, too: 100.100.100.200.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::LOCALHOST, 8),
    // Link-local, and the metadata of most clouds: 169.254.169.254.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // Protocols' own, and a cloud's metadata: 192.0.0.192.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation.
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Relays of 6to4.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    // Benchmarks.
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // What a cloud answers its own instances with.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    // Multicast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    // Reserved, and broadcast.
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The only IPv6 that is out in the world: global unicast. Outside of it are loopback, unspecified, link-local, unique
/// local (a cloud's metadata, fd00:ec2::254, among them), multicast, and IPv4 mapped, compatible or behind NAT64.
const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// And what of that is not.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    // Protocols' own: Teredo, which has an IPv4 address within, benchmarks, and hashes that are no places.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    // 6to4: an IPv4 address within.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
];

/// Whether `address` is one out in the world: of a host that anybody can reach, and nothing of ours.
pub fn allowed(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let within = |(network, length): (Ipv4Addr, u32)| {
                (address.to_bits() ^ network.to_bits()).leading_zeros() >= length
            };
            !NOT_PUBLIC_V4.into_iter().any(within)
        }
        IpAddr::V6(address) => {
            let within = |(network, length): (Ipv6Addr, u32)| {
                (address.to_bits() ^ network.to_bits()).leading_zeros() >= length
            };
            within(PUBLIC_V6) && !NOT_PUBLIC_V6.into_iter().any(within)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of each network the first and the last address, and what is just outside.
    const EDGES: &[(&str, &str)] = &[
        ("0.0.0.0", "0.255.255.255"),
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"),
        ("169.254.0.0", "169.254.255.255"),
        ("172.16.0.0", "172.31.255.255"),
        ("192.0.0.0", "192.0.0.255"),
        ("192.0.2.0", "192.0.2.255"),
        ("192.88.99.0", "192.88.99.255"),
        ("192.168.0.0", "192.168.255.255"),
        ("198.18.0.0", "198.19.255.255"),
        ("198.51.100.0", "198.51.100.255"),
        ("203.0.113.0", "203.0.113.255"),
        ("224.0.0.0", "255.255.255.255"),
        ("168.63.129.16", "168.63.129.16"),
    ];

    fn v4(text: &str) -> u32 {
        text.parse::<Ipv4Addr>().expect("an address").to_bits()
    }

    fn v4_allowed(bits: u32) -> bool {
        allowed(Ipv4Addr::from_bits(bits).into())
    }

    #[test]
    fn each_network_ends_where_it_ends() {
        for (first, last) in EDGES {
            let (first, last) = (v4(first), v4(last));
            assert!(!v4_allowed(first) && !v4_allowed(last));
            for outside in [first.checked_sub(1), last.checked_add(1)].into_iter().flatten() {
                let in_another = EDGES.iter().any(|(from, to)| (v4(from)..=v4(to)).contains(&outside));
                assert_eq!(v4_allowed(outside), !in_another, "{}", Ipv4Addr::from_bits(outside));
            }
        }
    }

    #[test]
    fn no_form_of_ipv6_leads_inside() {
        let refused = [
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "::ffff:0:7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
        ];
        for address in refused {
            assert!(!allowed(address.parse().expect("an address")), "{address}");
        }
        for address in
            ["2606:4700:4700::1111", "2a00:1450:4001:82a::200e", "2400:cb00::1", "2001:4860:4860::8888"]
        {
            assert!(allowed(address.parse().expect("an address")), "{address}");
        }
    }

    proptest! {
        #[test]
        fn ipv4_is_judged_as_the_networks_say(bits: u32) {
            let inside = EDGES.iter().any(|(from, to)| (v4(from)..=v4(to)).contains(&bits));
            prop_assert_eq!(v4_allowed(bits), !inside);
        }

        #[test]
        fn no_ipv4_address_is_allowed_in_the_clothes_of_ipv6(bits: u32) {
            let [high, low] = [(bits >> 16) as u16, bits as u16];
            let address = Ipv4Addr::from_bits(bits);
            let clothes = [
                address.to_ipv6_mapped(),
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, high, low, 0, 0, !high, !low),
            ];
            for address in clothes {
                prop_assert!(!allowed(address.into()), "{}", address);
            }
        }

        #[test]
        fn ipv6_is_out_in_the_world_in_global_unicast_alone(bits: u128) {
            let address = Ipv6Addr::from_bits(bits);
            prop_assert!(!allowed(address.into()) || bits >> 125 == 1, "{}", address);
        }
    }
}
