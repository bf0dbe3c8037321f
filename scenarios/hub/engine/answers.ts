/**
 * A client gets its answers in the order of its requests, even if one of them
 * has to wait for other hubs. As long as none waits, an answer is simply sent.
 *
 * @module
 */

import type { ErrorCode, FromHub } from "../messages.ts";

/** Somebody who is answered. */
export interface Answered {
  readonly state: {
    /** Answers from the first that waits on. */
    owed: Owed | undefined;
  };
  send(message: FromHub): boolean;
}

/** The place of an answer; the message is set once it is known. */
interface Place {
  message: FromHub | undefined;
}

/** Answers that wait for the first of them. */
export class Owed {
  readonly places: Place[] = [];
  settled: PromiseWithResolvers<void> | undefined;
}

/** Answers a request, after those before it. */
export function answer(peer: Answered, message: FromHub): void {
  const { owed } = peer.state;
  if (owed === undefined) peer.send(message);
  else owed.places.push({ message });
}

/** Keeps the place of an answer that is not known yet; call the function with it. */
export function reserve(peer: Answered): (message: FromHub) => void {
  const owed = peer.state.owed ??= new Owed();
  const place: Place = { message: undefined };
  owed.places.push(place);
  return (message) => {
    place.message = message;
    pay(peer, owed);
  };
}

function pay(peer: Answered, owed: Owed): void {
  const { places } = owed;
  for (;;) {
    const message = places[0]?.message;
    if (message === undefined) break;
    places.shift();
    try {
      peer.send(message);
    } catch {
      peer.send({
        type: "error",
        code: "frame_too_large",
        message: "the answer does not fit into a frame",
      });
    }
  }
  if (places.length > 0) return;
  peer.state.owed = undefined;
  owed.settled?.resolve();
}

/** Resolves once no answer is owed; nothing if none is. */
export function settled(peer: Answered): Promise<void> | undefined {
  const { owed } = peer.state;
  if (owed === undefined) return undefined;
  owed.settled ??= Promise.withResolvers();
  return owed.settled.promise;
}

/** Answers with an error. */
export function refuse(
  peer: Answered,
  code: ErrorCode,
  message: string,
): void {
  answer(peer, { type: "error", code, message });
}

/** Answers that a field is missing. */
export function missing(peer: Answered, field: string): void {
  refuse(peer, "invalid_message", `the field "${field}" is missing or wrong`);
}
