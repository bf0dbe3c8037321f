import type { Peer } from "../io/peer.ts";
import { sourceNetwork } from "../proto/address.ts";

/** Tells the address of a peer as a trusted proxy has told it; undefined where none has. */
export type SourceOf<In, Out> = (
  peer: Peer<In, Out, unknown>,
) => string | undefined;

/** The network that limits count a peer under: what a trusted proxy tells, else its own, else its endpoint. */
export function networkOf(
  { address, endpoint }: {
    readonly address: string;
    readonly endpoint: string;
  },
  told?: string,
): string {
  if (told !== undefined) return sourceNetwork(told);
  // Peers of a Unix socket or of this process have no address: `unix#4`.
  const host = /^\[(.+)\]:\d+$|^([^#]+):\d+$/.exec(address);
  const found = host?.[1] ?? host?.[2];
  return found === undefined ? endpoint : sourceNetwork(found);
}
