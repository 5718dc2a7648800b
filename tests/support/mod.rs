//! What the tests of the whole program share: images built byte by byte, and ways to run the program within bounds.

pub mod chroot;
pub mod compress;
pub mod images;
pub mod program;
pub mod pseudo_terminal;
pub mod tables;
pub mod tar_bytes;
