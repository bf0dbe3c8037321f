import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { byKey, inOrder } from "../../../src/client/correlation.ts";
import { Requests, RequestTimeoutError } from "../../../src/client/requests.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";

interface Message {
  id: number;
  text?: string;
}

const quiet = (): string => "";

function byId(): { requests: Requests<Message, Message>; clock: VirtualClock } {
  const clock = new VirtualClock();
  return { requests: new Requests(byKey("id"), clock), clock };
}

Deno.test("Requests gives each answer to its own request, in any order", async () => {
  const { requests, clock } = byId();
  const answers = [1, 2, 3].map((id) => requests.wait({ id }, {}, quiet));
  for (const id of [3, 1, 2]) {
    assertEquals(requests.answer({ id, text: `answer ${id}` }), true);
  }
  assertEquals(
    (await Promise.all(answers)).map(({ text }) => text),
    ["answer 1", "answer 2", "answer 3"],
  );
  assertEquals(clock.armed, 0);
});

Deno.test("Requests gives answers of one id in the order of the requests", async () => {
  const { requests } = byId();
  const first = requests.wait({ id: 1 }, {}, quiet);
  const second = requests.wait({ id: 1 }, {}, quiet);
  requests.answer({ id: 1, text: "a" });
  requests.answer({ id: 1, text: "b" });
  assertEquals([(await first).text, (await second).text], ["a", "b"]);
});

Deno.test("Requests gives up when time is up, and passes over a late answer by id", async () => {
  const { requests, clock } = byId();
  const answer = requests.wait({ id: 1 }, { timeoutMs: 500 }, () => ", alas");
  const rejected = assertRejects(
    () => answer,
    RequestTimeoutError,
    "Cannot get an answer: none came within 500 ms, alas",
  );
  await clock.advance(501);
  assertEquals((await rejected).timeoutMs, 500);
  assertEquals(requests.answer({ id: 1 }), true);
  const next = requests.wait({ id: 1 }, {}, quiet);
  requests.answer({ id: 1, text: "fresh" });
  assertEquals((await next).text, "fresh");
});

Deno.test("Requests in order waits for the answer to a request that was given up on", async () => {
  const clock = new VirtualClock();
  const requests = new Requests<string, string>(inOrder(), clock);
  const first = requests.wait("1", { timeoutMs: 100 }, quiet);
  const second = requests.wait("2", { timeoutMs: 1000 }, quiet);
  const rejected = assertRejects(() => first, RequestTimeoutError);
  await clock.advance(101);
  await rejected;
  assertEquals(requests.answer("late answer to 1"), true);
  assertEquals(requests.answer("answer to 2"), true);
  assertEquals(await second, "answer to 2");
  assertEquals(requests.answer("nobody asked"), false);
});

Deno.test("Requests gives up on abort, with the signal's reason, and not afterwards", async () => {
  const { requests, clock } = byId();
  const controller = new AbortController();
  const { signal } = controller;
  const answered = requests.wait({ id: 1 }, { signal }, quiet);
  requests.answer({ id: 1 });
  await answered;
  const waiting = requests.wait({ id: 2 }, { signal }, quiet);
  const reason = new Error("Not needed any more");
  const rejected = assertRejects(() => waiting);
  controller.abort(reason);
  assertStrictEquals(await rejected, reason);
  assertEquals(clock.armed, 0);
});

Deno.test("Requests.fail() rejects all that wait", async () => {
  const { requests, clock } = byId();
  const error = new Error("It is over");
  const rejected = [1, 2].map((id) =>
    assertRejects(() => requests.wait({ id }, {}, quiet), Error, "It is over")
  );
  requests.fail(error);
  await Promise.all(rejected);
  assertEquals(clock.armed, 0);
});

Deno.test("Requests leaves messages alone that answer nothing", () => {
  const requests = new Requests<{ id?: number }, { id: number }>(
    byKey("id"),
    new VirtualClock(),
  );
  assertEquals(requests.answer({}), false);
});

Deno.test("Requests may wait without an end", async () => {
  const { requests, clock } = byId();
  const answer = requests.wait({ id: 1 }, { timeoutMs: Infinity }, quiet);
  await clock.advance(100_000_000);
  requests.answer({ id: 1, text: "at last" });
  assertEquals((await answer).text, "at last");
});
