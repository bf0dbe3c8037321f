import type { Connection } from "../io/connection.ts";
import type { Wire } from "../proto/framing/framing.ts";
import type { Feed } from "../io/connection_host.ts";
import type { Batch } from "./batch.ts";
import type { GroupOptions } from "./group.ts";

/** One encoded message that waits for a slow member; `bytes` is undefined once a later one has replaced it. */
interface Waiting {
  bytes: Uint8Array | undefined;
  key: unknown;
}

/** What a member needs of its group. */
export interface MemberGroup<In, Out, State> {
  /** Its options, completed. */
  readonly options: Required<Omit<GroupOptions<Out>, "key" | "gap">>;
  /** Encodes the notice of a gap; undefined if members are not told. */
  readonly notice:
    | ((member: Member<In, Out, State>, missed: number) => Uint8Array)
    | undefined;
  /** Hands `member` all that was broadcast up to now. */
  settle(member: Member<In, Out, State>): void;
  /** The member began to lag, or has caught up. */
  lags(member: Member<In, Out, State>, lags: boolean): void;
  /** The member's connection is ending. */
  remove(member: Member<In, Out, State>): void;
}

/** One connection in one group: where it stands, and what waits for it while it is slow. */
export class Member<In, Out, State> implements Feed {
  readonly connection: Connection<In, Out, State>;
  /** What it is told things in. */
  readonly wire: Wire<In, Out>;
  /** The first batch that it has not had. */
  sequence: number;
  /** How many messages of that batch it has had. */
  taken: number;
  readonly #group: MemberGroup<In, Out, State>;
  #waiting: Waiting[] = [];
  /** Index of the first in `#waiting`. */
  #head = 0;
  #waitingBytes = 0;
  #byKey: Map<unknown, Waiting> | undefined;
  #missed = 0;
  /** It was cut off; nothing more is for it. */
  #isOut = false;

  constructor(
    group: MemberGroup<In, Out, State>,
    connection: Connection<In, Out, State>,
    wire: Wire<In, Out>,
    from: { sequence: number; count: number },
  ) {
    this.#group = group;
    this.connection = connection;
    this.wire = wire;
    this.sequence = from.sequence;
    this.taken = from.count;
  }

  /** Whether a message of average size would be dropped. */
  get isFull(): boolean {
    return this.#waitingBytes >= this.#group.options.maxWaitingBytes;
  }

  get #lags(): boolean {
    return this.#head < this.#waiting.length;
  }

  /** Takes the messages of `batch` from `taken` to `to`. */
  take(batch: Batch<Out>, to: number): void {
    const { connection } = this;
    const encoding = batch.encoding(this.wire);
    if (encoding === undefined) return;
    batch.forEachRun(connection, this.taken, to, (from, to) => {
      const run = encoding.bytes(from, to);
      if (this.#keepsUp && run.length <= connection.roomBytes) {
        return connection.share(run, to - from);
      }
      for (let index = from; index < to; index++) {
        const bytes = encoding.bytes(index, index + 1);
        if (this.#keepsUp) connection.share(bytes, 1);
        else this.#wait(bytes, batch.key(index));
      }
    });
    this.taken = to;
  }

  get #keepsUp(): boolean {
    return !this.#lags && !this.connection.isSlow;
  }

  #wait(bytes: Uint8Array, key: unknown): void {
    if (this.#isOut) return;
    const { slow, maxWaitingBytes } = this.#group.options;
    const isOver = this.#waitingBytes + bytes.length > maxWaitingBytes;
    if (isOver && slow === "drop newest") {
      this.#missed++;
      return;
    }
    if (isOver && (slow === "close" || slow === "wait")) {
      this.#isOut = true;
      this.connection.cutOff(
        "maxWaitingBytes",
        `${this.#waitingBytes} bytes wait for a slow member, ${maxWaitingBytes} allowed`,
      );
      return;
    }
    if (!this.#lags) this.#group.lags(this, true);
    const waiting: Waiting = { bytes, key };
    this.#waiting.push(waiting);
    this.#waitingBytes += bytes.length;
    if (slow === "coalesce" && key !== undefined) {
      this.#byKey ??= new Map();
      const replaced = this.#byKey.get(key);
      if (replaced !== undefined) this.#forget(replaced);
      this.#byKey.set(key, waiting);
    }
    while (this.#waitingBytes > maxWaitingBytes) this.#dropOldest();
  }

  #forget(waiting: Waiting): number {
    const length = waiting.bytes?.length ?? 0;
    this.#waitingBytes -= length;
    waiting.bytes = undefined;
    return length;
  }

  #next(): Waiting {
    const waiting = this.#waiting[this.#head++]!;
    if (this.#byKey?.get(waiting.key) === waiting) {
      this.#byKey.delete(waiting.key);
    }
    if (this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return waiting;
  }

  #dropOldest(): void {
    if (this.#forget(this.#next()) > 0) this.#missed++;
  }

  settle(): void {
    this.#group.settle(this);
  }

  resume(): void {
    if (!this.#lags) return;
    const newestAreMissing = this.#group.options.slow === "drop newest";
    while (this.#lags && !this.connection.isSlow) {
      if (!newestAreMissing) this.#tellGap();
      const { bytes } = this.#next();
      if (bytes === undefined) continue;
      this.#waitingBytes -= bytes.length;
      this.connection.share(bytes, 1);
    }
    if (this.#lags) return;
    this.#tellGap();
    this.#group.lags(this, false);
  }

  #tellGap(): void {
    if (this.#missed === 0) return;
    const notice = this.#group.notice?.(this, this.#missed);
    // Shared, not sent: what was broadcast in this turn comes after the gap.
    if (notice !== undefined) this.connection.share(notice, 1);
    this.#countGap();
  }

  #countGap(): void {
    if (this.#missed === 0) return;
    const count = this.#missed;
    this.#missed = 0;
    this.connection.missed(this.#group.options.name, count);
  }

  leave(): void {
    this.#countGap();
    this.#group.remove(this);
  }
}
