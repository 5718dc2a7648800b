use ratatui::layout::Rect;

use super::super::layout::Pane;
use super::super::session::Session;
use super::painter::Canvas;
use super::{selection, title};
use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::{DigestCheck, Layer, LayerIndex, NodeId};

const BYTES_WIDTH: usize = 6;
const NET_WIDTH: usize = 7;

/// One row of the list.
struct LayerRow {
    index: String,
    bytes: String,
    net: String,
    net_grows: bool,
    label: String,
    share: f64,
    /// True if its bytes do not match their digest.
    differs: bool,
    /// True if it comes from the base image.
    is_base: bool,
}

/// The list of layers: the whole image first, then from the base up.
pub(super) fn draw(canvas: &mut Canvas, area: Rect, session: &Session) {
    if area.height == 0 {
        return;
    }
    let theme = canvas.theme;
    let focused = session.focus == Pane::Layers;
    let count = session.layer_count();
    let place = match session.selected_layer_index() {
        None => count.to_string(),
        Some(index) => format!("{}/{count}", index + 1),
    };
    let hidden = match session.hidden_layers() {
        0 => String::new(),
        count => format!("without {count} of the base image"),
    };
    title(canvas, area, "Layers", &hidden, &place, focused);
    let rows = session.areas_rows(area);
    let wide = area.width >= 40;
    let bars = area.width >= 52;
    let unpacked = if session.opened.is_some() { "Unpacked" } else { "Stored" };
    let mut pen = canvas.line(area, 1);
    pen.right("#", 4, theme.head).right(unpacked, BYTES_WIDTH + 3, theme.head);
    if wide {
        pen.right("Net", NET_WIDTH + 1, theme.head);
    }
    if bars {
        pen.skip(7);
    }
    pen.text("  Command", theme.head);
    let largest = largest(session);
    for line in 0..rows.height {
        let index = session.layers.offset + usize::from(line);
        let Some(row) = row(session, index, largest) else { break };
        let mut pen = canvas.line(rows, line);
        pen.right(&row.index, 4, if row.differs { theme.error } else { theme.dim });
        pen.right(&row.bytes, BYTES_WIDTH + 3, theme.plain);
        if wide {
            pen.right(&row.net, NET_WIDTH + 1, if row.net_grows { theme.added } else { theme.removed });
        }
        if bars {
            pen.skip(1).bar(row.share, 6, theme.bar);
        }
        if row.differs {
            pen.text(" !", theme.error);
        }
        let style = match index {
            0 => theme.strong,
            _ if row.is_base => theme.dim,
            _ => theme.plain,
        };
        pen.text("  ", theme.plain).fitted(&row.label, style);
        if index == session.layers.selected {
            let style = selection(canvas, focused);
            canvas.overlay(rows, line, style);
        }
    }
}

impl Session {
    fn areas_rows(&self, area: Rect) -> Rect {
        let height = area.height.saturating_sub(2);
        Rect { y: area.y + 2.min(area.height), height, ..area }
    }
}

fn largest(session: &Session) -> u64 {
    match &session.opened {
        Some(opened) => opened.image.layers.iter().map(|layer| layer.unpacked_bytes).max().unwrap_or(0),
        None => session.identified.layers.iter().filter_map(|layer| layer.compressed_bytes).max().unwrap_or(0),
    }
}

fn row(session: &Session, index: usize, largest: u64) -> Option<LayerRow> {
    let share = |bytes: u64| if largest == 0 { 0.0 } else { bytes as f64 / largest as f64 };
    let Some(layer_index) = index.checked_sub(1).map(|below| below + session.hidden_layers()) else {
        return Some(whole(session));
    };
    let Some(opened) = &session.opened else {
        let outline = session.identified.layers.get(layer_index)?;
        return Some(LayerRow {
            index: layer_index.to_string(),
            bytes: outline.compressed_bytes.map(display_bytes).unwrap_or_default(),
            net: String::new(),
            net_grows: true,
            label: brief_command(&outline.command),
            share: share(outline.compressed_bytes.unwrap_or(0)),
            differs: false,
            is_base: false,
        });
    };
    let layer = opened.image.layers.get(layer_index)?;
    let (net, net_grows) = net(session, layer_index);
    Some(LayerRow {
        index: layer_index.to_string(),
        bytes: display_bytes(layer.unpacked_bytes),
        net,
        net_grows,
        label: label(layer),
        share: share(layer.unpacked_bytes),
        is_base: opened.base_layers.is_some_and(|count| layer_index < usize::from(count)),
        differs: matches!(session.digest_check(layer_index), Some(DigestCheck::Differs { .. })),
    })
}

fn whole(session: &Session) -> LayerRow {
    let bytes = session.opened.as_ref().map(|opened| display_bytes(opened.image.unpacked_bytes()));
    LayerRow {
        index: "all".to_owned(),
        bytes: bytes.unwrap_or_default(),
        net: String::new(),
        net_grows: true,
        label: "The whole image".to_owned(),
        share: 0.0,
        differs: false,
        is_base: false,
    }
}

/// Number of bytes by which a layer grew or shrank the stack; `true` if it grew.
fn net(session: &Session, layer: usize) -> (String, bool) {
    let Some(opened) = &session.opened else { return (String::new(), true) };
    if opened.image.layers.get(layer).is_some_and(Layer::is_absent) {
        return ("absent".to_owned(), true);
    }
    let tree = &opened.image.tree;
    let at =
        |layer: usize| u16::try_from(layer).map_or(0, |layer| tree.totals_at(NodeId::ROOT, LayerIndex(layer)).bytes);
    let (before, after) = (layer.checked_sub(1).map_or(0, at), at(layer));
    let sign = if after >= before { '+' } else { '-' };
    (format!("{sign}{}", display_bytes(after.abs_diff(before))), after >= before)
}

/// Label of a layer: its store paths if it names them, else its command.
pub(super) fn label(layer: &Layer) -> String {
    if !layer.store_paths.is_empty() {
        return named_store_paths(&layer.store_paths);
    }
    match layer.comment.as_deref().filter(|_| layer.created_by.is_none()) {
        Some(comment) if comment.contains("/nix/store/") => one_line(&store_names(comment).join(", ")),
        Some(comment) if !comment.trim().is_empty() => one_line(comment),
        _ => brief_command(&layer.command()),
    }
}

/// Store paths in one line, without the store and their hashes.
pub(super) fn named_store_paths(paths: &[String]) -> String {
    let names: Vec<&str> = paths.iter().flat_map(|path| store_names(path)).collect();
    one_line(&names.join(", "))
}

/// A command in one line without what Docker and BuildKit put around it, the digests of what it copies cut short.
fn brief_command(command: &str) -> String {
    const DIGEST_LENGTH: usize = 64;
    const KEPT: usize = 7;
    let line = one_line(command);
    let line = line.strip_prefix("/bin/sh -c ").unwrap_or(&line);
    let line = line.strip_prefix("#(nop) ").unwrap_or(line);
    let line = line.strip_suffix("# buildkit").unwrap_or(line).trim();
    let line = line.strip_prefix("RUN /bin/sh -c ").unwrap_or(line);
    let brief = |word: &str| match word.split_once(':') {
        Some((kind, hash)) if hash.len() >= DIGEST_LENGTH && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            format!("{kind}:{}", &hash[..KEPT])
        }
        _ => word.to_owned(),
    };
    line.split(' ').map(brief).collect::<Vec<_>>().join(" ")
}

/// The names of the store paths in a text, without the store and their hashes.
fn store_names(text: &str) -> Vec<&str> {
    const HASH_LENGTH: usize = 32;
    let paths = text.split("/nix/store/").skip(1);
    let ends = |character: char| matches!(character, '\'' | '"' | ',' | ']' | '/') || character.is_whitespace();
    paths.filter_map(|path| path.split(ends).next()?.get(HASH_LENGTH + 1..)).filter(|name| !name.is_empty()).collect()
}

/// A text that can stand in one line: white space made one space, control characters spelled out.
pub(super) fn one_line(text: &str) -> String {
    const LONGEST: usize = 1000;
    let mut line = String::new();
    for word in text.split_ascii_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&display_name(word.as_bytes()));
        if line.len() > LONGEST {
            break;
        }
    }
    line
}

pub(super) fn row_as_text(session: &Session) -> String {
    let Some(row) = row(session, session.layers.selected, 0) else { return String::new() };
    [row.index, row.bytes, row.net, row.label].join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_paths_are_named_without_their_hashes() {
        let text = "store paths: ['/nix/store/hmnypiai2d9q9ri3yd4kdycjp1rg1027-glibc-2.36', \
                    '/nix/store/xkqm7yb4n7aj317l7w8xfchlfazmxlzx-hello-2.10']";
        assert_eq!(store_names(text), ["glibc-2.36", "hello-2.10"]);
        assert_eq!(store_names("/nix/store/short /nix/store/"), Vec::<&str>::new());
    }

    #[test]
    fn a_command_stands_without_its_frame() {
        let hash = "9c986bfda81e78214e3719a878b582ae170d449dfcd48b6f578f504f34a8accb";
        for (command, brief) in [
            (format!("/bin/sh -c #(nop) COPY file:{hash} in /etc/x "), "COPY file:9c986bf in /etc/x"),
            ("RUN /bin/sh -c apk add git # buildkit".to_owned(), "apk add git"),
            ("COPY a:b /c # buildkit".to_owned(), "COPY a:b /c"),
        ] {
            assert_eq!(brief_command(&command), brief);
        }
    }

    #[test]
    fn a_command_of_many_lines_stands_in_one() {
        assert_eq!(one_line("RUN a \\\n\t&& b\u{1b}[2J"), "RUN a \\ && b\\x1b[2J");
    }
}
