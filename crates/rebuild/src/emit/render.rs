//! Text of `flake.nix`.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::configuration::{Field, Value};
use super::nix_text::{attribute_path, quoted, shell_word};
use super::store_paths::OwnStorePath;
use super::survey::{OwnDirectory, OwnFile, Survey, is_data};
use super::{Builder, Confidence, MappedPackage, NIXPKGS_BRANCH};
use nixdive_base::text::display_in_sentence;
use nixdive_image::{Image, Platform};

/// Maximum number of sonames of one package listed in a comment.
const MOST_SONAMES: usize = 4;

/// Returns the whole file.
pub(super) fn flake_nix(survey: &Survey<'_>, fields: &[Field]) -> String {
    let (image, builder) = (survey.request.image, survey.request.builder);
    let (name, tag) = image_name(image);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = (|| {
        writeln!(text, "# Made by nixdive from {}.", display_in_sentence(&image.identity.requested))?;
        writeln!(text, "# Anything uncertain is marked REVIEW; see README.md.")?;
        writeln!(text, "{{")?;
        writeln!(text, "  description = {};\n", quoted(&format!("{name}, built with nixpkgs")))?;
        writeln!(text, "  # Release of nixpkgs that provides the programs.")?;
        writeln!(text, "  inputs.nixpkgs.url = \"github:NixOS/nixpkgs/{NIXPKGS_BRANCH}\";")?;
        if builder == Builder::Nix2container {
            writeln!(text, "  inputs.nix2container.url = \"github:nlewo/nix2container\";")?;
            writeln!(text, "  inputs.nix2container.inputs.nixpkgs.follows = \"nixpkgs\";")?;
        }
        let inputs = if builder == Builder::Nix2container { "nix2container, nixpkgs" } else { "nixpkgs" };
        writeln!(text, "\n  outputs =\n    {{ {inputs}, ... }}:\n    let")?;
        writeln!(text, "      # Platform of the image. Other systems may be added if the own files support them.")?;
        let (system, is_known) = system(&image.config.platform);
        let doubt = if is_known { "" } else { " # REVIEW: the image's platform is not known to nixpkgs" };
        writeln!(text, "      systems = [ {} ];{doubt}\n", quoted(system))?;
        writeln!(text, "      image =\n        system:\n        let")?;
        writeln!(text, "          pkgs = nixpkgs.legacyPackages.${{system}};\n          inherit (pkgs) lib;")?;
        python(&mut text, survey)?;
        programs(&mut text, survey)?;
        libraries(&mut text, survey)?;
        store_paths(&mut text, survey)?;
        root(&mut text, survey)?;
        writeln!(text, "\n          config = {{")?;
        configuration(&mut text, fields)?;
        writeln!(text, "          }};\n        in")?;
        built(&mut text, survey, &name, &tag)?;
        writeln!(text, "    in\n    {{")?;
        writeln!(
            text,
            "      packages = nixpkgs.lib.genAttrs systems (system: {{\n        default = image system;\n      }});"
        )?;
        writeln!(text, "    }};\n}}")
    })();
    text
}

/// Returns the nixpkgs name of a platform, and `false` if nixpkgs does not have it.
fn system(platform: &Platform) -> (&'static str, bool) {
    match (platform.architecture.as_str(), platform.variant.as_deref()) {
        ("amd64", _) => ("x86_64-linux", true),
        ("arm64", _) => ("aarch64-linux", true),
        ("arm", Some("v6")) => ("armv6l-linux", true),
        ("arm", _) => ("armv7l-linux", true),
        ("386", _) => ("i686-linux", true),
        ("ppc64le", _) => ("powerpc64le-linux", true),
        ("riscv64", _) => ("riscv64-linux", true),
        ("s390x", _) => ("s390x-linux", true),
        _ => ("x86_64-linux", false),
    }
}

/// Returns name and tag of the new image: those of the old one if both builders accept them.
pub(super) fn image_name(image: &Image) -> (String, String) {
    let reference = image.identity.references.first().map_or("", String::as_str);
    let (name, tag) = match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    };
    let name = ["docker.io/library/", "docker.io/", "localhost/"]
        .iter()
        .find_map(|hub| name.strip_prefix(hub))
        .unwrap_or(name);
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/:".contains(&byte);
    let is_part = |part: &str| part.starts_with(|first: char| first.is_ascii_alphanumeric());
    let is_name = name.len() <= 200 && name.bytes().all(is_letter) && name.split('/').all(is_part);
    let is_tag = (1..=128).contains(&tag.len())
        && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let name = if is_name { name } else { "image" };
    (name.to_owned(), if is_tag { tag } else { "latest" }.to_owned())
}

/// Returns a remark such as `high: /usr/sbin/nginx; the image has 1.22.1`, with a mark if it needs review.
fn remark(package: &MappedPackage) -> String {
    let MappedPackage { confidence, evidence, version, doubt, .. } = package;
    let mark = if *confidence == Confidence::High { "" } else { "REVIEW " };
    let version = version.as_ref().map(|version| format!("; the image has {version}")).unwrap_or_default();
    let why = doubt.map(|doubt| format!("; {doubt}")).unwrap_or_default();
    format!("{mark}{}: {evidence}{why}{version}", confidence.name())
}

fn python(text: &mut String, survey: &Survey<'_>) -> std::fmt::Result {
    let Some(python) = &survey.python else { return Ok(()) };
    let (attribute, is_release) = python.attribute();
    writeln!(text)?;
    if !is_release {
        writeln!(text, "          # REVIEW the image has Python {}, which this nixpkgs lacks.", python.release)?;
    }
    if !python.is_owned && !python.evidence.is_empty() {
        writeln!(text, "          # REVIEW no package of the image owns its Python.")?;
    }
    if python.modules.is_empty() {
        return writeln!(text, "          python = pkgs.{attribute};");
    }
    writeln!(text, "          python = pkgs.{attribute}.withPackages (ps: [")?;
    for (name, module) in &python.modules {
        let mark = if module.is_known { "" } else { "REVIEW not known by this name; " };
        writeln!(text, "            ps.{} # {mark}the image has {}", attribute_path_of_one(name), module.version)?;
    }
    writeln!(text, "          ]);")
}

fn attribute_path_of_one(name: &str) -> String {
    super::nix_text::attribute(name)
}

fn programs(text: &mut String, survey: &Survey<'_>) -> std::fmt::Result {
    writeln!(text, "\n          # Programs that the image uses.\n          programs = [")?;
    for package in survey.mapped().iter().filter(|package| !is_data(&package.attribute)) {
        writeln!(text, "            pkgs.{} # {}", attribute_path(&package.attribute), remark(package))?;
    }
    if survey.python.is_some() {
        writeln!(text, "            python")?;
    }
    writeln!(text, "          ];")
}

/// Writes the libraries: they come with the programs, except those that own programs need.
fn libraries(text: &mut String, survey: &Survey<'_>) -> std::fmt::Result {
    if survey.libraries.is_empty() {
        return Ok(());
    }
    let needs_them = survey.has_own_programs();
    if needs_them {
        writeln!(text, "\n          # For own programs; programs of nixpkgs have their own.\n          libraries = [")?;
    } else {
        writeln!(text, "\n          # Libraries that the image uses, included with the programs:")?;
    }
    for (attribute, sonames) in &survey.libraries {
        let listed: Vec<&str> = sonames.iter().take(MOST_SONAMES).map(String::as_str).collect();
        let more = if sonames.len() > MOST_SONAMES { ", …" } else { "" };
        let is_listed = needs_them && attribute != "glibc" && attribute != "musl";
        let listed = listed.join(", ");
        if is_listed {
            writeln!(text, "            pkgs.{} # {listed}{more}", attribute_path(attribute))?;
        } else {
            let indent = if needs_them { "  " } else { "" };
            writeln!(text, "          {indent}# {attribute} ({listed}{more})")?;
        }
    }
    if needs_them { writeln!(text, "          ];") } else { Ok(()) }
}

fn store_paths(text: &mut String, survey: &Survey<'_>) -> std::fmt::Result {
    if survey.stores.own.is_empty() {
        return Ok(());
    }
    text.push_str(
        r#"
          # A store path that nixpkgs does not have, with the store paths that it names replaced.
          carried =
            baseName: name: replaced:
            let
              expressions = lib.concatMapStrings (
                old: " -e 's|/nix/store/${lib.escape [ "." ] old}|${replaced.${old}}|g'"
              ) (lib.attrNames replaced);
            in
            pkgs.runCommand name { } ''
              cp -R ${./store + "/${baseName}"} "$out"
              chmod -R u+w "$out"
              find "$out" -type f -exec sed -i -e "s|/nix/store/${baseName}|$out|g"${expressions} {} +
              find "$out" -type l -print0 | while IFS= read -r -d "" link; do
                ln -sfn "$(readlink "$link" | sed -e "s|/nix/store/${baseName}|$out|g"${expressions})" "$link"
              done
            '';
"#,
    );
    for own in &survey.stores.own {
        let OwnStorePath { variable, base_name, name, references, .. } = own;
        let (base_name, name) = (quoted(base_name), quoted(name));
        writeln!(text, "          # REVIEW not a package of nixpkgs.")?;
        if references.is_empty() {
            writeln!(text, "          {variable} = carried {base_name} {name} {{ }};")?;
            continue;
        }
        writeln!(text, "          {variable} = carried {base_name} {name} {{")?;
        for reference in references {
            if let Some(expression) = survey.stores.expression(reference) {
                writeln!(text, "            {} = {expression};", quoted(reference))?;
            }
        }
        writeln!(text, "          }};")?;
    }
    Ok(())
}

/// Writes the root file system: own files, directories, and links to programs at their old paths.
fn root(text: &mut String, survey: &Survey<'_>) -> std::fmt::Result {
    let has_programs = survey.has_own_programs();
    writeln!(
        text,
        "\n          # Files outside the Nix store: own files, and links to programs and data at their old paths."
    )?;
    if has_programs {
        writeln!(text, "          # REVIEW own programs use libraries of nixpkgs.")?;
        let libraries = if survey.libraries.is_empty() { "[ ]" } else { "libraries" };
        writeln!(text, "          root = pkgs.runCommandCC \"root\" {{")?;
        writeln!(text, "            nativeBuildInputs = [ pkgs.autoPatchelfHook ];")?;
        writeln!(text, "            buildInputs = {libraries};\n          }} ''")?;
    } else {
        writeln!(text, "          root = pkgs.runCommand \"root\" {{ }} ''")?;
    }
    if survey.own.is_empty() {
        writeln!(text, "            mkdir \"$out\"")?;
    } else {
        writeln!(text, "            cp -R ${{./files}} \"$out\"\n            chmod -R u+w \"$out\"")?;
    }
    let directories: Vec<String> = survey.directories.iter().map(|directory| relative_word(&directory.path)).collect();
    if !directories.is_empty() || !survey.places.is_empty() {
        writeln!(text, "            cd \"$out\"")?;
    }
    command(text, "mkdir -p --", &directories)?;
    if !survey.places.is_empty() {
        text.push_str(PLACE);
    }
    let mut targets: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for place in &survey.places {
        let below = if place.target.below.is_empty() { String::new() } else { below_word(&place.target.below) };
        let target = format!("${{{}}}{below}", place.target.expression);
        targets.entry(target).or_default().push(relative_word(&place.path));
    }
    targets.iter().try_for_each(|(target, paths)| command(text, &format!("place {target}"), paths))?;
    if has_programs {
        writeln!(text, "            autoPatchelf -- \"$out\"")?;
    }
    writeln!(text, "          '';")
}

/// Shell function that links all further arguments to the first one.
const PLACE: &str = r#"            place() {
              local target="$1" path
              for path in "''${@:2}"; do
                mkdir -p -- "$(dirname -- "$path")"
                ln -sfn -- "$target" "$path"
              done
            }
"#;

/// Writes a command and its words, on as many lines as necessary.
fn command(text: &mut String, command: &str, words: &[String]) -> std::fmt::Result {
    const INDENT: usize = 12;
    const WIDTH: usize = 110;
    if words.is_empty() {
        return Ok(());
    }
    write!(text, "{:INDENT$}{command}", "")?;
    let mut column = INDENT + command.len();
    for word in words {
        if column + word.len() + 3 > WIDTH {
            write!(text, " \\\n{:1$}", "", INDENT + 1)?;
            column = INDENT + 1;
        }
        write!(text, " {word}")?;
        column += word.len() + 1;
    }
    writeln!(text)
}

/// Returns a path without its leading slash, as a word of bash.
fn relative_word(path: &[u8]) -> String {
    shell_word(path.strip_prefix(b"/").unwrap_or(path))
}

/// Returns a path with its leading slash, as the rest of a word of bash.
fn below_word(path: &[u8]) -> String {
    format!("/{}", relative_word(path))
}

fn configuration(text: &mut String, fields: &[Field]) -> std::fmt::Result {
    for Field { name, value, reviews } in fields {
        for review in reviews {
            writeln!(text, "            # REVIEW {review}")?;
        }
        match value {
            Value::One(value) => writeln!(text, "            {name} = {value};")?,
            Value::List(items) => {
                writeln!(text, "            {name} = [")?;
                items.iter().try_for_each(|item| writeln!(text, "              {item}"))?;
                writeln!(text, "            ];")?;
            }
            Value::Set(items) => {
                writeln!(text, "            {name} = {{")?;
                items.iter().try_for_each(|(name, value)| writeln!(text, "              {name} = {value};"))?;
                writeln!(text, "            }};")?;
            }
        }
    }
    Ok(())
}

fn built(text: &mut String, survey: &Survey<'_>, name: &str, tag: &str) -> std::fmt::Result {
    let contents = if survey.wants_fake_accounts() {
        "[\n            root\n            pkgs.dockerTools.fakeNss\n          ]"
    } else {
        "[ root ]"
    };
    let files: Vec<&OwnFile> = survey.own.iter().filter(|own| own.is_special()).collect();
    let directories: Vec<&OwnDirectory> =
        survey.directories.iter().filter(|directory| directory.is_special()).collect();
    match survey.request.builder {
        Builder::DockerTools => {
            writeln!(text, "        pkgs.dockerTools.buildLayeredImage {{")?;
            writeln!(text, "          name = {};\n          tag = {};", quoted(name), quoted(tag))?;
            writeln!(text, "          contents = {contents};\n          inherit config;")?;
            if !files.is_empty() || !directories.is_empty() {
                writeln!(text, "          # Owners and modes that a Nix store cannot represent.")?;
                writeln!(text, "          fakeRootCommands = ''")?;
                for own in files {
                    let (mode, uid, gid, path) =
                        (own.mode & 0o7777, own.owner.uid, own.owner.gid, below_word(&own.path));
                    writeln!(text, "            install -m {mode:04o} -o {uid} -g {gid} ${{root}}{path} .{path}")?;
                }
                for directory in directories {
                    let (uid, gid, path) = (directory.owner.uid, directory.owner.gid, below_word(&directory.path));
                    if (uid, gid) != (0, 0) {
                        writeln!(text, "            chown {uid}:{gid} .{path}")?;
                    }
                    writeln!(text, "            chmod {:04o} .{path}", directory.mode & 0o7777)?;
                }
                writeln!(text, "          '';")?;
            }
        }
        Builder::Nix2container => {
            writeln!(text, "        nix2container.packages.${{system}}.nix2container.buildImage {{")?;
            writeln!(text, "          name = {};\n          tag = {};", quoted(name), quoted(tag))?;
            writeln!(text, "          copyToRoot = {contents};\n          inherit config;")?;
            let of_files = files.iter().map(|own| (&own.path, own.mode, own.owner));
            let all = of_files.chain(directories.iter().map(|own| (&own.path, own.mode, own.owner)));
            let all: Vec<_> = all.collect();
            if !all.is_empty() {
                writeln!(text, "          # Owners and modes that a Nix store cannot represent.\n          perms = [")?;
                for (path, mode, owner) in all {
                    let regex = format!("^/nix/store/[^/]+{}$", regex::escape(&String::from_utf8_lossy(path)));
                    let mark = if std::str::from_utf8(path).is_ok() { "" } else { " # REVIEW the name is not UTF-8" };
                    writeln!(
                        text,
                        "            {{{mark}\n              path = root;\n              regex = {};",
                        quoted(&regex)
                    )?;
                    writeln!(text, "              mode = \"{:04o}\";", mode & 0o7777)?;
                    writeln!(
                        text,
                        "              uid = {};\n              gid = {};\n            }}",
                        owner.uid, owner.gid
                    )?;
                }
                writeln!(text, "          ];")?;
            }
        }
    }
    writeln!(text, "        }};")
}
