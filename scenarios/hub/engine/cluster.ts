/**
 * How hubs that share a backplane act as one, without sockets and clocks: who
 * is there, what each asks the others, and what was missed.
 *
 * @module
 */

import {
  type ClaimMessage,
  Claims,
  type ClaimsHost,
  type Verdict,
} from "./claims.ts";
import type { FromHub } from "../messages.ts";

/** What one hub has the others do for it; those with a `message` are counted, so that a gap is noticed. */
export type Task =
  | { task: "everyone"; message: FromHub }
  | { task: "room"; room: string; message: FromHub }
  | { task: "direct"; to: string; message: FromHub }
  | { task: "members"; room: string }
  | { task: "stats" }
  | { task: "list" };

/** What hubs say to each other. */
type Message =
  & { from: string }
  & (
    /** Tasks of one turn; `number` is the first message's, or the next one's if there is none. */
    | { type: "batch"; id: number; number: number; tasks: Task[] }
    | { type: "answers"; id: number; answers: unknown[] }
    | { type: "bye" }
    | ClaimMessage
  );

/** The ways to the other hubs. What is sent may get lost, late or there twice. */
export interface ClusterLink {
  /** Sends to all other hubs. */
  publish(text: string): void;
  /** Sends to one hub. */
  send(hub: string, text: string): void;
  /** Has {@linkcode Cluster.flush} called at the end of this turn. */
  schedule(): void;
  /** A hub has come, or is missing. */
  changed?(hub: string, isThere: boolean): void;
}

/** The hub itself, as the others' tasks need it. */
export interface ClusterMember {
  /** Does what another hub asks; the answer is JSON. */
  perform(task: Task): unknown;
  /** A name that a client had is somebody else's. */
  lose(key: string): void;
  /** Messages of other hubs were missed. */
  gap(missed: number): void;
}

/** Another hub. */
interface Other {
  heardMs: number;
  /** The number of its next message; unknown until it has been heard. */
  next: number | undefined;
  isThere: boolean;
  /** It has said goodbye; what comes late is not listened to. */
  hasLeft: boolean;
  /** It has answered what it was last asked, so waiting for it makes sense. */
  answers: boolean;
}

type Done = (answers: unknown[], partial: boolean) => void;

/** Tasks that were published together, and what came back. */
interface Batch {
  readonly sinceMs: number;
  readonly waiting: Set<string>;
  readonly asked: readonly Done[];
  readonly answers: unknown[][];
  partial: boolean;
}

/** How often {@linkcode Cluster.tick} wants to be called. */
export const TICK_MS = 50;
/** The most that a tick counts for, however late it comes. */
const MAX_TICK_MS = 2 * TICK_MS;
/** How long a starting hub listens for the others before it takes clients. */
export const JOIN_MS = 250;
const ANSWER_MS = 250;
const HEARTBEAT_MS = 500;
const MISSING_MS = 2000;
/** How long the numbers of a missing hub are remembered. */
const FORGET_MS = 24 * 3600 * 1000;
/** A batch is published early beyond this length, below the megabyte that a NATS server takes. */
const MAX_BATCH = 256 * 1024;

/** One hub's view of all of them. */
export class Cluster {
  /** This hub among the others. */
  readonly id: string;
  readonly #link: ClusterLink;
  readonly #claims: Claims;
  readonly #others = new Map<string, Other>();
  readonly #batches = new Map<number, Batch>();
  #member: ClusterMember | undefined;
  #joined = false;
  #lastBatch = 0;
  #lastTickMs: number | undefined;
  /** Time in which this program ran: while it was stopped it heard nobody, and cannot tell who is missing. */
  #ranMs = 0;
  #lastBeatMs = -Infinity;
  /** Messages published so far. */
  #said = 0;
  /** Of the batch of this turn: its tasks as JSON, their length, how many are messages, who waits for answers. */
  #tasks: string[] = [];
  #length = 0;
  #saying = 0;
  #asked: Done[] = [];

  constructor(id: string, link: ClusterLink) {
    this.id = id;
    this.#link = link;
    const host: ClaimsHost = {
      id,
      hubs: () => this.#there(),
      send: (hub, message) =>
        link.send(hub, JSON.stringify({ from: id, ...message })),
      lose: (key) => this.#member?.lose(key),
    };
    this.#claims = new Claims(host);
  }

  /** How many hubs there are, with this one. */
  get size(): number {
    return 1 + Array.from(this.#there()).length;
  }

  /** Names the hub that does what others ask. */
  attach(member: ClusterMember): void {
    this.#member = member;
  }

  /** The others have had the time to make themselves known. */
  joined(): void {
    this.#joined = true;
  }

  /** Has all other hubs do something; `done` gets their answers, and whether some hub's is missing. */
  ask(task: Task, done: Done): void {
    const text = JSON.stringify(task);
    if (this.#length + text.length > MAX_BATCH) this.flush();
    if (this.#tasks.length === 0) this.#link.schedule();
    this.#tasks.push(text);
    this.#length += text.length;
    if ("message" in task) this.#saying++;
    this.#asked.push(done);
  }

  /** Publishes the tasks of this turn. */
  flush(): void {
    if (this.#tasks.length === 0) return;
    const id = ++this.#lastBatch;
    const batch: Batch = {
      sinceMs: this.#ranMs,
      waiting: new Set(),
      asked: this.#asked,
      answers: this.#asked.map(() => []),
      partial: false,
    };
    for (const hub of this.#there()) {
      if (this.#others.get(hub)!.answers) batch.waiting.add(hub);
      else batch.partial = true;
    }
    this.#batches.set(id, batch);
    this.#publish(id, this.#tasks.join(","));
    this.#said += this.#saying;
    this.#tasks = [];
    this.#asked = [];
    this.#length = this.#saying = 0;
    this.#lastBeatMs = this.#ranMs;
    this.#finish(id, batch);
  }

  /** Asks for a name that is free on all hubs; `wallMs` is the time since 1970. */
  claim(key: string, wallMs: number): Promise<Verdict> {
    return this.#claims.claim(key, wallMs);
  }

  /** Frees a name. */
  release(key: string): void {
    this.#claims.release(key);
  }

  /** Something has come over the backplane; what is no message of a hub is passed over. */
  receive(text: string): void {
    const message = parse(text);
    if (message === undefined || message.from === this.id) return;
    const { from } = message;
    const known = this.#others.get(from);
    if (known?.hasLeft === true) return;
    if (message.type === "bye") {
      this.#disappears(from);
      if (known !== undefined) known.hasLeft = true;
      return;
    }
    const other = this.#hear(from);
    if (message.type === "batch") this.#perform(other, message);
    else if (message.type === "answers") this.#collect(message);
    else this.#claims.receive(from, message);
  }

  /** Lets time pass up to `nowMs`, which never goes back: heartbeats, hubs that are missing, answers that do not come. */
  tick(nowMs: number): void {
    const passedMs = nowMs - (this.#lastTickMs ?? nowMs);
    this.#ranMs += Math.min(passedMs, MAX_TICK_MS);
    this.#lastTickMs = nowMs;
    if (this.#ranMs - this.#lastBeatMs >= HEARTBEAT_MS) this.#beat();
    for (const [hub, other] of this.#others) {
      const silentMs = this.#ranMs - other.heardMs;
      if (silentMs > FORGET_MS) this.#others.delete(hub);
      else if (other.isThere && silentMs > MISSING_MS) this.#disappears(hub);
    }
    for (const [id, batch] of this.#batches) {
      if (this.#ranMs - batch.sinceMs < ANSWER_MS) break;
      for (const hub of batch.waiting) this.#others.get(hub)!.answers = false;
      batch.partial = true;
      batch.waiting.clear();
      this.#finish(id, batch);
    }
    this.#claims.tick();
  }

  /** Tells the others that this hub ends. */
  leave(): void {
    this.#link.publish(JSON.stringify({ from: this.id, type: "bye" }));
  }

  *#there(): Iterable<string> {
    for (const [hub, { isThere }] of this.#others) if (isThere) yield hub;
  }

  #publish(id: number, tasks: string): void {
    this.#link.publish(
      `{"from":"${this.id}","type":"batch","id":${id},` +
        `"number":${this.#said},"tasks":[${tasks}]}`,
    );
  }

  /** An empty batch says that this hub lives, and what it has said. */
  #beat(): void {
    this.#lastBeatMs = this.#ranMs;
    this.#publish(0, "");
  }

  #hear(from: string): Other {
    let other = this.#others.get(from);
    if (other === undefined) {
      // Who was here before it has missed all that it has said already.
      const next = this.#joined ? 0 : undefined;
      other = {
        heardMs: this.#ranMs,
        next,
        isThere: false,
        hasLeft: false,
        answers: true,
      };
      this.#others.set(from, other);
    }
    other.heardMs = this.#ranMs;
    if (!other.isThere) {
      other.isThere = other.answers = true;
      this.#link.changed?.(from, true);
      this.#beat();
      this.#claims.appeared(from);
    }
    return other;
  }

  #disappears(hub: string): void {
    const other = this.#others.get(hub);
    if (other?.isThere !== true) return;
    other.isThere = false;
    this.#link.changed?.(hub, false);
    for (const [id, batch] of this.#batches) {
      if (batch.waiting.delete(hub)) this.#finish(id, batch);
    }
    this.#claims.disappeared(hub);
  }

  #perform(
    other: Other,
    { from, id, number, tasks }: Message & { type: "batch" },
  ): void {
    other.next ??= number;
    // What comes twice, or so late that it was told as missed.
    if (number < other.next) return;
    if (number > other.next) this.#member?.gap(number - other.next);
    other.next = number + tasks.filter((task) => "message" in task).length;
    if (tasks.length === 0) return;
    const answers = tasks.map((task) => {
      try {
        return this.#member?.perform(task);
      } catch {
        // What cannot be passed on here, such as a message above our limit, reaches nobody here.
        return null;
      }
    });
    const answer = { from: this.id, type: "answers", id, answers };
    this.#link.send(from, JSON.stringify(answer));
  }

  #collect({ from, id, answers }: Message & { type: "answers" }): void {
    this.#others.get(from)!.answers = true;
    const batch = this.#batches.get(id);
    if (batch?.waiting.delete(from) !== true) return;
    for (const [index, collected] of batch.answers.entries()) {
      const answer = answers[index] ?? undefined;
      if (answer !== undefined) collected.push(answer);
    }
    this.#finish(id, batch);
  }

  #finish(id: number, batch: Batch): void {
    if (batch.waiting.size > 0) return;
    this.#batches.delete(id);
    for (const [index, done] of batch.asked.entries()) {
      done(batch.answers[index]!, batch.partial);
    }
  }
}

/** A message of a hub; nothing if it is something else. */
function parse(text: string): Message | undefined {
  try {
    const message = JSON.parse(text);
    return typeof message?.from === "string" ? message : undefined;
  } catch {
    return undefined;
  }
}
