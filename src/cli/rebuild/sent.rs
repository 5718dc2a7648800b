//! Sending what a plan makes of an image: it is written into a layout first, without the layers that the registry has, and
//! copied from there.

use std::ffi::OsString;

use super::outputs::Outputs;
use super::written::Writing;
use crate::cli::signals::StopOnSignals;
use crate::cli::transferring;
use nixdive_base::cancel::Cancel;
use nixdive_base::text::display_name;
use nixdive_image::reference::Reference;
use nixdive_source::open::{OpenOptions, Remote, scratch_directory};
use nixdive_source::registry::RegistryError;
use nixdive_transfer::{
    CopyDestination, CopyOptions, KnownBlobs, Strictness, TransferError, TransferProgress, Verification, copy, gather,
};
use nixdive_write::{Destination, LayerCompression, LayerElsewhere, WriteOptions};

impl Writing<'_> {
    /// Writes an image to files, and sends it to all other destinations.
    pub fn send(&self, outputs: &Outputs, remote: &Remote) -> anyhow::Result<()> {
        let progress = TransferProgress::new(Cancel::new());
        let signals = StopOnSignals::new(progress.cancel());
        signals.outcome(self.send_again(outputs, &remote.noting(progress.waits()), &progress))
    }

    /// Without the layers that are there, and with them where they are not there after all.
    fn send_again(&self, outputs: &Outputs, remote: &Remote, progress: &TransferProgress) -> anyhow::Result<()> {
        let elsewhere = match outputs.files.as_slice() {
            [] => elsewhere(&outputs.remote, remote, progress.cancel())?,
            _ => Vec::new(),
        };
        let is_whole = elsewhere.is_empty();
        match self.send_without(outputs, remote, elsewhere, progress) {
            // What was there a moment ago may be gone.
            Err(SendError::Transfer(TransferError::Registry(RegistryError::Unreadable { .. }))) if !is_whole => {
                Ok(self.send_without(outputs, remote, Vec::new(), progress)?)
            }
            other => Ok(other?),
        }
    }

    fn send_without(
        &self,
        outputs: &Outputs,
        remote: &Remote,
        elsewhere: Vec<LayerElsewhere>,
        progress: &TransferProgress,
    ) -> Result<(), SendError> {
        let scratch = scratch_directory().map_err(|error| SendError::Other(error.into()))?;
        let directory = scratch.path().join("layout");
        let layout = Destination::OciLayout { directory: directory.clone(), reference: None };
        let destinations: Vec<Destination> = outputs.files.iter().cloned().chain([layout]).collect();
        let mut options = WriteOptions { elsewhere, ..self.options.clone() };
        // Engines unpack what they are given.
        let are_engines = outputs.remote.iter().all(|destination| matches!(destination, CopyDestination::Engine(..)));
        if outputs.files.is_empty() && are_engines {
            options.compression = LayerCompression::NONE;
        }
        let mut written = self.with(&options).run(&destinations, progress.cancel()).map_err(SendError::Other)?;
        // The temporary layout is not reported.
        written.destinations.pop();
        self.tell(&written);
        let mut typed = OsString::from("oci:");
        typed.push(&directory);
        let reference = Reference::parse(&typed).map_err(|error| SendError::Other(error.into()))?;
        let shipment = gather(&reference, &OpenOptions::default(), false, progress.cancel())?;
        let verification = Verification::new(Strictness::Own);
        let options = CopyOptions { remote: remote.clone(), verification, ..CopyOptions::default() };
        for destination in &outputs.remote {
            let arrival = transferring::watched(progress, false, || copy(&shipment, destination, &options, progress))?;
            let name = destination.to_string();
            // Who reads no words of it has the image all the same.
            let _ = transferring::tell(&display_name(name.as_bytes()), &arrival, &mut std::io::stderr().lock());
        }
        Ok(())
    }
}

/// Why an image was not sent.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[error("{0}")]
    Other(anyhow::Error),
}

/// Layers that all destinations share, by their input.
fn elsewhere(
    destinations: &[CopyDestination],
    remote: &Remote,
    cancel: &Cancel,
) -> anyhow::Result<Vec<LayerElsewhere>> {
    let registries = remote.registries(cancel)?;
    let mut common: Option<Vec<LayerElsewhere>> = None;
    for destination in destinations {
        let CopyDestination::Registry(name) = destination else { return Ok(Vec::new()) };
        let name = if name.given_host().is_some() { name.clone() } else { registries.complete(name)? };
        let known = KnownBlobs::of_registry(&registries, &name, &[])?;
        let own: Vec<LayerElsewhere> = known
            .made()
            .iter()
            .map(|(made_of, made)| LayerElsewhere {
                made_of: made_of.clone(),
                diff_id: made.diff_id.clone(),
                digest: made.blob.digest.clone(),
                stored_bytes: made.blob.stored_bytes,
            })
            .collect();
        common = Some(match common {
            None => own,
            Some(before) => before.into_iter().filter(|layer| own.contains(layer)).collect(),
        });
    }
    Ok(common.unwrap_or_default())
}
