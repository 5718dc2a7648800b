//! All actions that keys can trigger. Help, the footer and the keymap all come from [`ACTIONS`].

use hashbrown::HashMap;

use super::input::Key;

/// Parts of the interface that keys apply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// Anywhere, where the context itself has no other use for the key.
    Everywhere,
    /// The list of layers.
    Layers,
    /// The file tree.
    Tree,
    /// Details of the selection.
    Details,
    /// The image's configuration and Dockerfile.
    Image,
    /// The list of waste.
    Waste,
    /// The list of packages.
    Packages,
    /// The size map.
    Map,
    /// The store of a Nix image.
    Store,
    /// Problems and possible improvements.
    Findings,
    /// Plan of a rebuild.
    Rebuild,
    /// A file on screen.
    Preview,
    /// Hits of a search through files.
    Hits,
    /// The files of two images next to each other.
    Differences,
    /// Another page of a comparison of two images.
    Comparison,
    /// Content shared by several images.
    Matrix,
    /// The list of images to choose from.
    Chooser,
    /// The help.
    Help,
    /// A line of text being typed.
    Prompt,
}

impl Context {
    /// All of them, in the order of the help.
    pub const ALL: [Self; 19] = [
        Self::Layers,
        Self::Tree,
        Self::Details,
        Self::Image,
        Self::Waste,
        Self::Packages,
        Self::Map,
        Self::Store,
        Self::Findings,
        Self::Rebuild,
        Self::Preview,
        Self::Hits,
        Self::Differences,
        Self::Comparison,
        Self::Matrix,
        Self::Chooser,
        Self::Prompt,
        Self::Help,
        Self::Everywhere,
    ];

    /// Name on screen and in a keymap file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Layers => "layers",
            Self::Tree => "files",
            Self::Details => "details",
            Self::Image => "image",
            Self::Waste => "waste",
            Self::Packages => "packages",
            Self::Map => "map",
            Self::Store => "store",
            Self::Findings => "findings",
            Self::Rebuild => "rebuild",
            Self::Preview => "preview",
            Self::Hits => "hits",
            Self::Differences => "differences",
            Self::Comparison => "comparison",
            Self::Matrix => "matrix",
            Self::Chooser => "images",
            Self::Help => "help",
            Self::Prompt => "typing",
        }
    }
}

macro_rules! actions {
    ($($action:ident $name:literal $description:literal [$($context:ident),*] [$($key:literal),*];)*) => {
        /// An action that a key can trigger.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $(#[doc = $description] $action,)*
        }

        /// All actions, in the order of the help.
        pub const ACTIONS: &[ActionInfo] = &[
            $(ActionInfo {
                action: Action::$action,
                name: $name,
                description: $description,
                contexts: &[$(Context::$context),*],
                keys: &[$($key),*],
            },)*
        ];
    };
}

/// An action, its names and its keys.
#[derive(Debug, Clone, Copy)]
pub struct ActionInfo {
    /// The action.
    pub action: Action,
    /// Its name in a keymap file.
    pub name: &'static str,
    /// Description for the help.
    pub description: &'static str,
    /// Contexts in which it works.
    pub contexts: &'static [Context],
    /// Its keys unless the user says otherwise; keys of a sequence have a space between them.
    pub keys: &'static [&'static str],
}

actions! {
    MoveDown "move-down" "Move down" [Layers, Tree, Details, Image, Waste, Packages, Map, Store, Findings, Rebuild, Preview, Hits, Chooser, Help, Differences, Comparison, Matrix] ["j", "down"];
    MoveUp "move-up" "Move up" [Layers, Tree, Details, Image, Waste, Packages, Map, Store, Findings, Rebuild, Preview, Hits, Chooser, Help, Differences, Comparison, Matrix] ["k", "up"];
    HalfPageDown "half-page-down" "Half a page down" [Layers, Tree, Details, Image, Waste, Packages, Store, Findings, Rebuild, Preview, Hits, Chooser, Help, Differences, Comparison] ["ctrl-d"];
    HalfPageUp "half-page-up" "Half a page up" [Layers, Details, Image, Waste, Packages, Store, Findings, Rebuild, Preview, Hits, Chooser, Help, Differences, Comparison] ["ctrl-u"];
    PageDown "page-down" "A page down" [Layers, Tree, Details, Image, Waste, Packages, Store, Findings, Rebuild, Preview, Hits, Chooser, Help, Differences, Comparison] ["pgdn", "d"];
    PlanPageUp "plan-page-up" "A page up" [Rebuild] ["pgup"];
    PageUp "page-up" "A page up" [Layers, Tree, Details, Image, Waste, Packages, Store, Findings, Preview, Hits, Chooser, Help, Differences, Comparison] ["pgup", "u"];
    First "first" "Go to the first" [Layers, Tree, Details, Image, Waste, Packages, Store, Findings, Rebuild, Preview, Hits, Chooser, Help, Differences, Comparison] ["g g", "home"];
    Last "last" "Go to the last" [Layers, Tree, Details, Image, Waste, Packages, Store, Findings, Rebuild, Preview, Hits, Chooser, Help, Differences, Comparison] ["G", "end"];

    ShowFiles "show-files" "Layers and files" [Layers, Tree, Details, Image, Waste, Packages, Map, Store, Findings, Rebuild] ["1"];
    ShowImage "show-image" "Image: configuration and Dockerfile" [Layers, Tree, Details, Image, Waste, Packages, Map, Store, Findings, Rebuild] ["2"];
    ShowWaste "show-waste" "Waste and its causes" [Layers, Tree, Details, Image, Waste, Packages, Map, Store, Findings, Rebuild] ["3"];
    ShowPackages "show-packages" "Packages" [Layers, Tree, Details, Image, Waste, Packages, Map, Store, Findings, Rebuild] ["4"];
    ShowMap "show-map" "Size map" [Layers, Tree, Details, Image, Waste, Packages, Map, Store, Findings, Rebuild] ["5"];
    ShowStore "show-store" "Nix store: paths, closures, reasons" [Layers, Tree, Details, Image, Waste, Packages, Map, Store, Findings, Rebuild] ["6"];
    ShowFindings "show-findings" "Findings: problems and savings" [Layers, Tree, Details, Image, Waste, Packages, Map, Store, Findings, Rebuild] ["7"];
    ShowRebuild "show-rebuild" "Rebuild plan" [Layers, Tree, Details, Image, Waste, Packages, Map, Store, Findings, Rebuild] ["8", "R"];
    NextPage "next-page" "Next page" [Image, Waste, Packages, Map, Store, Findings, Rebuild, Differences, Comparison] ["tab"];
    PreviousPage "previous-page" "Previous page" [Image, Waste, Packages, Map, Store, Findings, Rebuild, Differences, Comparison] ["shift-tab"];
    Reveal "reveal" "Show in files" [Waste, Packages] ["enter", "l", "right"];
    RevealPath "reveal-path" "Show in files" [Store] ["enter", "o"];
    ToggleFinding "toggle-finding" "Expand or collapse" [Findings] ["space"];
    ShowPlace "show-place" "Expand / go to location" [Findings] ["enter", "l", "right"];
    CloseFinding "close-finding" "Collapse" [Findings] ["h", "left"];
    ToggleKept "toggle-kept" "Keep or drop" [Rebuild] ["space", "enter"];
    UndoChoices "undo-choices" "Undo all decisions" [Rebuild] ["u"];
    RevealRow "reveal-row" "Show in files" [Rebuild] ["o", "l", "right"];
    WriteImage "write-image" "Write the smaller image and compare it with this one" [Rebuild] ["w"];
    StoreRight "store-right" "Go to references" [Store] ["l", "right"];
    StoreLeft "store-left" "Go to referrers" [Store] ["h", "left"];
    NextChain "next-chain" "Next chain that leads to it" [Store] ["w"];
    StoreMap "store-map" "Switch between table and map by added size" [Store] ["t"];
    StoreMapIn "store-map-in" "Zoom into the path, in the map" [Store] ["space"];
    StoreMapOut "store-map-out" "Zoom out of the path, in the map" [Store] ["minus"];
    RevealTile "reveal-tile" "Show in files" [Map] ["o"];
    MapIn "map-in" "Zoom into the directory" [Map] ["enter"];
    MapOut "map-out" "Zoom out of the directory" [Map] ["minus", "u"];
    MapLeft "map-left" "Move left" [Map] ["h", "left"];
    MapRight "map-right" "Move right" [Map] ["l", "right"];
    MapColour "map-colour" "Colour by layer, kind or package" [Map] ["c"];

    Open "open" "Open the image" [Chooser] ["enter", "l", "right"];
    EnterTree "enter-tree" "Go to files" [Layers] ["enter", "l", "right"];

    Toggle "toggle" "Expand or collapse; preview a file" [Tree, Differences] ["space", "enter"];
    Expand "expand" "Expand, or move to the first entry" [Tree, Differences] ["l", "right"];
    Collapse "collapse" "Collapse, or go to the parent" [Tree, Differences] ["h", "left"];
    ExpandBelow "expand-below" "Expand all below" [Tree, Differences] ["L"];
    CollapseBelow "collapse-below" "Collapse all below" [Tree, Differences] ["H"];
    ToggleAll "toggle-all" "Collapse all, or expand all" [Tree, Differences] ["ctrl-space", "="];

    Preview "preview" "Preview the file" [Tree, Details, Differences] ["p"];
    Extract "extract" "Copy to disk" [Tree, Details] ["e", "ctrl-e"];
    SearchFiles "search-files" "Search file contents" [Layers, Tree, Details, Image, Waste, Packages, Map, Store, Findings, Rebuild, Preview, Hits] ["ctrl-s"];
    FindPath "find-path" "Go to a path (fuzzy search)" [Layers, Tree, Details, Image, Waste, Packages, Map, Store, Findings, Rebuild, Preview, Hits] ["ctrl-t"];
    OpenHit "open-hit" "Preview the file at the hit" [Hits] ["enter", "l", "right"];
    RevealHit "reveal-hit" "Show in files" [Preview, Hits] ["o"];
    ToggleBytes "toggle-bytes" "Switch between hex and text" [Preview] ["x"];
    ToggleDifference "toggle-difference" "Diff with the lower layer's version: unified, side by side, off" [Preview] ["D"];
    FindWithin "find-within" "Find in the file (re: for a regular expression; hex digits in bytes)" [Preview] ["/", "f", "ctrl-f"];
    ScrollLeft "scroll-left" "Move left" [Preview] ["h", "left"];
    ScrollRight "scroll-right" "Move right" [Preview] ["l", "right"];

    Filter "filter" "Filter by name or path" [Layers, Tree, Details, Packages, Store, Rebuild, Chooser, Differences, Comparison] ["/", "ctrl-f"];
    Find "find" "Find and jump" [Layers, Tree, Details] ["f"];
    FindNext "find-next" "Next hit" [Layers, Tree, Details, Preview] ["n"];
    FindPrevious "find-previous" "Previous hit" [Layers, Tree, Details, Preview] ["N"];
    NextChange "next-change" "Next changed path" [Layers, Tree] ["}"];
    PreviousChange "previous-change" "Previous changed path" [Layers, Tree] ["{"];

    Sort "sort" "Sort by another column" [Layers, Tree, Store, Differences] ["s", "ctrl-o"];
    ReverseSort "reverse-sort" "Reverse sort" [Layers, Tree, Store, Differences] ["S"];
    ToggleAdded "toggle-added" "Show or hide added" [Tree] ["A", "ctrl-a"];
    ToggleModified "toggle-modified" "Show or hide modified" [Tree] ["M", "ctrl-m"];
    ToggleRemoved "toggle-removed" "Show or hide removed" [Tree] ["D", "ctrl-r"];
    ToggleUnmodified "toggle-unmodified" "Show or hide unmodified" [Tree] ["U", "ctrl-u"];
    OnlyWasted "only-wasted" "Show only waste, or all files" [Layers, Tree, Details, Waste] ["W"];
    ToggleBase "toggle-base" "Hide or show the base image" [Layers, Tree, Details] ["B"];
    ToggleAttributes "toggle-attributes" "Show or hide mode and owner" [Layers, Tree] ["b", "ctrl-b"];

    ToggleScope "toggle-scope" "Switch between stacked layers and this layer alone" [Layers, Tree, Details] ["v"];
    ToggleBaseline "toggle-baseline" "Switch between changes of this layer and of all above the base" [Layers, Tree, Details] ["a"];
    LayerChanges "layer-changes" "Changes of this layer" [Layers] ["ctrl-l"];
    AggregatedChanges "aggregated-changes" "Changes of all layers above the base" [Layers] ["ctrl-a"];
    ChangingLayer "changing-layer" "Go to the layer that last changed the path" [Tree, Details] ["c"];
    LaterChangingLayer "later-changing-layer" "Go to the next higher layer that changes the path" [Tree, Details] ["C"];
    NextLayer "next-layer" "Next layer" [Tree, Details] ["]"];
    PreviousLayer "previous-layer" "Previous layer" [Tree, Details] ["["];

    CopyPath "copy" "Copy the path or the digest" [Layers, Tree, Details, Image, Waste, Packages, Map, Store, Findings, Rebuild, Preview, Hits, Chooser, Differences, Comparison, Matrix] ["y"];
    CopyRow "copy-row" "Copy the row" [Layers, Tree, Details, Differences] ["Y"];
    ToggleWrap "toggle-wrap" "Wrap long lines, or cut them" [Layers, Tree, Details, Preview] ["w", "ctrl-p"];

    NextPane "next-pane" "Next pane" [Layers, Tree, Details] ["tab"];
    PreviousPane "previous-pane" "Previous pane" [Layers, Tree, Details] ["shift-tab"];
    Zoom "zoom" "Maximize or restore the pane" [Layers, Tree, Details] ["z"];
    Widen "widen" "Enlarge the pane" [Layers, Tree, Details] [">"];
    Narrow "narrow" "Shrink the pane" [Layers, Tree, Details] ["<"];
    ToggleMouse "toggle-mouse" "Mouse on or off" [Layers, Tree, Details, Image, Waste, Packages, Map, Store, Findings, Rebuild, Preview, Hits, Chooser, Differences, Comparison, Matrix] ["m"];

    ShowDifferences "show-differences" "Files of both images, side by side" [Differences, Comparison] ["1"];
    ShowSummary "show-summary" "Summary of the comparison" [Differences, Comparison] ["2"];
    ShowStorePaths "show-store-paths" "Differing store paths and their causes" [Differences, Comparison] ["3"];
    ShowPackageChanges "show-package-changes" "Differing packages" [Differences, Comparison] ["4"];
    ShowConfigChanges "show-config-changes" "Differing configuration fields" [Differences, Comparison] ["5"];
    ShowAlignedLayers "show-aligned-layers" "Layers: shared, moved, added, removed" [Differences, Comparison] ["6"];
    NextDifference "next-difference" "Next difference" [Differences] ["n", "}"];
    PreviousDifference "previous-difference" "Previous difference" [Differences] ["N", "{"];
    ToggleEqual "toggle-equal" "Show only differences, or all" [Differences, Comparison] ["a", "U"];
    ToggleSemantic "toggle-semantic" "Hide metadata-only changes" [Differences, Comparison] ["M"];
    ToggleEquivalent "toggle-equivalent" "Match the same software across package systems" [Differences, Comparison] ["E"];
    RevealDifference "reveal-difference" "Show in files" [Comparison] ["enter", "o", "l", "right"];
    CellLeft "cell-left" "Move left" [Matrix] ["h", "left"];
    CellRight "cell-right" "Move right" [Matrix] ["l", "right"];
    ComparePair "compare-pair" "Compare the two images" [Matrix] ["enter", "space"];
    NextLevel "next-level" "Next level of sharing" [Matrix] ["tab", "t"];
    PreviousLevel "previous-level" "Previous level of sharing" [Matrix] ["shift-tab"];
    LevelLayers "level-layers" "Sharing by whole layers" [Matrix] ["1"];
    LevelStorePaths "level-store-paths" "Sharing with one store path per layer" [Matrix] ["2"];
    LevelContent "level-content" "Sharing by equal file contents" [Matrix] ["3"];

    Accept "accept" "Accept" [Prompt] ["enter"];
    Abandon "abandon" "Clear and close" [Prompt] ["esc"];
    PromptDown "prompt-down" "Move down" [Prompt] ["down"];
    PromptUp "prompt-up" "Move up" [Prompt] ["up"];

    Palette "palette" "Command palette" [Everywhere] [":"];
    Help "help" "Help" [Everywhere] ["?", "f1"];
    Back "back" "Back: clear the filter, stop loading, return to other images" [Everywhere] ["esc", "backspace"];
    Suspend "suspend" "Suspend" [Everywhere, Prompt] ["ctrl-z"];
    Quit "quit" "Quit" [Everywhere] ["q"];
    QuitAnyway "quit-anyway" "Quit, also while typing" [Everywhere, Prompt] ["ctrl-c"];
}

impl Action {
    /// Its entry in [`ACTIONS`].
    #[must_use]
    pub fn info(self) -> &'static ActionInfo {
        // The enumeration and the table are written by one macro in one order.
        &ACTIONS[self as usize]
    }
}

/// Result of the keys typed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved {
    /// Do this.
    Action(Action),
    /// More keys may follow.
    Prefix,
    /// Nothing.
    Nothing,
}

/// Keys of all actions, by context.
#[derive(Debug, Clone)]
pub struct Keymap {
    bindings: HashMap<(Context, Vec<Key>), Option<Action>>,
    /// The keys of each action as people write them, in the order of the table or of the file.
    shown: HashMap<(Context, Action), Vec<String>>,
}

impl Default for Keymap {
    fn default() -> Self {
        let mut keymap = Self { bindings: HashMap::new(), shown: HashMap::new() };
        for info in ACTIONS {
            for sequence in info.keys.iter().filter_map(|keys| parse_sequence(keys)) {
                for &context in info.contexts {
                    keymap.bind(context, &sequence, info.action);
                }
            }
        }
        keymap
    }
}

/// Reads keys with spaces between them.
#[must_use]
pub fn parse_sequence(text: &str) -> Option<Vec<Key>> {
    text.split(' ').map(Key::parse).collect()
}

impl Keymap {
    /// Gives a sequence of keys to an action; what it was before is forgotten.
    pub fn bind(&mut self, context: Context, sequence: &[Key], action: Action) {
        for length in 1..sequence.len() {
            self.bindings.entry((context, sequence[..length].to_vec())).or_insert(None);
        }
        let text = sequence.iter().map(Key::to_string).collect::<Vec<_>>().join(" ");
        if let Some(Some(before)) = self.bindings.insert((context, sequence.to_vec()), Some(action))
            && let Some(keys) = self.shown.get_mut(&(context, before))
        {
            keys.retain(|keys| *keys != text);
        }
        self.shown.entry((context, action)).or_default().push(text);
    }

    /// Takes all keys from an action.
    pub fn unbind(&mut self, action: Action) {
        self.bindings.retain(|_, bound| *bound != Some(action));
        self.shown.retain(|(_, shown), _| *shown != action);
    }

    /// Resolves the keys typed so far in a context.
    #[must_use]
    pub fn resolve(&self, context: Context, typed: &[Key]) -> Resolved {
        let contexts = [Some(context), (context != Context::Prompt).then_some(Context::Everywhere)];
        for context in contexts.into_iter().flatten() {
            match self.bindings.get(&(context, typed.to_vec())) {
                Some(Some(action)) => return Resolved::Action(*action),
                Some(None) => return Resolved::Prefix,
                None => {}
            }
        }
        Resolved::Nothing
    }

    /// The keys of an action in a context, for help.
    #[must_use]
    pub fn keys(&self, context: Context, action: Action) -> &[String] {
        let own = self.shown.get(&(context, action)).filter(|keys| !keys.is_empty());
        own.or_else(|| self.shown.get(&(Context::Everywhere, action))).map_or(&[], Vec::as_slice)
    }

    /// Adds the keys of some actions to a text, such as “Reading stopped (q: quit)”. Every message that names a key is
    /// made here, so that it follows the user's settings. Actions without a key are left out.
    #[must_use]
    pub fn hint(&self, text: &str, context: Context, actions: &[(Action, &str)]) -> String {
        let hint = |(action, words): &(Action, &str)| Some(format!("{}: {words}", self.key(context, *action)?));
        let hints: Vec<String> = actions.iter().filter_map(hint).collect();
        if hints.is_empty() { text.to_owned() } else { format!("{text} ({})", hints.join(", ")) }
    }

    /// The first key of an action in a context, for the footer.
    #[must_use]
    pub fn key(&self, context: Context, action: Action) -> Option<&str> {
        self.keys(context, action).first().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(keymap: &Keymap, context: Context, keys: &str) -> Resolved {
        keymap.resolve(context, &parse_sequence(keys).unwrap())
    }

    #[test]
    fn every_default_key_is_a_key_and_no_two_actions_of_a_context_share_one() {
        let mut taken = HashMap::new();
        for info in ACTIONS {
            assert_eq!(info.action.info().name, info.name);
            assert!(!info.contexts.is_empty() && !info.keys.is_empty(), "{}", info.name);
            for keys in info.keys {
                let sequence = parse_sequence(keys).unwrap_or_else(|| panic!("{keys}"));
                for context in info.contexts {
                    let before = taken.insert((*context, sequence.clone()), info.name);
                    assert_eq!(before, None, "{keys} of {} in {}", info.name, context.name());
                }
            }
        }
    }

    #[test]
    fn keys_of_dive_do_what_they_do_in_dive() {
        let keymap = Keymap::default();
        for (context, keys, action) in [
            (Context::Layers, "tab", Action::NextPane),
            (Context::Tree, "ctrl-f", Action::Filter),
            (Context::Tree, "space", Action::Toggle),
            (Context::Tree, "ctrl-space", Action::ToggleAll),
            (Context::Tree, "ctrl-a", Action::ToggleAdded),
            (Context::Tree, "ctrl-r", Action::ToggleRemoved),
            (Context::Tree, "ctrl-m", Action::ToggleModified),
            (Context::Tree, "ctrl-u", Action::ToggleUnmodified),
            (Context::Tree, "ctrl-b", Action::ToggleAttributes),
            (Context::Tree, "ctrl-o", Action::Sort),
            (Context::Tree, "ctrl-p", Action::ToggleWrap),
            (Context::Layers, "ctrl-l", Action::LayerChanges),
            (Context::Layers, "ctrl-a", Action::AggregatedChanges),
            (Context::Tree, "u", Action::PageUp),
            (Context::Tree, "d", Action::PageDown),
            (Context::Layers, "ctrl-c", Action::QuitAnyway),
        ] {
            assert_eq!(press(&keymap, context, keys), Resolved::Action(action), "{keys} in {}", context.name());
        }
    }

    #[test]
    fn a_sequence_waits_for_its_second_key() {
        let keymap = Keymap::default();
        assert_eq!(press(&keymap, Context::Tree, "g"), Resolved::Prefix);
        assert_eq!(press(&keymap, Context::Tree, "g g"), Resolved::Action(Action::First));
        assert_eq!(press(&keymap, Context::Tree, "g x"), Resolved::Nothing);
    }

    #[test]
    fn typing_a_name_triggers_nothing() {
        let keymap = Keymap::default();
        for letter in "qjk/?nN[]m".chars() {
            assert_eq!(press(&keymap, Context::Prompt, &letter.to_string()), Resolved::Nothing, "{letter}");
        }
    }
}
