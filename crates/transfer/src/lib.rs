//! Transfer of images: the manifest, the configuration and the layers are kept as they are, and each layer is read only
//! if its bytes are needed.
//!
//! Digests are kept whenever the destination allows it. Parts that the destination already has are skipped, and not
//! even read if that is known beforehand.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod archive;
mod blob;
mod copy;
mod destination;
mod directory;
mod engine;
mod error;
mod gather;
pub mod index;
mod known;
mod made;
mod pack;
mod parcel;
mod progress;
mod push;
mod shelf;
mod store;
mod verification;

pub use blob::{BlobSource, PlainStream, plain_stream};
pub use copy::{Arrival, CopyOptions, LayerArrival, Sink, Way, copy};
pub use destination::{CopyDestination, CopyDestinationError};
pub use error::TransferError;
pub use gather::gather;
pub use known::{KnownBlob, KnownBlobs, KnownMade};
pub use parcel::{Assemble, Document, Parcel, ParcelLayer, Shipment};
pub use progress::{LayerProgress, LayerState, TransferProgress};
pub use verification::{Strictness, Verification};
