//! From flags to a connection: which cluster, as whom, in which namespace.

pub mod address;
pub mod client;
pub mod credential_plugin;
pub mod env;
pub mod kubeconfig;
pub mod namespaces;
mod proxy;
pub mod token_file;
pub mod trace;
mod transport;
