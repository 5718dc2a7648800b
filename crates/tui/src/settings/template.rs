use std::fmt::Write;

use crate::action::ACTIONS;
use crate::theme::Theme;

const HEAD: &str = r##"# Settings of nixdive: $XDG_CONFIG_HOME/nixdive/config.toml, or ~/.config/nixdive/config.toml.
# These are the defaults. Only what differs need be written; an unknown key is an error.

# Colours: THEMES
theme = "terminal"

# Characters beyond ASCII: auto (as the locale says), always, never.
unicode = "auto"

# Clicks and the wheel. Off, the terminal's own selection works as ever.
mouse = true

[view]
# The layers up to the selected one "stacked", or the selected one "alone".
scope = "stacked"
# Changes that the selected "layer" makes, or all since the "base".
changes = "layer"
# Columns of the tree in their order: mode, owner, layer, modified, bytes, share. Narrow panes leave some out.
columns = ["mode", "owner", "bytes", "share"]
# Mode and owner in the tree from the start; b shows and hides them.
attributes = true
# Long lines in the details wrapped, or cut.
wrap = true
# Order of the tree: bytes, name, change.
sort = "bytes"
# Share of layers and details, percent of the width.
share = 40

# Colours laid over the theme: names as red or light-blue, or #rrggbb. Roles: ROLES
[colours]

# Keys by action. A list replaces the action's own keys; keys of a sequence have a space between them.
[keys]
"##;

/// The defaults as a configuration file.
pub(super) fn document() -> String {
    let themes: Vec<&str> = Theme::NAMED.iter().map(|(name, _)| *name).collect();
    let mut text = HEAD.replace("THEMES", &themes.join(", ")).replace("ROLES", &Theme::ROLES.join(", "));
    for info in ACTIONS {
        let keys: Vec<String> = info.keys.iter().map(|keys| format!("{keys:?}")).collect();
        // Writing into a string cannot fail.
        let _ = writeln!(text, "# {}\n{} = [{}]", info.description, info.name, keys.join(", "));
    }
    text
}
