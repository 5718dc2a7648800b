//! The history of an image put back together as a Dockerfile.
//!
//! Builders write different things into `created_by`: classic Docker `/bin/sh -c #(nop)  CMD ["x"]`
//! and `/bin/sh -c command` (moby, `builder/dockerfile/dispatchers.go`), with `|2 A=1 B=2` in front
//! where build arguments were used; BuildKit `RUN /bin/sh -c command # buildkit` and `COPY a b #
//! buildkit` (buildkit, `frontend/dockerfile/dockerfile2llb`); buildah and kaniko the instruction
//! or the bare command.

use nixdive_image::{Image, LayerIndex};

/// One instruction, or one layer that no instruction made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// As it would stand in a Dockerfile, long commands over several lines.
    pub text: String,
    /// The layer it made; `None` for one that only changed the configuration.
    pub layer: Option<LayerIndex>,
    /// Unpacked bytes of that layer.
    pub unpacked_bytes: u64,
    /// Store paths that the layer holds, where it says so instead of naming a command.
    pub store_paths: Vec<String>,
}

/// Instructions that begin a history entry as they stand in a Dockerfile.
const INSTRUCTIONS: [&str; 17] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// The instructions of an image's history, base first. Layers that the history does not mention follow at the end.
#[must_use]
pub fn dockerfile(image: &Image) -> Vec<Instruction> {
    let mut layers = image.tree.layer_indices();
    let mut instructions = Vec::new();
    for step in &image.config.history {
        let layer = if step.empty_layer { None } else { layers.next() };
        let unpacked_bytes =
            layer.and_then(|layer| image.layers.get(layer.index())).map_or(0, |layer| layer.unpacked_bytes);
        let command = step.created_by.as_deref().unwrap_or_default().trim();
        let store_paths =
            if command.is_empty() { store_paths(step.comment.as_deref().unwrap_or_default()) } else { Vec::new() };
        let text = match (command, store_paths.len()) {
            ("", 0) => "# no command is recorded".to_owned(),
            ("", 1) => "# one store path".to_owned(),
            ("", count) => format!("# {count} store paths"),
            (command, _) => instruction(command),
        };
        instructions.push(Instruction { text, layer, unpacked_bytes, store_paths });
    }
    for layer in layers {
        let unpacked_bytes = image.layers.get(layer.index()).map_or(0, |layer| layer.unpacked_bytes);
        let text = "# the history does not mention this layer".to_owned();
        instructions.push(Instruction { text, layer: Some(layer), unpacked_bytes, store_paths: Vec::new() });
    }
    instructions
}

/// Returns the Dockerfile instruction that produced a `created_by` text.
fn instruction(created_by: &str) -> String {
    let line = created_by.strip_suffix("# buildkit").unwrap_or(created_by).trim();
    let line = without_arguments(line);
    let shell = line.strip_prefix("/bin/sh -c ").map(str::trim_start);
    if let Some(rest) = shell.and_then(|rest| rest.strip_prefix("#(nop)")) {
        return from_classic(rest.trim());
    }
    if let Some(command) = shell {
        return run(command);
    }
    if let Some(rest) = line.strip_prefix("RUN ") {
        let command = rest.strip_prefix("/bin/sh -c ").unwrap_or(rest);
        return run(without_arguments(command).strip_prefix("/bin/sh -c ").unwrap_or(command));
    }
    let first = line.split_whitespace().next().unwrap_or_default();
    if INSTRUCTIONS.contains(&first) { line.to_owned() } else { run(line) }
}

/// Takes `|2 A=1 B=2 ` off: the build arguments in force, which end where the shell begins.
fn without_arguments(line: &str) -> &str {
    let counted = line.strip_prefix('|').and_then(|rest| rest.split_once(' '));
    match counted {
        Some((count, rest)) if count.bytes().all(|byte| byte.is_ascii_digit()) && !count.is_empty() => {
            rest.find("/bin/sh -c ").map_or(rest, |start| &rest[start..])
        }
        _ => line,
    }
}

/// `COPY file:0123… in /path` as `COPY file:0123… /path`; the rest stands as it would in a Dockerfile.
fn from_classic(rest: &str) -> String {
    let copies = rest.starts_with("ADD ") || rest.starts_with("COPY ");
    match rest.rsplit_once(" in ") {
        Some((what, destination)) if copies => format!("{what} {}", destination.trim()),
        _ => rest.to_owned(),
    }
}

/// A `RUN` with a line for each part of the command.
fn run(command: &str) -> String {
    let mut text = String::from("RUN ");
    for (index, part) in command.trim().split(" && ").enumerate() {
        if index > 0 {
            text.push_str(" \\\n    && ");
        }
        text.push_str(part.trim());
    }
    text
}

/// The store paths that dockerTools lists in a layer's comment.
fn store_paths(comment: &str) -> Vec<String> {
    let ends = |character: char| matches!(character, '\'' | '"' | ',' | ']') || character.is_whitespace();
    let rest = comment.split("/nix/store/").skip(1);
    rest.filter_map(|path| Some(format!("/nix/store/{}", path.split(ends).next()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::{instruction, store_paths};

    #[test]
    fn history_reads_as_the_instructions_that_made_it() {
        let table = [
            (r#"/bin/sh -c #(nop)  CMD ["nginx" "-g"]"#, r#"CMD ["nginx" "-g"]"#),
            ("/bin/sh -c #(nop) COPY file:0a1b in /etc/nginx.conf ", "COPY file:0a1b /etc/nginx.conf"),
            ("/bin/sh -c apt-get update && apt-get install -y x", "RUN apt-get update \\\n    && apt-get install -y x"),
            ("RUN /bin/sh -c make # buildkit", "RUN make"),
            ("RUN |1 V=2 /bin/sh -c make install # buildkit", "RUN make install"),
            ("|1 V=2 /bin/sh -c make", "RUN make"),
            ("COPY a b # buildkit", "COPY a b"),
            ("WORKDIR /srv", "WORKDIR /srv"),
            ("chmod 644 /x", "RUN chmod 644 /x"),
        ];
        for (created_by, expected) in table {
            assert_eq!(instruction(created_by), expected, "{created_by}");
        }
    }

    #[test]
    fn store_paths_are_read_off_the_comment() {
        let comment = "store paths: ['/nix/store/abc-hello', \"/nix/store/def-glibc-2.36\"]";
        assert_eq!(store_paths(comment), ["/nix/store/abc-hello", "/nix/store/def-glibc-2.36"]);
        assert!(store_paths("from buildkit").is_empty());
    }
}
