use serde::Serialize;

use nixdive_packages::{Inventory, PackageIndex};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PackageDocument<'a> {
    r#type: &'static str,
    name: &'a str,
    version: &'a str,
    architecture: Option<&'a str>,
    installed_bytes: u64,
    layer: Option<u16>,
    files: usize,
}

impl<'a> PackageDocument<'a> {
    fn new(inventory: &'a Inventory, index: PackageIndex) -> Self {
        let package = inventory.packages.get(index);
        let owned = inventory.ownership.of(index);
        Self {
            r#type: package.kind.as_str(),
            name: &package.name,
            version: &package.version,
            architecture: package.architecture.as_deref(),
            installed_bytes: inventory.installed_bytes(index),
            layer: owned.layer.map(|layer| layer.0),
            files: owned.file_count(),
        }
    }
}

/// All packages, by type, name and version.
pub(super) fn documents(inventory: &Inventory) -> Vec<PackageDocument<'_>> {
    inventory.packages.indices().map(|index| PackageDocument::new(inventory, index)).collect()
}
