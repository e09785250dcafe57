//! Tests that share one devnet.

#[path = "devnet/calldata.rs"]
mod calldata;
#[path = "devnet/command_line.rs"]
mod command_line;
#[path = "devnet/http.rs"]
mod http;
#[path = "devnet/readme.rs"]
mod readme;
#[path = "devnet/verify.rs"]
mod verify;
#[path = "devnet/wallet.rs"]
mod wallet;

use std::sync::OnceLock;

use hypha_e2e::{Devnet, User, output};
use hypha_protocol::contracts::{Resource, Transfer};
use hypha_protocol::ids::output_resource;
use hypha_protocol::signing::transfer_hash;

/// The devnet of this binary.
fn devnet() -> &'static Devnet {
    static DEVNET: OnceLock<Devnet> = OnceLock::new();
    DEVNET.get_or_init(|| Devnet::start("shared"))
}

/// A finalized transfer: alice moved 30 of a note of 100 from the first spoke to bob on the second, with change back.
struct Moved {
    alice: User,
    bob: User,
    /// Id of the transfer.
    id: String,
    /// The transfer itself.
    transfer: Transfer,
    /// The note that was spent.
    spent: Resource,
    /// The notes that it created: bob's, and the change.
    created: Vec<Resource>,
}

/// The same for all tests of this binary.
fn moved() -> &'static Moved {
    static MOVED: OnceLock<Moved> = OnceLock::new();
    MOVED.get_or_init(|| {
        let devnet = devnet();
        let (alice, bob) = (User::named("alice"), User::named("bob"));
        let (here, there) = (devnet.spokes()[0].id, devnet.spokes()[1].id);
        let issue = User::named("issuer").issue(&devnet.domain(), "gold", alice.address, here, 100);
        let kind = issue.resource.kind;
        devnet.api.finalized(&devnet.issue(&issue));
        let outputs = vec![output(there, bob.address, kind, 30), output(here, alice.address, kind, 70)];
        let transfer = User::transfer(&devnet.domain(), &[&alice], vec![issue.resource.clone()], outputs);
        let id = devnet.transfer(&transfer);
        devnet.api.finalized(&id);
        let hash = transfer_hash(&transfer);
        let created =
            transfer.outputs.iter().enumerate().map(|(i, one)| output_resource(hash, i, one)).collect();
        Moved { alice, bob, id, transfer, spent: issue.resource, created }
    })
}
