//! Which node has which shards: the same answer in every node that knows of the same nodes, without asking anybody.
//!
//! Rendezvous hashing with a bound: each shard goes to the node that scores highest for it among those that have
//! not their fair number yet. So nodes differ by one shard at most, and a node that comes or goes moves few of the
//! others' shards.

use std::collections::BTreeSet;

use muster_runtime::topology::SHARDS;
use uuid::Uuid;

/// The shards of `me`, where `nodes` are all that live, `me` among them.
pub(crate) fn shards_of(me: Uuid, nodes: &BTreeSet<Uuid>) -> BTreeSet<u16> {
    let count = nodes.len().max(1);
    let (fair, over) = (usize::from(SHARDS) / count, usize::from(SHARDS) % count);
    // The first ones take the shards that are left over.
    let mut left: Vec<(Uuid, usize)> =
        nodes.iter().enumerate().map(|(place, node)| (*node, fair + usize::from(place < over))).collect();
    let mut mine = BTreeSet::new();
    for shard in 0..SHARDS {
        let best = left.iter_mut().filter(|(_, left)| *left > 0).max_by_key(|(node, _)| score(*node, shard));
        let Some((node, left)) = best else { break };
        *left -= 1;
        if *node == me {
            mine.insert(shard);
        }
    }
    mine
}

/// How much a node wants a shard. Nodes of different versions must agree, so it is spelled out here: the finalizer of
/// SplitMix64 (Steele, Lea and Flood, 2014) over both.
fn score(node: Uuid, shard: u16) -> u64 {
    let (high, low) = node.as_u64_pair();
    mix(mix(high ^ mix(low)) ^ u64::from(shard))
}

fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(count: u128) -> BTreeSet<Uuid> {
        (0..count).map(|node| Uuid::from_u128(node * 0x1234_5678_9abc_def1)).collect()
    }

    #[test]
    fn each_shard_has_one_node_and_nodes_have_about_as_many() {
        for count in 1..=40 {
            let nodes = nodes(count);
            let of: Vec<BTreeSet<u16>> = nodes.iter().map(|node| shards_of(*node, &nodes)).collect();
            let all: Vec<u16> = of.iter().flatten().copied().collect();
            assert_eq!(all.len(), usize::from(SHARDS), "{count} nodes: a shard has no node, or two");
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), usize::from(SHARDS));
            let (most, least) = (of.iter().map(BTreeSet::len).max(), of.iter().map(BTreeSet::len).min());
            assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1), "{count} nodes");
        }
    }

    #[test]
    fn a_node_that_goes_moves_few_shards_of_the_others() {
        for count in 3..=16 {
            let all = nodes(count);
            for gone in &all {
                let left: BTreeSet<Uuid> = all.iter().filter(|node| *node != gone).copied().collect();
                let kept: usize = left
                    .iter()
                    .map(|node| shards_of(*node, &all).intersection(&shards_of(*node, &left)).count())
                    .sum();
                // Half of what the others had, at the very least; mostly far more.
                assert!(kept * 2 >= usize::from(SHARDS) - shards_of(*gone, &all).len(), "{count}: {kept}");
            }
        }
    }
}
