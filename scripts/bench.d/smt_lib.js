// What test/gas/SmtLib.t.sol deploys, out of the pinned npm packages: smt_lib.js FILE
//
// SmtLib comes as its authors compiled it (@iden3/contracts, GPL-3.0), Poseidon from poseidon-solidity (MIT), the cheapest
// there is. Both are read where they are measured, and are part of nothing that is deployed.
'use strict';

const fs = require('fs');

const MODULES = `${__dirname}/../toolchain/node_modules`;
const SOURCE = 'project/contracts/lib/Poseidon.sol';
// Where the test puts what SmtLib is linked with.
const LINKED = {
  PoseidonUnit2L: '5000000000000000000000000000000000000002',
  PoseidonUnit3L: '5000000000000000000000000000000000000003',
};

function link(artifact) {
  let code = artifact.deployedBytecode.slice(2);
  const references = artifact.deployedLinkReferences[SOURCE];
  for (const [name, address] of Object.entries(LINKED)) {
    for (const { start, length } of references[name]) {
      code = code.slice(0, 2 * start) + address + code.slice(2 * (start + length));
    }
  }
  return `0x${code}`;
}

const { PoseidonT3, PoseidonT4 } = require(`${MODULES}/poseidon-solidity`);
const smtLib = link(require(`${MODULES}/@iden3/contracts/build/contracts/SmtLib.json`));
const written = { smtLib, poseidonOfTwo: PoseidonT3.bytecode, poseidonOfThree: PoseidonT4.bytecode };
fs.writeFileSync(process.argv[2], JSON.stringify(written));
