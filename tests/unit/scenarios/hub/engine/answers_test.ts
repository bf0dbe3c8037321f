import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  answer,
  type Answered,
  missing,
  refuse,
  reserve,
  settled,
} from "../../../../../scenarios/hub/engine/answers.ts";
import type { FromHub } from "../../../../../scenarios/hub/messages.ts";

class FakePeer implements Answered {
  readonly state: Answered["state"] = { owed: undefined };
  readonly heard: string[] = [];

  send(message: FromHub): boolean {
    if (message.type === "too large") throw new RangeError("Cannot encode");
    this.heard.push("code" in message ? String(message.code) : message.type);
    return true;
  }
}

Deno.test("answer() sends at once when nothing is owed", () => {
  const peer = new FakePeer();
  answer(peer, { type: "a" });
  refuse(peer, "not_in_room", "…");
  missing(peer, "name");
  assertEquals(peer.heard, ["a", "not_in_room", "invalid_message"]);
  assertStrictEquals(peer.state.owed, undefined);
  assertStrictEquals(settled(peer), undefined);
});

Deno.test("answer() waits for the answers that were reserved before it", async () => {
  const peer = new FakePeer();
  const first = reserve(peer);
  answer(peer, { type: "b" });
  const third = reserve(peer);
  answer(peer, { type: "d" });
  const all = settled(peer);
  third({ type: "c" });
  assertEquals(peer.heard, []);
  first({ type: "a" });
  assertEquals(peer.heard, ["a", "b", "c", "d"]);
  await all;
  assertStrictEquals(peer.state.owed, undefined);
});

Deno.test("reserve() sends an error in place of an answer that is too large", () => {
  const peer = new FakePeer();
  const first = reserve(peer);
  answer(peer, { type: "b" });
  first({ type: "too large" });
  assertEquals(peer.heard, ["frame_too_large", "b"]);
});
