//! Checks whether the configured command can start: the program, its interpreter, its processor,
//! the user it runs as and that user's access. All of it follows from the tree and from the first
//! bytes of programs.

mod account;
mod environment;
mod launch;
mod program;

use hashbrown::HashSet;

use super::scene::{Gathered, Hits, Scene};
use super::{Evidence, Location, Rule};
use nixdive_base::text::{counted, display_name};
use nixdive_image::{Image, LayerContents, NodeId, OccurrenceId, Resolution};

pub use account::{ACCOUNT_FILES, AccountFile, Accounts, UnknownName};
pub use launch::{Launch, StartProblem};
pub use program::{Machine, Program};

/// Places that a container has of its own, whatever the image holds.
const OF_THE_CONTAINER: [&[u8]; 5] = [b"/proc", b"/dev", b"/sys", b"/run", b"/var/run"];

/// Returns `true` if a container may have something at a path that the image lacks: a volume, or a
/// file system of the runtime.
#[must_use]
pub fn may_be_mounted(image: &Image, path: &[u8]) -> bool {
    let is_at_or_below = |place: &[u8]| {
        let place = place.strip_suffix(b"/").unwrap_or(place);
        !place.is_empty() && path.strip_prefix(place).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
    };
    OF_THE_CONTAINER.iter().any(|place| is_at_or_below(place))
        || image.config.volumes.iter().any(|volume| is_at_or_below(volume.as_bytes()))
}

/// Returns `true` if all files of the image are known and a Linux kernel starts them, so that an
/// absent file is missing. A store path closure is not started.
fn is_told_by_files(image: &Image) -> bool {
    if image.is_closure() {
        return false;
    }
    let is_linux = matches!(image.config.platform.os.as_str(), "" | "linux");
    is_linux && image.layers.iter().all(|layer| layer.contents == LayerContents::Present)
}

/// Follows what the configuration starts by the programs that `program` gives for their entries; `None` where the files
/// of the image do not tell.
pub fn launch<'a>(image: &'a Image, program: &'a dyn Fn(OccurrenceId) -> Option<Program>) -> Option<Launch<'a>> {
    if !is_told_by_files(image) {
        return None;
    }
    Some(Launch::follow(image, image.tree.top_layer()?, program))
}

/// The scripts and programs that run when the image is started, as far as that can be followed.
pub(super) fn find(scene: &Scene<'_>, found: &mut Gathered) -> HashSet<NodeId> {
    let Some(facts) = scene.facts else { return HashSet::new() };
    let program = |id| facts.programs.get(&id).cloned();
    let Some(launch) = launch(scene.image, &program) else { return HashSet::new() };
    // Store paths provided from outside are not in the layers.
    let told = launch.problems.iter().filter(|_| !scene.has_absent_paths);
    told.for_each(|problem| add(scene, found, problem));
    architecture(scene, &launch, found);
    accounts(scene, found);
    account::permissions(scene, &launch, found);
    environment::variables(scene, found);
    environment::temporary_directory(scene, &launch, found);
    launch.executed
}

fn add(scene: &Scene<'_>, found: &mut Gathered, problem: &StartProblem) {
    let mut hits = Hits::new(problem.rule);
    hits.add(Evidence { location: problem.location.clone(), bytes: 0, note: Some(problem.note.clone()) });
    found.finding(scene, hits, |_| problem.title.clone());
}

/// Programs for another processor than the configuration says: what is started, else all programs of the image.
fn architecture(scene: &Scene<'_>, launch: &Launch<'_>, found: &mut Gathered) {
    let architecture = &scene.image.config.platform.architecture;
    let mut hits = Hits::new(Rule::OtherArchitecture);
    let evidence = |node: NodeId, id: OccurrenceId, machine: Machine| {
        let layer = Some(scene.tree.occurrence(id).layer);
        let location = Location::Path { node, occurrence: Some(id), layer, offset: None };
        Evidence { location, bytes: 0, note: Some(machine.name()) }
    };
    match launch.machine {
        Some((node, id, machine)) => {
            if machine.runs_on(architecture) == Some(false) {
                hits.add(evidence(node, id, machine));
            }
        }
        None => {
            let programs = scene.facts.map(|facts| &facts.programs);
            let machine = |id| programs.and_then(|programs| programs.get(&id)).and_then(Program::machine);
            let all = scene.visible_files().filter_map(|(node, id)| Some((node, id, machine(id)?)));
            let mut fits = false;
            for (node, id, machine) in all {
                match machine.runs_on(architecture) {
                    Some(false) => hits.add(evidence(node, id, machine)),
                    _ => fits = true,
                }
            }
            if fits {
                return;
            }
        }
    }
    let shown = display_name(architecture.as_bytes()).into_owned();
    found.finding(scene, hits, |count| {
        let programs = if count == 1 { "a program is".to_owned() } else { format!("all {count} programs are") };
        format!("the configuration says {shown}, but {programs} for another processor")
    });
}

fn accounts(scene: &Scene<'_>, found: &mut Gathered) {
    let Some(facts) = scene.facts else { return };
    let mut hits = Hits::new(Rule::UnknownUser);
    for UnknownName { name, file, what } in facts.accounts.unknown_names(&scene.image.config.user) {
        let note = format!("{what} {} is not in {file}", display_name(name.as_bytes()));
        hits.add(Evidence { location: Location::Field("user"), bytes: 0, note: Some(note) });
    }
    found.finding(scene, hits, |count| {
        format!("the configuration runs it as {} that the image does not have", counted(count, "name"))
    });
}

/// Resolves an absolute path, following links.
fn resolve(scene: &Scene<'_>, path: &[u8]) -> Option<NodeId> {
    match scene.tree.resolve(path, scene.top, true) {
        Resolution::Found { node, .. } => Some(node),
        _ => None,
    }
}
