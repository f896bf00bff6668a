//! From flags to a connection: which cluster, as whom, in which namespace.

pub mod address;
pub mod client;
pub mod credential_plugin;
pub mod kubeconfig;
pub mod namespaces;
pub mod setting;
pub mod token_file;
pub mod trace;
