use std::io::{self, Write};

use super::super::table::{Align, Table};
use super::Sbom;
use nixdive_base::text::{display_bytes, display_name};

/// A table of all components.
pub(super) fn write(sbom: &Sbom<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}: {} packages and store paths", sbom.name(), sbom.components.len())?;
    sbom.warnings().try_for_each(|warning| writeln!(out, "Warning  {}", display_name(warning.as_bytes())))?;
    let distribution = sbom.distribution;
    if sbom.components.is_empty() && distribution.id.is_none() {
        return Ok(());
    }
    let mut table = Table::new([
        ("Kind", Align::Left),
        ("Name", Align::Left),
        ("Version", Align::Left),
        ("Licence", Align::Left),
        ("Layer", Align::Right),
        ("Bytes", Align::Right),
        ("purl", Align::Left),
    ]);
    if let Some(id) = &distribution.id {
        let title = distribution.title.clone().unwrap_or_default();
        let version = distribution.version.clone().unwrap_or_default();
        table.row(["os".to_owned(), id.clone(), version, String::new(), String::new(), String::new(), title]);
    }
    for component in &sbom.components {
        table.row([
            component.kind.to_owned(),
            component.name.clone(),
            component.version.clone(),
            component.licence.clone().unwrap_or_default(),
            component.layer.map(|layer| layer.to_string()).unwrap_or_default(),
            display_bytes(component.bytes),
            component.purl.clone(),
        ]);
    }
    table.write_text(out)
}
