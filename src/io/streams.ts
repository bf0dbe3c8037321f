import type { Peer } from "./peer.ts";

/** The messages of `peer` as a web stream; it ends when the connection does. */
export function readableOf<In, Out, State>(
  peer: Peer<In, Out, State>,
): ReadableStream<In> {
  return new ReadableStream<In>({
    async pull(controller) {
      const message = await peer.receive();
      if (message === undefined) controller.close();
      else controller.enqueue(message);
    },
    cancel: () => peer.close("the readable stream was cancelled"),
  }, { highWaterMark: 0 });
}

/** A web stream that sends to `peer` and waits while it is slow. */
export function writableOf<In, Out, State>(
  peer: Peer<In, Out, State>,
): WritableStream<Out> {
  return new WritableStream<Out>({
    async write(message) {
      if (!peer.send(message)) await peer.drained();
    },
    close: () => peer.close(),
    abort: () => peer.abort("the writable stream was aborted"),
  });
}
