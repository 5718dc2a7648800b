//! Paths that a shell script builds relative to its own location: `$(dirname "$0")/functions`, `"$HERE"/../lib/tool`.

use super::elf::Named;
use super::search::Search;
use nixdive_image::NodeId;

/// Maximum number of such paths examined in one text.
const MOST_PATHS: usize = 10_000;

impl Search<'_> {
    /// Resolves text after a variable or a substitution relative to the script's directory, and keeps files found that
    /// way.
    pub(super) fn named_from_variables(&mut self, node: NodeId, text: &[u8]) {
        let Some(directory) = self.view.tree.parent(node) else { return };
        let directory = self.view.tree.path(directory);
        for rest in paths_behind_variables(text).take(MOST_PATHS) {
            let path = [&directory[..], rest].concat();
            if let Some(found) = self.view.find(&path).filter(|&found| found != node) {
                // A file without another recognizable type may be sourced by the shell itself.
                let name = self.view.tree.name(found);
                if !name.contains(&b'.') || name.ends_with(b".inc") || name.ends_with(b".bash") {
                    self.sourced.insert(found);
                }
                self.named(node, &Named { path: path.into(), is_prefix: false, is_value: false }, true);
            }
        }
    }
}

/// Returns the text after variables and substitutions, each with its leading slash.
fn paths_behind_variables(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut end = 0;
    memchr::memchr_iter(b'/', text).filter_map(move |slash| {
        if slash < end {
            return None;
        }
        let rest = text.get(slash..).unwrap_or_default();
        let is_path_byte = |byte: &&u8| byte.is_ascii_alphanumeric() || b"/._-+@".contains(byte);
        let path = rest.get(..rest.iter().take_while(is_path_byte).count()).unwrap_or_default();
        end = slash + path.len();
        (path.len() > 1 && ends_in_variable(text.get(..slash).unwrap_or_default())).then_some(path)
    })
}

/// Returns `true` if the text before a slash is a variable or a substitution, quoted or not.
fn ends_in_variable(before: &[u8]) -> bool {
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    if matches!(before.last(), Some(b'}' | b')' | b'`')) {
        return true;
    }
    let name = before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    name > 0 && before.len().checked_sub(name + 1).and_then(|at| before.get(at)) == Some(&b'$')
}

#[cfg(test)]
mod tests {
    use super::paths_behind_variables;

    #[test]
    fn paths_behind_variables_and_substitutions_are_found() {
        let cases: [(&str, &[&str]); 9] = [
            (". \"$(dirname \"$0\")/functions\"", &["/functions"]),
            ("exec \"$here\"/../lib/tool-bin $1", &["/../lib/tool-bin"]),
            ("cat ${DIR}/a/b.txt", &["/a/b.txt"]),
            ("cat $DIR/a", &["/a"]),
            ("cat `pwd`/x", &["/x"]),
            ("cat /usr/bin/x a/b", &[]),
            ("cat DIR/a 1/2 $/x", &[]),
            ("echo $A/$B/c", &["/c"]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            let found: Vec<&str> =
                paths_behind_variables(text.as_bytes()).map(|path| std::str::from_utf8(path).unwrap()).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
