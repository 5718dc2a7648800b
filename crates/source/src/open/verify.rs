use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use hashbrown::HashMap;

use super::assemble::{check, other_diff_id, other_digest};
use super::comparison::StoredComparison;
use super::{ContentError, Contents};
use nixdive_base::cancel::Cancel;
use nixdive_base::text::display_in_sentence;
use nixdive_image::{
    Compression, Defect, DefectKind, Digest, DigestCheck, Image, LayerIndex, Warning, compute_history,
};
use nixdive_scan::Verifier;

/// Bytes read at a time.
const PIECE: usize = 1 << 20;

/// Verifies the diffID of an uncompressed layer that was opened by its headers alone. Returns `None` if that is
/// impossible, or was done while opening.
///
/// # Errors
/// If the source cannot be read or it is cancelled.
pub fn check_layer(
    image: &Image,
    contents: &Contents,
    number: usize,
    cancel: &Cancel,
) -> io::Result<Option<DigestCheck>> {
    let Some(layer) = image.layers.get(number).filter(|layer| !layer.is_absent()) else { return Ok(None) };
    let (DigestCheck::NotChecked, Some(stated)) = (&layer.diff_id_check, &layer.diff_id) else { return Ok(None) };
    let Some(section) = contents.plain_layer(number).filter(|_| stated.is_verifiable()) else { return Ok(None) };
    let actual = digests_of(&mut section.reader(), std::slice::from_ref(stated), cancel)?;
    Ok(Some(check(Some(stated), actual.first())))
}

/// Returns the image with every file compared with the one below it, however long that takes.
#[must_use]
pub fn refine(image: &Image, contents: &Contents) -> Image {
    let mut refined = image.clone();
    compute_history(&mut refined.tree, &mut StoredComparison::new(contents, None));
    refined
}

/// Returns all reasons against certifying an image, after verifying everything that opening it left unverified. Does
/// not change the image.
///
/// # Errors
/// If it is cancelled.
pub fn verified_doubts(image: &Image, contents: &Contents, threads: usize, cancel: &Cancel) -> io::Result<Vec<Defect>> {
    let mut outline = Image {
        identity: image.identity.clone(),
        config: nixdive_image::Config::default(),
        layers: image.layers.clone(),
        tree: nixdive_image::FileTree::default(),
        warnings: Vec::new(),
        defects: image.defects.clone(),
        source_bytes: None,
    };
    complete(&mut outline, contents, threads, cancel)?;
    Ok(outline.doubts())
}

/// The bytes of a layer that a digest covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Bytes {
    /// The unpacked tar stream.
    Unpacked,
    /// The stored blob.
    Stored,
}

/// Bytes that are read once, for all digests of them.
struct Job {
    layer: usize,
    bytes: Bytes,
    length: u64,
    stated: Vec<Digest>,
    actual: Mutex<Result<Vec<Digest>, String>>,
}

/// A digest of a layer, and the job that verifies it.
struct Question {
    layer: usize,
    bytes: Bytes,
    stated: Digest,
    job: usize,
}

/// Verifies the digests that opening the image left unverified. Reads each run of bytes once, several at a time, the
/// longest first. Mismatches and read errors become defects.
///
/// # Errors
/// If it is cancelled.
pub(super) fn complete(image: &mut Image, contents: &Contents, threads: usize, cancel: &Cancel) -> io::Result<()> {
    let (questions, jobs) = plan(image, contents);
    run(image, contents, &jobs, threads, cancel)?;
    for question in questions {
        let Some(job) = jobs.get(question.job) else { continue };
        let outcome = job.actual.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome.as_ref() {
            Ok(actual) => {
                let same = actual.iter().find(|actual| actual.algorithm() == question.stated.algorithm());
                answer(image, &question, check(Some(&question.stated), same));
            }
            Err(reason) => note(image, question.layer, DefectKind::Incomplete, format!("cannot be verified: {reason}")),
        }
    }
    Ok(())
}

/// Plans which digests to verify, and which bytes to read.
fn plan(image: &Image, contents: &Contents) -> (Vec<Question>, Vec<Job>) {
    let (mut questions, mut jobs): (Vec<Question>, Vec<Job>) = (Vec::new(), Vec::new());
    let mut known = HashMap::new();
    for (number, layer) in image.layers.iter().enumerate() {
        if layer.is_absent() || layer.contents == nixdive_image::LayerContents::Broken {
            continue;
        }
        let asked = [
            (Bytes::Unpacked, &layer.diff_id, &layer.diff_id_check),
            (Bytes::Stored, &layer.digest, &layer.digest_check),
        ];
        for (bytes, stated, checked) in asked {
            let unverified = stated.as_ref().filter(|stated| stated.is_verifiable());
            let Some(stated) = unverified.filter(|_| *checked == DigestCheck::NotChecked) else { continue };
            let blob = contents.blobs.get(number).and_then(Option::as_ref);
            // The blob of a plain layer is its tar stream.
            let read = match (layer.compression, blob) {
                (Compression::None, Some(_)) => Bytes::Stored,
                (Compression::None, None) => Bytes::Unpacked,
                _ => bytes,
            };
            let length = match (read, blob) {
                (Bytes::Stored, Some(blob)) => blob.length(),
                (Bytes::Stored, None) => continue,
                (Bytes::Unpacked, _) => layer.unpacked_bytes,
            };
            let place = blob.map_or((usize::MAX, number as u64, 0), nixdive_scan::Section::identity);
            let job = *known.entry((place, read)).or_insert_with(|| {
                let actual = Mutex::new(Ok(Vec::new()));
                jobs.push(Job { layer: number, bytes: read, length, stated: Vec::new(), actual });
                jobs.len() - 1
            });
            if let Some(job) = jobs.get_mut(job)
                && !job.stated.iter().any(|other| other.algorithm() == stated.algorithm())
            {
                job.stated.push(stated.clone());
            }
            questions.push(Question { layer: number, bytes, stated: stated.clone(), job });
        }
    }
    (questions, jobs)
}

fn run(image: &Image, contents: &Contents, jobs: &[Job], threads: usize, cancel: &Cancel) -> io::Result<()> {
    let mut order: Vec<&Job> = jobs.iter().collect();
    order.sort_by_key(|job| std::cmp::Reverse(job.length));
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(job) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            if cancel.is_cancelled() {
                return;
            }
            let found = hash(image, contents, job, cancel).map_err(|error| error.to_string());
            *job.actual.lock().unwrap_or_else(PoisonError::into_inner) = found;
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(order.len()) {
            // If no thread can be started, this one does all the work.
            let _ = std::thread::Builder::new().name("verify".into()).spawn_scoped(scope, work);
        }
        work();
    });
    cancel.check()
}

fn hash(image: &Image, contents: &Contents, job: &Job, cancel: &Cancel) -> Result<Vec<Digest>, ContentError> {
    let mut reader: Box<dyn Read + Send> = match job.bytes {
        Bytes::Stored => match contents.blobs.get(job.layer).and_then(Option::as_ref) {
            Some(blob) => Box::new(blob.reader()),
            None => return Err(ContentError::Gone),
        },
        Bytes::Unpacked => {
            let length = image.layers.get(job.layer).map_or(0, |layer| layer.unpacked_bytes);
            let index = LayerIndex(u16::try_from(job.layer).unwrap_or(u16::MAX));
            match contents.unpacked_layer(index, 0) {
                Ok(stream) => Box::new(stream.take(length)),
                // It stays unverified, and is reported as such.
                Err(ContentError::Gone | ContentError::NoContent) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        }
    };
    Ok(digests_of(&mut reader, &job.stated, cancel)?)
}

/// Computes the digests of everything that `reader` returns, with the algorithms of the stated digests.
fn digests_of(reader: &mut dyn Read, stated: &[Digest], cancel: &Cancel) -> io::Result<Vec<Digest>> {
    let mut verifiers: Vec<Verifier> = stated.iter().map(Verifier::new).collect();
    let mut buffer = vec![0; PIECE];
    loop {
        cancel.check()?;
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(verifiers.into_iter().filter_map(Verifier::finish).collect()),
            Ok(count) => {
                let piece = buffer.get(..count).unwrap_or_default();
                verifiers.iter_mut().for_each(|verifier| verifier.update(piece));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn answer(image: &mut Image, question: &Question, checked: DigestCheck) {
    if let DigestCheck::Differs { actual } = &checked {
        let message = match question.bytes {
            Bytes::Unpacked => other_diff_id(&question.stated, actual),
            Bytes::Stored => other_digest(&question.stated, actual),
        };
        note(image, question.layer, DefectKind::Altered, message);
    }
    let Some(layer) = image.layers.get_mut(question.layer) else { return };
    match question.bytes {
        Bytes::Unpacked => layer.diff_id_check = checked,
        Bytes::Stored => layer.digest_check = checked,
    }
}

fn note(image: &mut Image, number: usize, kind: DefectKind, what: String) {
    let name = image.layers.get(number).map_or_else(String::new, |layer| display_in_sentence(&layer.stored_as));
    let layer = Some(LayerIndex(u16::try_from(number).unwrap_or(u16::MAX)));
    let message = format!("layer {number} ({name}): {what}");
    image.warnings.push(Warning { layer, message: message.clone() });
    image.defects.push(Defect { kind, layer, message });
}
