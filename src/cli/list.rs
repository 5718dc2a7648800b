use std::io::{self, Write};
use std::process::ExitCode;

use super::arguments::ListArguments;
use super::{locate, open_for, output};
use nixdive_base::text::display_name;
use nixdive_image::{FileTree, Floors, Kind, LayerIndex, NodeId, Scope, Seen};
use nixdive_source::open::Keep;

/// Lists a directory, or one file.
pub fn run(arguments: &ListArguments) -> anyhow::Result<ExitCode> {
    let opened = open_for(&arguments.image, &arguments.open, Keep::Trees)?;
    let image = &opened.image;
    let layer = locate::layer(image, arguments.layer.as_deref())?;
    let node = locate::node(image, &arguments.path, layer, true)?;
    output::print(|out| {
        let mut listing = Listing { tree: &image.tree, layer, long: arguments.long, out };
        match listing.see(node, None) {
            Some(seen) if seen.is_directory => listing.directory(node, arguments.recursive),
            Some(seen) => listing.line(&seen, image.tree.name(node)),
            None => Ok(()),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

struct Listing<'a> {
    tree: &'a FileTree,
    layer: LayerIndex,
    long: bool,
    out: &'a mut dyn Write,
}

impl Listing<'_> {
    /// A path as it is seen there, removed ones left out.
    fn see(&self, node: NodeId, floors: Option<Floors>) -> Option<Seen> {
        let scope = Scope::Stacked(self.layer);
        let seen = match floors {
            Some(floors) => self.tree.see(node, scope, nixdive_image::Baseline::Below, floors),
            None => self.tree.see_alone(node, scope, nixdive_image::Baseline::Below),
        };
        seen.filter(|seen| seen.change != nixdive_image::Change::Removed)
    }

    fn directory(&mut self, node: NodeId, recursive: bool) -> io::Result<()> {
        let Some(seen) = self.see(node, None) else { return Ok(()) };
        let base = if recursive { self.tree.path(node).len() } else { 0 };
        let mut stack: Vec<(NodeId, Floors)> =
            self.tree.children(node).rev().map(|child| (child, seen.floors)).collect();
        while let Some((node, floors)) = stack.pop() {
            let Some(seen) = self.see(node, Some(floors)) else { continue };
            if recursive {
                let path = self.tree.path(node);
                let name = path.get(base..).unwrap_or(&path);
                self.line(&seen, name.strip_prefix(b"/").unwrap_or(name))?;
                if seen.is_directory {
                    stack.extend(self.tree.children(node).rev().map(|child| (child, seen.floors)));
                }
            } else {
                self.line(&seen, self.tree.name(node))?;
            }
        }
        Ok(())
    }

    fn line(&mut self, seen: &Seen, name: &[u8]) -> io::Result<()> {
        let name = display_name(name);
        if !self.long {
            return writeln!(self.out, "{name}{}", if seen.is_directory { "/" } else { "" });
        }
        let Some(id) = seen.occurrence else {
            return writeln!(self.out, "d---------        -:-     {:>12} {name}/", seen.totals.bytes);
        };
        let occurrence = self.tree.occurrence(id);
        let owner = self.tree.owner(id);
        let owner = format!("{}:{}", owner.uid, owner.gid);
        let mode = nixdive_image::display_mode(occurrence.kind, occurrence.mode());
        write!(self.out, "{mode} {owner:>12} {:>12} {name}", seen.totals.bytes)?;
        match (occurrence.kind, self.tree.link_target(id)) {
            (Kind::Symlink, Some(target)) => writeln!(self.out, " -> {}", display_name(target)),
            (Kind::HardLink, Some(target)) => writeln!(self.out, " link to {}", display_name(target)),
            _ if seen.is_directory => writeln!(self.out, "/"),
            _ => writeln!(self.out),
        }
    }
}
