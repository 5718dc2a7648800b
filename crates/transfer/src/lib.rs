//! An image on its way from one place to another: manifest, configuration and layers as they are, each layer with a way
//! to its bytes that is taken only where they are needed.
//!
//! What a destination can hold as it is keeps its digests. What it has already is not sent, and where that is known
//! beforehand not even read.
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
