//! HTTP for registries and engines: one exchange at a time, over TCP, TLS or a local socket; repeats requests to busy
//! servers and gives up on stalled ones. Independent of images.

mod address;
mod clock;
mod date;
mod error;
mod exchange;
mod patience;
mod secret;
mod socket;
mod steady;
mod trust;

pub use address::Address;
pub use clock::{Clock, RealClock, Waits};
pub use date::parse_date;
pub use error::HttpError;
pub use exchange::{Body, Http, HttpOptions, Method, Request, Response};
pub use patience::Patience;
pub use secret::{Secret, base64, decode_base64};
pub use trust::{ClientIdentity, Trust};

#[cfg(test)]
mod tests;
