//! Every transaction that moved a root in this devnet so far, altered by one byte.

use hypha_e2e::{User, calldata, output};

use super::{devnet, moved};

#[test]
fn altered_calldata_is_refused_or_the_same_call() {
    let devnet = devnet();
    moved();
    swap_of_two_owners_and_kinds();
    let sweep = calldata::sweep(devnet);
    println!("{sweep:?}");
    assert!(sweep.batches >= 4 && sweep.transactions > sweep.batches, "{sweep:?}");
    assert!(sweep.refused > 10 * (sweep.same + sweep.idle), "{sweep:?}");
    assert!(sweep.altered >= 300 * sweep.transactions, "{sweep:?}");
}

/// Four batches more: issues of two kinds on two chains, and the transfer that swaps them.
fn swap_of_two_owners_and_kinds() {
    let devnet = devnet();
    let (alice, bob) = (User::named("alice"), User::named("bob"));
    let (here, there) = (devnet.spokes()[0].id, devnet.hub().id);
    let issuer = User::named("issuer");
    let notes = [(&alice, "copper", here), (&bob, "tin", there), (&bob, "copper", here)];
    let mut inputs = Vec::new();
    for (owner, label, chain) in notes {
        let issue = issuer.issue(&devnet.domain(), label, owner.address, chain, 7);
        let id = devnet.issue(&issue);
        // A batch can follow another into one block, and of a block only the first is altered.
        devnet.api.finalized(&id);
        inputs.push(issue.resource);
    }
    let (copper, tin) = (issuer.kind("copper"), issuer.kind("tin"));
    let outputs = vec![output(there, bob.address, copper, 14), output(here, alice.address, tin, 7)];
    let swap = User::transfer(&devnet.domain(), &[&alice, &bob], inputs, outputs);
    devnet.api.finalized(&devnet.transfer(&swap));
}
