//! One file a command.

pub(crate) mod admin;
pub(crate) mod deploy;
pub(crate) mod escape;
pub(crate) mod issue;
pub(crate) mod key;
pub(crate) mod prove;
pub(crate) mod resources;
pub(crate) mod service;
pub(crate) mod status;
pub(crate) mod submit;
pub(crate) mod transfer;
pub(crate) mod verify;
pub(crate) mod verify_deployment;
pub(crate) mod watch;
