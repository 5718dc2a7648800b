//! Joins groups of store paths, the two cheapest ones at a time.

use super::closures::Closures;

/// Maximum number of groups compared pairwise. Above it, the smallest are first combined by name.
const MOST_UNITS: usize = 400;
/// Number of buckets into which the smallest groups are combined.
const BUCKETS: usize = 100;

/// Store paths that stay together.
pub(super) struct Unit {
    pub places: Vec<u32>,
    pub bytes: u64,
    /// Weight of the risk that another image lacks one of them and so cannot share their group.
    pub absence: u64,
    /// Name of one member, for a stable order.
    pub name: String,
}

struct Group {
    places: Vec<u32>,
    bytes: u64,
    closure: Vec<u64>,
    weight: u64,
    /// Total absence weight of the members.
    absence: u64,
    /// Later group with the lowest joining cost, and that cost.
    nearest: Option<(usize, u128)>,
}

/// Joins the units into at most `count` groups.
pub(super) fn join(mut units: Vec<Unit>, count: usize, closures: &Closures) -> Vec<Vec<u32>> {
    let count = count.max(1);
    units.sort_by(|one, other| (one.name.as_str(), &one.places).cmp(&(other.name.as_str(), &other.places)));
    let units = bucketed(units).into_iter();
    let mut groups: Vec<Option<Group>> = units.map(|unit| Some(Group::new(unit, closures))).collect();
    let mut left = groups.len();
    for place in 0..groups.len() {
        find_nearest(&mut groups, place, closures);
    }
    while left > count {
        let cheapest = groups.iter().enumerate().filter_map(|(place, group)| {
            let (other, cost) = group.as_ref()?.nearest?;
            Some((cost, place, other))
        });
        let Some((_, place, other)) = cheapest.min() else { break };
        let joined = groups.get_mut(other).and_then(Option::take);
        if let (Some(joined), Some(Some(group))) = (joined, groups.get_mut(place)) {
            group.take(joined, closures);
        }
        left -= 1;
        let is_stale = |near: Option<(usize, u128)>| near.is_some_and(|(near, _)| near == place || near == other);
        for stale in 0..groups.len() {
            let Some(Some(group)) = groups.get(stale) else { continue };
            if stale == place || is_stale(group.nearest) {
                find_nearest(&mut groups, stale, closures);
            } else if stale < place {
                consider(&mut groups, stale, place, closures);
            }
        }
    }
    groups.into_iter().flatten().map(|group| group.places).collect()
}

fn find_nearest(groups: &mut [Option<Group>], place: usize, closures: &Closures) {
    if let Some(Some(group)) = groups.get_mut(place) {
        group.nearest = None;
    }
    for other in place + 1..groups.len() {
        consider(groups, place, other, closures);
    }
}

/// Records a group as the nearest one if it is nearer than the recorded one.
fn consider(groups: &mut [Option<Group>], place: usize, other: usize, closures: &Closures) {
    let (Some(Some(group)), Some(Some(candidate))) = (groups.get(place), groups.get(other)) else { return };
    let cost = group.cost_of_joining(candidate, closures);
    if group.nearest.is_none_or(|known| (cost, other) < (known.1, known.0))
        && let Some(Some(group)) = groups.get_mut(place)
    {
        group.nearest = Some((other, cost));
    }
}

impl Group {
    fn new(unit: Unit, closures: &Closures) -> Self {
        let closure = closures.union(&unit.places);
        let weight = closures.weight_of_both(&closure, &closure);
        Self { places: unit.places, bytes: unit.bytes, closure, weight, absence: unit.absence, nearest: None }
    }

    /// Returns the cost of joining two groups: additional bytes pushed, weighted by frequency.
    fn cost_of_joining(&self, other: &Self, closures: &Closures) -> u128 {
        let together = closures.weight_of_both(&self.closure, &other.closure);
        let more = |group: &Self, joined: &Self| {
            let weight = together.saturating_sub(group.weight).saturating_add(joined.absence);
            u128::from(group.bytes) * u128::from(weight)
        };
        more(self, other).saturating_add(more(other, self))
    }

    fn take(&mut self, other: Self, closures: &Closures) {
        self.places.extend(other.places);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.absence = self.absence.saturating_add(other.absence);
        self.closure.iter_mut().zip(&other.closure).for_each(|(to, from)| *to |= from);
        self.weight = closures.weight_of_both(&self.closure, &self.closure);
    }
}

/// Reduces the units to a number that can be compared: the smallest ones are combined by the hash of their names.
fn bucketed(units: Vec<Unit>) -> Vec<Unit> {
    if units.len() <= MOST_UNITS {
        return units;
    }
    let mut order: Vec<usize> = (0..units.len()).collect();
    order.sort_by_key(|&place| units.get(place).map(|unit| std::cmp::Reverse(unit.bytes)));
    let mut is_large = vec![false; units.len()];
    for place in order.into_iter().take(MOST_UNITS - BUCKETS) {
        is_large[place] = true;
    }
    let mut kept = Vec::with_capacity(MOST_UNITS);
    let mut buckets: Vec<Option<Unit>> = (0..BUCKETS).map(|_| None).collect();
    for (unit, is_large) in units.into_iter().zip(is_large) {
        if is_large {
            kept.push(unit);
            continue;
        }
        let Some(bucket) = buckets.get_mut(bucket_of(&unit.name)) else { continue };
        match bucket {
            Some(known) => {
                known.places.extend(unit.places);
                known.bytes = known.bytes.saturating_add(unit.bytes);
                known.absence = known.absence.saturating_add(unit.absence);
            }
            None => *bucket = Some(unit),
        }
    }
    kept.extend(buckets.into_iter().flatten());
    kept
}

/// Returns the bucket of a name by FNV-1a, which never changes between versions of this program.
fn bucket_of(name: &str) -> usize {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
    (hash % BUCKETS as u64) as usize
}
