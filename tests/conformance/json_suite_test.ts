// Every file of nst/JSONTestSuite: `y_` must be accepted, `n_` refused, `i_` either.
import { assert, assertEquals } from "@std/assert";
import { json } from "../../src/proto/codec/json.ts";
import { RemoteProtocolError } from "../../src/proto/errors.ts";
import { sharedData } from "../support/shared_data.ts";

const folder = sharedData("json/test_parsing/");

interface Case {
  name: string;
  bytes: Uint8Array;
}

function cases(prefix: string): Case[] {
  return [...Deno.readDirSync(folder!)]
    .filter(({ name }) => name.startsWith(prefix))
    .map(({ name }) => ({
      name,
      bytes: Deno.readFileSync(new URL(encodeURIComponent(name), folder)),
    }));
}

/** The decoded value, or undefined (which is no JSON) if it was refused. */
function decode({ name, bytes }: Case): unknown {
  try {
    return json().decode(bytes);
  } catch (error) {
    assert(error instanceof RemoteProtocolError, `${name}: ${error}`);
    assert(error.recoverable, name);
    return undefined;
  }
}

Deno.test({
  name: "json() accepts all of JSONTestSuite that is JSON",
  ignore: folder === undefined,
  fn() {
    const accepted = cases("y_");
    assertEquals(accepted.length, 95);
    for (const item of accepted) {
      const text = new TextDecoder().decode(item.bytes);
      assertEquals(decode(item), JSON.parse(text), item.name);
    }
  },
});

Deno.test({
  name: "json() refuses all of JSONTestSuite that is not JSON",
  ignore: folder === undefined,
  fn() {
    const refused = cases("n_");
    assertEquals(refused.length, 188);
    for (const item of refused) {
      assertEquals(decode(item), undefined, item.name);
    }
  },
});

Deno.test({
  name: "json() accepts or refuses what JSONTestSuite leaves open",
  ignore: folder === undefined,
  fn() {
    const open = cases("i_");
    assertEquals(open.length, 35);
    for (const item of open) decode(item);
  },
});
