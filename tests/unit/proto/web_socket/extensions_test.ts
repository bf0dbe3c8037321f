import { assertEquals, assertThrows } from "@std/assert";
import { completeDeflate } from "../../../../src/proto/web_socket/deflate.ts";
import {
  acceptDeflate,
  acceptedDeflate,
  DEFLATE_OFFER,
} from "../../../../src/proto/web_socket/extensions.ts";

const OPTIONS = completeDeflate({ windowBits: 12 });

Deno.test("acceptDeflate() takes the first offer that it can keep", () => {
  const name = "permessage-deflate";
  const cases: [offers: string, bits: number | undefined, extra?: string][] = [
    [name, 12],
    [`${name}; client_max_window_bits`, 12],
    [`${name}; client_max_window_bits=10`, 12],
    [`x-other; a=1, ${name}`, 12],
    [`${name};server_no_context_takeover;client_no_context_takeover`, 12],
    [`${name}; server_max_window_bits=15`, 12, "; server_max_window_bits=12"],
    [`${name}; server_max_window_bits="9"`, 9, "; server_max_window_bits=9"],
    [`${name}; server_max_window_bits=8`, undefined],
    [`${name}; server_max_window_bits=8, ${name}`, 12],
    [`${name}; server_max_window_bits`, undefined],
    [`${name}; server_max_window_bits=16`, undefined],
    [`${name}; server_max_window_bits=09`, undefined],
    [`${name}; client_max_window_bits=7`, undefined],
    [`${name}; server_no_context_takeover=1`, undefined],
    [`${name}; unknown`, undefined],
    ["x-webkit-deflate-frame", undefined],
  ];
  for (const [offers, windowBits, extra = ""] of cases) {
    const expected = windowBits === undefined ? undefined : {
      deflate: { ...OPTIONS, windowBits },
      answer: DEFLATE_OFFER + extra,
    };
    assertEquals(acceptDeflate(offers, OPTIONS), expected, offers);
  }
  assertEquals(acceptDeflate(undefined, OPTIONS), undefined);
});

Deno.test("acceptDeflate() refuses a malformed field", () => {
  for (
    const offers of [
      "",
      ",",
      "permessage-deflate; a; a",
      "permessage-deflate; =1",
      'permessage-deflate; a="1',
      "permessage deflate",
      "permessage-deflate;",
    ]
  ) {
    assertThrows(() => acceptDeflate(offers, OPTIONS), SyntaxError);
  }
});

Deno.test("acceptedDeflate() takes what was offered alone", () => {
  assertEquals(acceptedDeflate(undefined, OPTIONS), undefined);
  for (
    const answer of [
      DEFLATE_OFFER,
      "permessage-deflate; server_no_context_takeover",
      "permessage-deflate; server_no_context_takeover; server_max_window_bits=9",
    ]
  ) assertEquals(acceptedDeflate(answer, OPTIONS), OPTIONS);
  for (
    const answer of [
      "permessage-deflate",
      "x-other",
      `${DEFLATE_OFFER}, ${DEFLATE_OFFER}`,
      `${DEFLATE_OFFER}; client_max_window_bits=9`,
      `${DEFLATE_OFFER}; server_max_window_bits=7`,
      "permessage-deflate; server_no_context_takeover=yes",
    ]
  ) assertThrows(() => acceptedDeflate(answer, OPTIONS), SyntaxError);
  assertThrows(() => acceptedDeflate(DEFLATE_OFFER, undefined), SyntaxError);
});
