/** How a client tells which message answers which request. */
export interface Correlation<In, Out> {
  /**
   * Whether requests with equal keys are answered in the order in which they were sent. The answer to a request that
   * was given up on is then still waited for, and passed over.
   */
  readonly ordered: boolean;
  /** What the answer to `request` will be known by. */
  request(request: Out): unknown;
  /** The key of the request that `message` answers; undefined if it answers none. */
  reply(message: In): unknown;
}

/**
 * For protocols that answer in order, without ids.
 *
 * @param isReply Tells answers from messages that nobody asked for. @default {() => true}
 *
 * @example Usage
 * ```ts
 * import { inOrder } from "./correlation.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const lines = inOrder<string, string>((line) => !line.startsWith("*"));
 * assertEquals(lines.reply("* news"), undefined);
 * ```
 */
export function inOrder<In, Out>(
  isReply: (message: In) => boolean = () => true,
): Correlation<In, Out> {
  return {
    ordered: true,
    request: () => 0,
    reply: (message) => isReply(message) ? 0 : undefined,
  };
}

/**
 * For protocols in which a request carries an id, unique among those in flight, and its answer the same one.
 *
 * @param request The field of a request that holds the id.
 * @param reply The field of an answer that holds it. @default {request}
 *
 * @example Usage
 * ```ts
 * import { byKey } from "./correlation.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const ids = byKey<{ id?: number }, { id: number }>("id");
 * assertEquals(ids.request({ id: 7 }), ids.reply({ id: 7 }));
 * ```
 */
export function byKey<In extends object, Out extends object>(
  request: string & keyof Out,
  reply: string = request,
): Correlation<In, Out> {
  return {
    ordered: false,
    request: (message) => message[request],
    reply: (message) => (message as Record<string, unknown>)[reply],
  };
}
