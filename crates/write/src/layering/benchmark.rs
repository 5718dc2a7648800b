//! Cost of the strategies for a family of images that resembles services from nixpkgs. Figures are in
//! `benches/README.md`.

use hashbrown::{HashMap, HashSet};

use super::{Sibling, Strategy};
use crate::fixture::store_path_with;
use crate::{Composition, Stability};
use nixdive_nix::{StoreHash, StorePath};

/// Small random number generator with the same numbers on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    /// Returns a size from a few kB to about 10 MB; most sizes are small.
    fn bytes(&mut self) -> u64 {
        let octave = self.below(7) + self.below(7) + 11;
        (1 << octave) + self.below(1 << octave)
    }
}

#[derive(Clone)]
struct Package {
    name: String,
    bytes: u64,
    references: Vec<usize>,
    build: u64,
    is_application: bool,
}

/// Packages of a family, dependencies first. Their store paths follow from their builds and dependencies.
#[derive(Clone)]
struct World {
    packages: Vec<Package>,
    services: Vec<usize>,
}

impl World {
    /// Generates glibc and common dependencies; libraries that refer to earlier ones; language runtimes; and services,
    /// each with libraries of its own, its application and its configuration.
    fn new(services: usize, libraries: usize) -> Self {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut world = Self { packages: Vec::new(), services: Vec::new() };
        world.add("glibc-2.39", 31 << 20, vec![], false);
        world.add("gcc-lib-13.2", 9 << 20, vec![0], false);
        world.add("bash-5.2", 1 << 20, vec![0], false);
        world.add("zlib-1.3", 130 << 10, vec![0], false);
        world.add("openssl-3.0", 6 << 20, vec![0], false);
        for number in 0..libraries {
            let references = world.some(&mut random, 0, 1 + number as u64 % 5);
            let bytes = random.bytes();
            world.add(&format!("library{number}-1.{number}"), bytes, references, false);
        }
        let shared = world.packages.len();
        for service in 0..services {
            let mut own = Vec::new();
            for number in 0..15 + random.below(40) {
                let mut references = world.some(&mut random, 0, 3);
                references.retain(|&place| place < shared || own.contains(&place));
                let bytes = random.bytes();
                own.push(world.add(&format!("module{service}x{number}-0.{number}"), bytes, references, false));
            }
            let below = world.some_of(&mut random, shared, 60);
            let references = [own.as_slice(), &below].concat();
            let bytes = (2 << 20) + random.below(20 << 20);
            let application = world.add(&format!("service{service}-1.0"), bytes, references, true);
            let config = world.add(&format!("service{service}-config"), 3000, vec![application, 2], true);
            world.services.push(config);
        }
        world
    }

    fn add(&mut self, name: &str, bytes: u64, mut references: Vec<usize>, is_application: bool) -> usize {
        references.push(0);
        references.retain(|&place| place < self.packages.len());
        references.sort_unstable();
        references.dedup();
        self.packages.push(Package { name: name.to_owned(), bytes, references, build: 0, is_application });
        self.packages.len() - 1
    }

    fn some(&self, random: &mut Random, from: usize, count: u64) -> Vec<usize> {
        let most = (self.packages.len() - from) as u64;
        // Earlier packages are preferred, as in any distribution.
        (0..count).map(|_| from + random.below(most).min(random.below(most)) as usize).collect()
    }

    fn some_of(&self, random: &mut Random, below: usize, count: u64) -> Vec<usize> {
        (0..count).map(|_| random.below(below as u64) as usize).collect()
    }

    /// Computes the hash part of each package from its build and its dependencies.
    fn hashes(&self) -> Vec<StoreHash> {
        let mut hashes: Vec<StoreHash> = Vec::new();
        for package in &self.packages {
            let mut text = format!("{} {}", package.name, package.build);
            package.references.iter().for_each(|&place| text.push_str(hashes[place].as_str()));
            hashes.push(StoreHash::from_bytes(&nixdive_nix::Sha256Hash::of(text.as_bytes()).compress()));
        }
        hashes
    }

    /// Returns the image of a service.
    fn image(&self, service: usize) -> Composition {
        let mut needed = HashSet::new();
        let mut pending = vec![self.services[service]];
        while let Some(place) = pending.pop() {
            if needed.insert(place) {
                pending.extend(&self.packages[place].references);
            }
        }
        let hashes = self.hashes();
        let path = |place: usize| StorePath::from_parts(&hashes[place], &self.packages[place].name).unwrap();
        let mut places: Vec<usize> = needed.into_iter().collect();
        places.sort_by_key(|&place| path(place));
        let position: HashMap<usize, u32> = places.iter().copied().zip(0..).collect();
        let mut composition = Composition::default();
        for &place in &places {
            let package = &self.packages[place];
            let mut composed = store_path_with(path(place), Vec::new());
            composed.nar_bytes = package.bytes;
            composed.references = package.references.iter().map(|reference| position[reference]).collect();
            if package.is_application {
                composed.stability = Stability::Application;
            }
            composition.store_paths.push(composed);
        }
        composition
    }

    /// Rebuilds one package at nearly the same size, and everything that depends on it.
    fn changed(&self, place: usize, random: &mut Random) -> Self {
        let mut world = self.clone();
        let package = &mut world.packages[place];
        package.build += 1;
        package.bytes += random.below(package.bytes / 20 + 2);
        world
    }
}

/// Returns the size of each layer, by the store paths in it.
fn layers(image: &Composition, strategy: Strategy, siblings: &[Sibling], most: usize) -> HashMap<Vec<String>, u64> {
    let layers = strategy.assign(image, siblings, most);
    assert!(layers.len() <= most, "{strategy:?}: {} layers of {most}", layers.len());
    let placed: usize = layers.iter().map(Vec::len).sum();
    assert_eq!(placed, image.store_paths.len(), "{strategy:?}: every path once");
    let known = |place: &u32| &image.store_paths[*place as usize];
    let named = layers.iter().map(|layer| {
        let names: Vec<String> = layer.iter().map(|place| known(place).path.base_name().to_owned()).collect();
        (names, layer.iter().map(|place| known(place).nar_bytes).sum())
    });
    named.collect()
}

fn sibling(image: &Composition) -> Sibling {
    image.store_paths.iter().map(|known| (known.path.base_name().to_owned(), known.nar_bytes)).collect()
}

/// Returns the mean percentage of an image's bytes that another image of the family has too, in the same layers.
fn shared(images: &[Composition], strategy: Strategy, knows_siblings: bool, most: usize) -> f64 {
    let layered: Vec<HashMap<Vec<String>, u64>> = (0..images.len())
        .map(|own| layers(&images[own], strategy, &siblings(images, own, knows_siblings), most))
        .collect();
    let (mut both, mut all) = (0u64, 0u64);
    for (place, one) in layered.iter().enumerate() {
        for (_, other) in layered.iter().enumerate().filter(|(other, _)| *other != place) {
            all += one.values().sum::<u64>();
            both += one.iter().filter(|(names, _)| other.contains_key(*names)).map(|(_, bytes)| bytes).sum::<u64>();
        }
    }
    both as f64 * 100.0 / all as f64
}

fn siblings(images: &[Composition], own: usize, known: bool) -> Vec<Sibling> {
    let others = images.iter().enumerate().filter(|(place, _)| known && *place != own);
    others.map(|(_, image)| sibling(image)).collect()
}

/// Returns the mean number of MB to push after a change, by kind of change: the application, a library with its
/// dependents, glibc.
fn pushed(world: &World, strategy: Strategy, knows_siblings: bool, most: usize) -> [f64; 3] {
    let images: Vec<Composition> = (0..world.services.len()).map(|service| world.image(service)).collect();
    let mut random = Random(42);
    let mut sums = [0u64; 3];
    let mut counts = [0u64; 3];
    for service in 0..images.len() {
        let siblings = siblings(&images, service, knows_siblings);
        let before = layers(&images[service], strategy, &siblings, most);
        let in_image: HashSet<&str> = images[service].store_paths.iter().map(|known| known.path.name()).collect();
        let libraries: Vec<usize> = (5..world.packages.len())
            .filter(|&place| {
                in_image.contains(world.packages[place].name.as_str()) && !world.packages[place].is_application
            })
            .collect();
        let mut changes = vec![(0, world.services[service] - 1), (0, world.services[service]), (2, 0)];
        changes.extend((0..6).map(|_| (1, libraries[random.below(libraries.len() as u64) as usize])));
        for (kind, place) in changes {
            let image = world.changed(place, &mut random).image(service);
            let after = layers(&image, strategy, &siblings, most);
            let new = after.iter().filter(|(names, _)| !before.contains_key(*names));
            sums[kind] += new.map(|(_, bytes)| bytes).sum::<u64>();
            counts[kind] += 1;
        }
    }
    [0, 1, 2].map(|kind| sums[kind] as f64 / counts[kind] as f64 / 1e6)
}

#[test]
fn the_default_shares_more_and_pushes_less_than_the_others() {
    let world = World::new(5, 220);
    let images: Vec<Composition> = (0..world.services.len()).map(|service| world.image(service)).collect();
    for image in &images {
        let bytes: u64 = image.store_paths.iter().map(|known| known.nar_bytes).sum();
        println!("{} store paths, {} MB", image.store_paths.len(), bytes / 1_000_000);
    }
    let bound = shared(&images, Strategy::Popularity, false, 1000);
    println!("with a layer for each path {bound:.1} % would be shared");
    println!("layers | strategy | shared % | pushed MB: application, library, glibc, mean");
    let mut all = Vec::new();
    for most in [20, 60, 100] {
        let mut figures = Vec::new();
        for (strategy, knows_siblings) in [
            (Strategy::Stable, true),
            (Strategy::Stable, false),
            (Strategy::Popularity, false),
            (Strategy::Nix2container, false),
        ] {
            let shared = shared(&images, strategy, knows_siblings, most);
            let pushed = pushed(&world, strategy, knows_siblings, most);
            let mean = pushed.iter().sum::<f64>() / 3.0;
            println!("{most} | {strategy:?} {knows_siblings} | {shared:.1} | {pushed:.1?} {mean:.1}");
            figures.push((shared, pushed, mean));
        }
        all.push((most, figures));
    }
    for (most, mut figures) in all {
        let others = figures.split_off(2);
        for (with_siblings, (shared, pushed, mean)) in [true, false].into_iter().zip(figures) {
            for other in &others {
                assert!(shared > other.0, "{most} layers, siblings {with_siblings}: shares {shared} against {other:?}");
                assert!(mean < other.2, "{most} layers, siblings {with_siblings}: pushes {pushed:?} against {other:?}");
            }
        }
    }
}

#[test]
fn a_change_of_one_package_leaves_all_layers_without_it() {
    let world = World::new(2, 120);
    let before = layers(&world.image(0), Strategy::Stable, &[], 40);
    let changed = world.changed(world.services[0] - 1, &mut Random(7));
    let after = layers(&changed.image(0), Strategy::Stable, &[], 40);
    let is_application = |names: &[String]| names.iter().any(|name| name.contains("service0"));
    for names in after.keys().filter(|names| !is_application(names)) {
        assert!(before.contains_key(names), "{names:?}");
    }
}
