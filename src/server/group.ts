import { Connection } from "../io/connection.ts";
import type { Peer } from "../io/peer.ts";
import { nextTurn } from "../io/turn.ts";
import { encodeFrame } from "../proto/frame_writer.ts";
import type { Wire } from "../proto/framing/framing.ts";
import { Batch } from "./batch.ts";
import { Member, type MemberGroup } from "./member.ts";

/**
 * What happens to messages for a member that takes them more slowly than they come. `wait`: nothing is dropped, and the
 * sender waits for {@linkcode Group.drained}. `drop oldest`, `drop newest`: what waits longest, or comes last, is
 * dropped. `coalesce`: of several messages with one key only the last is kept, then the oldest are dropped. `close`: the
 * member is cut off. Under `wait` too a member is cut off at `maxWaitingBytes`, for a sender that does not wait.
 */
export type SlowMemberPolicy =
  | "wait"
  | "drop oldest"
  | "drop newest"
  | "coalesce"
  | "close";

/** Options of a {@linkcode Group}. */
export interface GroupOptions<Out> {
  /** Shown in events. @default {""} */
  name?: string;
  /** What to do about slow members. @default {"drop oldest"} */
  slow?: SlowMemberPolicy;
  /** Bytes that may wait for one slow member, beside what its connection buffers. @default {1_048_576} */
  maxWaitingBytes?: number;
  /** What `coalesce` keeps only the last of; a message without a key is kept like any other. */
  key?: (message: Out) => unknown;
  /** Makes the notice that tells a member how many messages it missed; without it the member is not told. */
  gap?: (missed: number) => Out;
}

/** Options of {@linkcode Group.broadcast}. */
export interface BroadcastOptions<In, Out> {
  /** A member that does not get the message, such as its sender. */
  except?: Peer<In, Out, unknown>;
}

/** Members served in one go before other connections get their turn. */
const SLICE_MEMBERS = 1024;

/**
 * Peers that are told things together. A message is encoded once for each wire that they speak:
 * roads frame differently, and a hello agrees on one; what is broadcast in one turn of the event loop reaches a member in one write, in order, and before anything that is sent to it directly afterwards. A
 * member whose connection ends leaves by itself. The members may come from several servers.
 *
 * @example Usage
 * ```ts
 * import { Group } from "./group.ts";
 * import { serve } from "./serve.ts";
 * import { connect } from "../client/connect.ts";
 * import { lines } from "../proto/framing/delimited.ts";
 * import { text } from "../proto/codec/text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lines(text());
 * const room = new Group<string>();
 * await using server = await serve({
 *   listen: "memory:room",
 *   wire,
 *   handler: {
 *     open: (peer) => room.add(peer),
 *     message: (peer, line) => room.broadcast(line, { except: peer }),
 *   },
 * });
 * await using ada = await connect({ to: server.endpoint, wire });
 * await using bob = await connect({ to: server.endpoint, wire });
 * while (room.size < 2) await new Promise((done) => setTimeout(done, 1));
 * ada.send("hello");
 * assertEquals(await bob.receive(), "hello");
 * ```
 */
export class Group<In, Out = In, State = unknown> {
  /** Shown in events. */
  readonly name: string;
  /** What the members speak, and how many do. */
  readonly #wires = new Map<Wire<In, Out>, number>();
  readonly #key: ((message: Out) => unknown) | undefined;
  readonly #inner: MemberGroup<In, Out, State>;
  readonly #members = new Map<
    Peer<In, Out, unknown>,
    Member<In, Out, State>
  >();
  readonly #lagging = new Set<Member<In, Out, State>>();
  /** What was broadcast in this turn. */
  #open = new Batch<Out>(0, 1024);
  /** What is being handed out, a slice of the members a turn. */
  #sealed: Batch<Out> | undefined;
  #scheduled = false;
  #drained: PromiseWithResolvers<void> | undefined;

  /** Makes an empty group. */
  constructor(options: GroupOptions<Out> = {}) {
    const { name = "", slow = "drop oldest", key, gap } = options;
    if (slow === "coalesce" && key === undefined) {
      throw new TypeError(
        "Cannot make a group: the policy 'coalesce' needs a function: current value of 'key' is undefined",
      );
    }
    this.name = name;
    this.#key = slow === "coalesce" ? key : undefined;
    const { maxWaitingBytes = 1 << 20 } = options;
    this.#inner = {
      options: {
        name,
        slow,
        maxWaitingBytes,
      },
      notice: gap &&
        ((member, missed) => encodeFrame(member.wire, gap(missed))),
      settle: (member) => this.#settle(member),
      lags: (member, lags) => this.#lags(member, lags),
      remove: (member) => this.delete(member.connection),
    };
  }

  /** How many members there are. */
  get size(): number {
    return this.#members.size;
  }

  /** Whether some member is slow enough that messages wait for it. */
  get isSlow(): boolean {
    return this.#lagging.size > 0;
  }

  /** The members, in the order in which they joined. */
  *[Symbol.iterator](): Iterator<Peer<In, Out, State>> {
    for (const member of this.#members.values()) yield member.connection;
  }

  /** Whether `peer` is a member. */
  has(peer: Peer<In, Out, unknown>): boolean {
    return this.#members.has(peer);
  }

  /** Makes `peer` a member from now on; does nothing if it is one or is ending. */
  add(peer: Peer<In, Out, unknown>): void {
    if (!(peer instanceof Connection)) {
      throw new TypeError(
        `Cannot add ${peer.address} to group "${this.name}": it is no connection of a server`,
      );
    }
    if (this.#members.has(peer) || peer.ending !== undefined) return;
    const { sequence, count } = this.#open;
    const { wire } = peer;
    const member = new Member(this.#inner, peer, wire, { sequence, count });
    this.#members.set(peer, member);
    this.#wires.set(wire, (this.#wires.get(wire) ?? 0) + 1);
    (peer.feeds ??= []).push(member);
  }

  /** Ends the membership of `peer`; what was broadcast before still reaches it unless it is slow. */
  delete(peer: Peer<In, Out, unknown>): void {
    const member = this.#members.get(peer);
    if (member === undefined) return;
    this.#settle(member);
    this.#members.delete(peer);
    const { connection, wire } = member;
    const others = this.#wires.get(wire)! - 1;
    if (others > 0) this.#wires.set(wire, others);
    else this.#wires.delete(wire);
    connection.feeds = connection.feeds?.filter((feed) => feed !== member);
    this.#lags(member, false);
  }

  /**
   * Queues `message` for every member.
   *
   * @returns How many members it was queued for.
   * @throws {LocalProtocolError} If the message cannot be put into the wire; nobody gets it then.
   */
  broadcast(
    message: Out,
    options: BroadcastOptions<In, Out> = {},
  ): number {
    let recipients = this.#members.size;
    const except = options.except !== undefined &&
        this.#members.has(options.except)
      ? options.except
      : undefined;
    if (except !== undefined) recipients--;
    if (recipients === 0) return 0;
    const key = this.#key?.(message);
    this.#open.append(message, this.#wires.keys(), key, except);
    this.#schedule();
    if (this.#inner.options.slow === "drop newest") {
      for (const member of this.#lagging) {
        if (member.isFull && member.connection !== except) recipients--;
      }
    }
    return recipients;
  }

  /** Resolves when no messages wait for a slow member. */
  async drained(): Promise<void> {
    while (this.isSlow) {
      this.#drained ??= Promise.withResolvers();
      await this.#drained.promise;
    }
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.#sealed === undefined) this.#seal();
    });
  }

  #seal(): void {
    this.#sealed = this.#open;
    const { sequence, byteLength } = this.#sealed;
    this.#open = new Batch(sequence + 1, Math.max(byteLength, 1024));
    this.#handOut(this.#sealed, this.#members.values());
  }

  #handOut(
    batch: Batch<Out>,
    members: Iterator<Member<In, Out, State>>,
  ): void {
    for (let count = 0; count < SLICE_MEMBERS; count++) {
      const { done, value } = members.next();
      if (done === true) {
        this.#sealed = undefined;
        if (this.#open.count > 0) this.#schedule();
        return;
      }
      this.#handTo(value, batch);
    }
    nextTurn(() => this.#handOut(batch, members));
  }

  #handTo(member: Member<In, Out, State>, sealed: Batch<Out>): void {
    if (member.sequence !== sealed.sequence) return;
    member.take(sealed, sealed.count);
    member.sequence++;
    member.taken = 0;
  }

  #settle(member: Member<In, Out, State>): void {
    if (this.#sealed !== undefined) this.#handTo(member, this.#sealed);
    if (member.taken < this.#open.count) {
      member.take(this.#open, this.#open.count);
    }
  }

  #lags(member: Member<In, Out, State>, lags: boolean): void {
    if (lags) this.#lagging.add(member);
    else this.#lagging.delete(member);
    if (this.#lagging.size > 0) return;
    this.#drained?.resolve();
    this.#drained = undefined;
  }
}
