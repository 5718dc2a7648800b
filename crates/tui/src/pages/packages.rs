use std::cmp::Reverse;

use crate::list::ListCursor;
use nixdive_base::text::{display_bytes, display_name};
use nixdive_packages::{Inventory, PackageIndex};

/// The packages of an image, the largest first.
#[derive(Debug, Default)]
pub struct PackageList {
    /// All of them.
    all: Vec<PackageIndex>,
    /// Packages that match the filter.
    order: Vec<PackageIndex>,
    pub filter: String,
    pub cursor: ListCursor,
}

/// One row of the list.
#[derive(Debug, Clone, PartialEq)]
pub struct PackageRow {
    pub bytes: String,
    pub share: f64,
    pub files: String,
    pub layer: String,
    pub kind: &'static str,
    pub name: String,
    pub version: String,
}

impl PackageList {
    pub fn new(inventory: &Inventory) -> Self {
        let mut all: Vec<PackageIndex> = inventory.packages.indices().collect();
        all.sort_by_key(|&index| Reverse(inventory.installed_bytes(index)));
        Self { order: all.clone(), all, ..Self::default() }
    }

    /// Shows only packages with that in their names, whatever its case.
    pub fn set_filter(&mut self, inventory: &Inventory, text: &str) {
        text.clone_into(&mut self.filter);
        let wanted = text.to_lowercase();
        let named = |index: &PackageIndex| inventory.packages.get(*index).name.to_lowercase().contains(&wanted);
        self.order = self.all.iter().copied().filter(named).collect();
        self.cursor = ListCursor::default();
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// The package in a row.
    pub fn get(&self, row: usize) -> Option<PackageIndex> {
        self.order.get(row).copied()
    }

    pub fn row(&self, inventory: &Inventory, row: usize) -> Option<PackageRow> {
        let index = self.get(row)?;
        let package = inventory.packages.get(index);
        let owned = inventory.ownership.of(index);
        let bytes = inventory.installed_bytes(index);
        let largest = self.all.first().map_or(0, |&first| inventory.installed_bytes(first));
        Some(PackageRow {
            bytes: display_bytes(bytes),
            share: if largest == 0 { 0.0 } else { bytes as f64 / largest as f64 },
            files: owned.file_count().to_string(),
            layer: owned.layer.map(|layer| layer.0.to_string()).unwrap_or_default(),
            kind: package.kind.as_str(),
            name: display_name(package.name.as_bytes()).into_owned(),
            version: display_name(package.version.as_bytes()).into_owned(),
        })
    }
}
