//! Why store paths are in an image.

use std::io::{self, Write};

use hashbrown::HashMap;
use serde::Serialize;

use super::document::{SourceDocument, store_path};
use super::json::{OWN, write_pretty};
use super::names::one_line;
use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::{Image, NodeId};
use nixdive_nix::contents::{Evidence, Place};
use nixdive_nix::graph::PathId;
use nixdive_nix::study::{Chain, StoreStudy, Why};

/// Name and version of the JSON form.
pub const WHY_SCHEMA: &str = "nixdive.why/1";

/// Files of one reference that text shows, unless all are asked for.
const FILES_SHOWN: usize = 3;

/// All that `nixdive why` says.
#[derive(Debug)]
pub struct WhyReport<'a> {
    /// The image.
    pub image: &'a Image,
    /// Its store.
    pub study: &'a StoreStudy,
    /// The paths that are meant, and why each is there.
    pub answers: &'a [Why],
    /// True to show all chains, and all files of a reference.
    pub all: bool,
    /// With `--precise`: the bytes around hashes, by file and offset.
    pub excerpts: Option<&'a HashMap<(NodeId, u64), Vec<u8>>>,
}

impl WhyReport<'_> {
    /// Writes it for people.
    ///
    /// # Errors
    /// If writing to `out` fails.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        for (number, why) in self.answers.iter().enumerate() {
            if number > 0 {
                writeln!(out)?;
            }
            self.write_answer(why, out)?;
        }
        Ok(())
    }

    fn write_answer(&self, why: &Why, out: &mut dyn Write) -> io::Result<()> {
        let study = self.study;
        let added = study.paths.get(why.path.index()).map_or(0, |path| path.added_bytes);
        let own = study.graph.nar_bytes(why.path);
        let path = store_path(study, why.path);
        writeln!(out, "{path}  NAR {}, added {}", display_bytes(own), display_bytes(added))?;
        if why.chains.is_empty() {
            writeln!(out, "  neither the configuration nor a file outside the store leads to it")?;
            for &referrer in study.graph.referrers(why.path) {
                writeln!(out, "  unreachable itself, {} refers to it", store_path(study, referrer))?;
            }
        }
        for chain in &why.chains {
            self.write_chain(chain, out)?;
        }
        if why.is_truncated {
            writeln!(out, "  … and possibly more chains: the search reached its limit")?;
        }
        Ok(())
    }

    fn write_chain(&self, chain: &Chain, out: &mut dyn Write) -> io::Result<()> {
        let shown = if self.all { chain.reasons.len() } else { 1 };
        for &source in chain.reasons.iter().take(shown) {
            writeln!(out, "  {}", source.describe(self.image))?;
        }
        if chain.reasons.len() > shown {
            writeln!(out, "  (and {} more)", chain.reasons.len() - shown)?;
        }
        for (depth, &path) in chain.paths.iter().enumerate() {
            let indent = "    ".repeat(depth.min(16));
            writeln!(out, "  {indent}└─ {}", store_path(self.study, path))?;
            if let Some(&next) = chain.paths.get(depth + 1)
                && self.excerpts.is_some()
            {
                self.write_proofs(path, next, &format!("  {indent}   "), out)?;
            }
        }
        Ok(())
    }

    fn write_proofs(&self, from: PathId, to: PathId, indent: &str, out: &mut dyn Write) -> io::Result<()> {
        let proofs = self.study.proofs(from, to);
        if proofs.is_empty() {
            return writeln!(out, "{indent}recorded in the database, but found in no file");
        }
        let shown = if self.all { proofs.len() } else { FILES_SHOWN };
        for proof in proofs.iter().take(shown) {
            let file = display_name(&self.within(from, proof.node)).into_owned();
            match proof.place {
                Place::Name => writeln!(out, "{indent}{file}: its name")?,
                Place::LinkTarget => writeln!(out, "{indent}{file} → {}", one_line(&self.target(proof.node)))?,
                Place::Content(offset) => {
                    let excerpt =
                        self.excerpt(proof.node, offset).map_or_else(String::new, |text| format!(": …{text}…"));
                    writeln!(out, "{indent}{file}{excerpt}")?;
                }
            }
        }
        match proofs.len().saturating_sub(shown) {
            0 => Ok(()),
            more => writeln!(out, "{indent}(and {more} more)"),
        }
    }

    /// The path of a file within its store path; the store path's own name where it is the file.
    fn within(&self, store: PathId, node: NodeId) -> Vec<u8> {
        let tree = &self.image.tree;
        let path = tree.path(node);
        let prefix = self.study.store.get(store).map(|known| tree.path(known.node)).unwrap_or_default();
        match path.strip_prefix(prefix.as_slice()).and_then(|rest| rest.strip_prefix(b"/")) {
            Some(rest) => rest.to_vec(),
            None => tree.name(node).to_vec(),
        }
    }

    fn target(&self, node: NodeId) -> String {
        let tree = &self.image.tree;
        let occurrence = tree.top_layer().and_then(|top| tree.visible_at(node, top));
        let target = occurrence.and_then(|id| tree.link_target(id)).unwrap_or_default();
        display_name(target).into_owned()
    }

    fn excerpt(&self, node: NodeId, offset: u64) -> Option<String> {
        let bytes = self.excerpts?.get(&(node, offset))?;
        // As Nix prints it: what is not printable ASCII is a dot.
        let shown = |&byte: &u8| if matches!(byte, b' '..=b'~') { char::from(byte) } else { '.' };
        Some(bytes.iter().map(shown).collect())
    }

    /// Writes it for programs.
    ///
    /// # Errors
    /// If writing to `out` fails.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let document = WhyDocument {
            schema: WHY_SCHEMA,
            generator: concat!("nixdive ", env!("CARGO_PKG_VERSION")),
            complete: self.image.is_complete(),
            warnings: self.image.defects.iter().map(|defect| defect.message.clone()).collect(),
            matches: self.answers.iter().map(|why| self.answer_document(why)).collect(),
        };
        write_pretty(&document, OWN, out)
    }

    fn answer_document(&self, why: &Why) -> AnswerDocument {
        let study = self.study;
        let studied = study.paths.get(why.path.index()).copied().unwrap_or_default();
        AnswerDocument {
            path: store_path(study, why.path),
            nar_bytes: studied.nar_bytes,
            closure_bytes: studied.closure_bytes,
            added_bytes: studied.added_bytes,
            reachable: studied.depth.is_some(),
            referrers: study.graph.referrers(why.path).iter().map(|&id| store_path(study, id)).collect(),
            complete: !why.is_truncated,
            chains: why.chains.iter().map(|chain| self.chain_document(chain)).collect(),
        }
    }

    fn chain_document(&self, chain: &Chain) -> ChainDocument {
        let following = chain.paths.iter().skip(1).map(Some).chain([None]);
        let step = |(&path, next): (&PathId, Option<&PathId>)| StepDocument {
            path: store_path(self.study, path),
            evidence: self.excerpts.map(|_| {
                let proofs = next.map(|&next| self.study.proofs(path, next)).unwrap_or_default();
                proofs.iter().map(|proof| self.proof_document(proof)).collect()
            }),
        };
        ChainDocument {
            reasons: chain.reasons.iter().map(|&source| SourceDocument::new(self.image, source)).collect(),
            paths: chain.paths.iter().zip(following).map(step).collect(),
        }
    }

    fn proof_document(&self, proof: &Evidence) -> ProofDocument {
        let excerpt = match proof.place {
            Place::Content(offset) => self.excerpt(proof.node, offset),
            Place::LinkTarget => Some(self.target(proof.node)),
            Place::Name => None,
        };
        ProofDocument { source: SourceDocument::in_tree(&self.image.tree, proof.node, proof.place), excerpt }
    }
}

#[derive(Serialize)]
struct WhyDocument {
    schema: &'static str,
    generator: &'static str,
    complete: bool,
    warnings: Vec<String>,
    matches: Vec<AnswerDocument>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswerDocument {
    path: String,
    nar_bytes: Option<u64>,
    closure_bytes: Option<u64>,
    added_bytes: u64,
    reachable: bool,
    referrers: Vec<String>,
    /// `false` where there may be more chains.
    complete: bool,
    chains: Vec<ChainDocument>,
}

#[derive(Serialize)]
struct ChainDocument {
    reasons: Vec<SourceDocument>,
    paths: Vec<StepDocument>,
}

#[derive(Serialize)]
struct StepDocument {
    path: String,
    /// Evidence for the reference to the next path.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Vec<ProofDocument>>,
}

#[derive(Serialize)]
struct ProofDocument {
    #[serde(flatten)]
    source: SourceDocument,
    excerpt: Option<String>,
}
