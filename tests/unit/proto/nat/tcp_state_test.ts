import { assertEquals } from "@std/assert";
import {
  nextTcpState,
  type TcpState,
} from "../../../../src/proto/nat/tcp_state.ts";
import { TCP_FLAGS } from "../../../../src/proto/ip_packet/transport.ts";

/** The state after segments such as `"> syn"`, from the inside, and `"< syn ack"`, from the outside. */
function after(...segments: string[]): TcpState | undefined {
  let state: TcpState | undefined;
  for (const segment of segments) {
    const [from, ...names] = segment.split(" ");
    const flags = names.reduce(
      (sum, name) => sum | TCP_FLAGS[name as keyof typeof TCP_FLAGS],
      0,
    );
    state = nextTcpState(state, flags, from === ">");
  }
  return state;
}

const OPEN = ["> syn", "< syn ack", "> ack"];

Deno.test("nextTcpState() follows RFC 6146, section 3.5.2.2", () => {
  const cases: [string[], TcpState | undefined][] = [
    [["> ack"], undefined],
    [["> syn ack"], undefined],
    [["> rst"], undefined],
    [["< syn"], "syn outside"],
    [["> syn", "> syn"], "syn inside"],
    [["> syn", "< rst ack"], "syn inside"],
    [["> syn", "< syn"], "established"],
    [["< syn", "> syn ack"], "established"],
    [OPEN, "established"],
    [[...OPEN, "> fin ack"], "fin inside"],
    [[...OPEN, "< fin ack", "< ack"], "fin outside"],
    [[...OPEN, "> fin", "< fin"], "closing"],
    [[...OPEN, "> fin", "< fin", "> ack"], "closing"],
    [[...OPEN, "> fin", "< fin", "> syn"], "syn inside"],
    [[...OPEN, "< rst"], "reset"],
    [[...OPEN, "< rst", "> ack"], "established"],
    [[...OPEN, "< rst", "> rst"], "reset"],
    [[...OPEN, "> rst", "> syn"], "syn inside"],
    [[...OPEN, "> fin", "< rst"], "reset"],
  ];
  for (const [segments, state] of cases) {
    assertEquals(after(...segments), state, segments.join(", "));
  }
});
