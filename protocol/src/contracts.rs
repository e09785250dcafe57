//! Bindings of every public name in `contracts/interfaces/IHypha.sol`, made from that file, so that nothing is copied
//! by hand. Each interface is a module; functions that share a name are numbered in the order of the file
//! (`isNullifierSpent_0` with a proof, `isNullifierSpent_1` from the cache).

// The documentation of these names is in the Solidity file.
#![allow(missing_docs)]

alloy::sol!(
    #![sol(all_derives)]
    "../contracts/interfaces/IHypha.sol"
);
