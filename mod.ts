/**
 * Portolan: TCP, TLS, Unix and in-memory services with framing, back-pressure, limits, groups and drains done right.
 *
 * A server is endpoints, a wire (framing and codec) and a handler; a client is the mirror.
 *
 * ```ts
 * import { connect, inOrder, json, lengthPrefixed, serve } from "./mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lengthPrefixed(json<{ say: string }>());
 * await using server = await serve({
 *   listen: ["tcp://127.0.0.1:0", "memory:example"],
 *   wire,
 *   handler: {
 *     message: (peer, { say }) => peer.send({ say: say.toUpperCase() }),
 *   },
 * });
 * await using client = await connect({
 *   to: server.endpoint,
 *   wire,
 *   correlate: inOrder(),
 * });
 * assertEquals(await client.request({ say: "ahoy" }), { say: "AHOY" });
 * ```
 *
 * @module
 */
export * from "./src/bytes/mod.ts";
export * from "./src/proto/mod.ts";
export * from "./src/io/mod.ts";
export * from "./src/security/mod.ts";
export * from "./src/server/mod.ts";
export * from "./src/client/mod.ts";
export * from "./src/proxy/mod.ts";
export * from "./src/transfer/mod.ts";
export * from "./src/sim/mod.ts";
export * from "./src/observe/mod.ts";
export * from "./src/cli/mod.ts";
