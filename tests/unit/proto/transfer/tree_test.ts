import { assertEquals } from "@std/assert";
import {
  leafCount,
  leafHash,
  leafLength,
  TreeHash,
} from "../../../../src/proto/transfer/tree.ts";
import { sha256 } from "../../../../src/transfer/sha256.ts";
import { hex } from "../../../support/three_ways.ts";

/** The leaves and roots that implementations of Certificate Transparency test with. */
const LEAVES = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
];
const ROOTS = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

Deno.test("TreeHash has the roots of Certificate Transparency", () => {
  const tree = new TreeHash(sha256);
  assertEquals(tree.root().toHex(), sha256().toHex());
  for (const [at, leaf] of LEAVES.entries()) {
    tree.push(leafHash(sha256, hex(leaf)));
    assertEquals(tree.root().toHex(), ROOTS[at], `${at + 1} leaves`);
  }
});

Deno.test("TreeHash has the root that the definition of RFC 9162 gives", () => {
  const leaves: Uint8Array[] = [];
  const tree = new TreeHash(sha256);
  for (let count = 1; count <= 130; count++) {
    const hash = leafHash(sha256, Uint8Array.of(count));
    leaves.push(hash);
    tree.push(hash);
    assertEquals(tree.root(), definedRoot(leaves));
  }
});

function definedRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leaves[0]!;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(
    Uint8Array.of(1),
    definedRoot(leaves.slice(0, split)),
    definedRoot(leaves.slice(split)),
  );
}

Deno.test("leafCount() and leafLength() cut files into leaves of 256 KiB", () => {
  const cut = (size: number) =>
    Array.from({ length: leafCount(size) }, (_, i) => leafLength(size, i));
  assertEquals(cut(0), []);
  assertEquals(cut(1), [1]);
  assertEquals(cut(262_144), [262_144]);
  assertEquals(cut(262_145), [262_144, 1]);
  assertEquals(leafCount(2 ** 50), 2 ** 32);
});
