import type { Wire } from "../proto/framing/framing.ts";
import { Negotiated } from "../proto/hello.ts";
import type { RoadMessages } from "./transport.ts";

/** What the messages of `wire` are to a road that carries messages; a hello needs a stream of bytes. */
export function roadMessages<In, Out>(
  wire: Wire<In, Out> | Negotiated<In, Out>,
): RoadMessages | undefined {
  if (wire instanceof Negotiated) return undefined;
  const { codec: { text }, framing: { maxFrameBytes } } = wire;
  return { text, maxBytes: maxFrameBytes };
}
