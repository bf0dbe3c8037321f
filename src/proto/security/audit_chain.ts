/** SHA-256 of a text in UTF-8, in hexadecimal, lower case. */
export type HashText = (text: string) => string;

/** What one line of an audit log says. */
export interface AuditRecord {
  /** Number of the record; the first has 1. */
  readonly seq: number;
  /** When, in ISO 8601 and UTC. */
  readonly time: string;
  /** `hash` of the record before; zeros for the first. */
  readonly previous: string;
  /** What happened, such as `login refused`. */
  readonly event: string;
  /** SHA-256 of the line without this field. */
  readonly hash: string;
  /** What more there is to say. */
  readonly [field: string]: unknown;
}

/** Where a chain stands: its last record. */
export interface AuditHead {
  /** Number of the last record; 0 if there is none. */
  readonly seq: number;
  /** Its hash. */
  readonly hash: string;
}

/** The head of a chain that has not begun. */
export const NO_RECORD: AuditHead = { seq: 0, hash: "0".repeat(64) };

const SEALED_REGEXP = /,"hash":"([0-9a-f]{64})"\}$/;

/** The line of the next record of a chain, without a line feed, and the head that it makes. */
export function sealRecord(
  head: AuditHead,
  fields: { readonly event: string; readonly time: string },
  hash: HashText,
): { line: string; head: AuditHead } {
  const seq = head.seq + 1;
  const { time, event, ...more } = fields;
  const body = JSON.stringify({
    seq,
    time,
    previous: head.hash,
    event,
    ...more,
  });
  const sum = hash(body);
  return {
    line: `${body.slice(0, -1)},"hash":"${sum}"}`,
    head: { seq, hash: sum },
  };
}

/** The record of a line; a text that says why it is none, if its form or its hash is wrong. */
export function openRecord(line: string, hash: HashText): AuditRecord | string {
  const sealed = SEALED_REGEXP.exec(line)?.[1];
  if (sealed === undefined) return "it does not end in a hash";
  const body = `${line.slice(0, -sealed.length - 11)}}`;
  if (hash(body) !== sealed) return "its hash is not that of its content";
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return "it is no JSON";
  }
  return isRecord(record) ? record : "it lacks seq, time, previous or event";
}

function isRecord(record: unknown): record is AuditRecord {
  if (typeof record !== "object" || record === null) return false;
  const { seq, time, previous, event } = record as Partial<AuditRecord>;
  return Number.isSafeInteger(seq) && typeof time === "string" &&
    typeof previous === "string" && typeof event === "string";
}

/** What {@linkcode AuditVerifier} is told of the lines that a crash left behind. */
export const TORN_EVENT = "torn line";
/** The event of a signed record. */
export const CHECKPOINT_EVENT = "checkpoint";

/** What a checkpoint signs: that all the records up to and with `head` are there. */
export function checkpointText(head: AuditHead): string {
  return `portolan audit log ${head.seq} ${head.hash}`;
}

/** What is wrong with a line of an audit log. */
export interface AuditFault {
  /** Number of the line in its file, from 1. */
  readonly line: number;
  /** Why. */
  readonly reason: string;
}

/** Options of {@linkcode AuditVerifier}. */
export interface AuditVerifierOptions {
  /** SHA-256. */
  hash: HashText;
  /** Whether a signature is right; without it, signatures are not looked at. */
  verify?: ((text: string, signature: string) => boolean) | undefined;
}

/**
 * Reads the lines of an audit log, over all its files, and tells the first that does not belong. A line that a crash has
 * torn is right if the record after it notes it, so its fault is told with the next line or the file's end.
 *
 * @example Usage
 * ```ts
 * import { AuditVerifier, NO_RECORD, sealRecord } from "./audit_chain.ts";
 * import { createHash } from "node:crypto";
 * import { assertEquals } from "@std/assert";
 *
 * const hash = (text: string) => createHash("sha256").update(text).digest("hex");
 * const first = sealRecord(NO_RECORD, { time: "2026-01-01T00:00:00Z", event: "start" }, hash);
 * const next = sealRecord(first.head, { time: "2026-01-01T00:00:01Z", event: "stop" }, hash);
 *
 * const verifier = new AuditVerifier({ hash });
 * assertEquals(verifier.line(first.line), undefined);
 * assertEquals(verifier.line(next.line.replace("stop", "halt")), undefined);
 * assertEquals(verifier.fileEnded(), { line: 2, reason: "its hash is not that of its content" });
 * ```
 */
export class AuditVerifier {
  readonly #options: AuditVerifierOptions;
  #head: AuditHead | undefined;
  #firstSeq: number | undefined;
  #line = 0;
  #signedSeq: number | undefined;
  #torn: { line: number; text: string; reason: string } | undefined;
  #tornCount = 0;

  /** Starts with the first file. */
  constructor(options: AuditVerifierOptions) {
    this.#options = options;
  }

  /** The last record that is right. */
  get head(): AuditHead {
    return this.#head ?? NO_RECORD;
  }

  /** Number of the first record that was read; those before were not shown. */
  get firstSeq(): number | undefined {
    return this.#firstSeq;
  }

  /** Number of the last record that a signature vouches for; undefined if none was looked at. */
  get signedSeq(): number | undefined {
    return this.#signedSeq;
  }

  /** Lines that crashes left behind, each noted by the record after it. */
  get tornCount(): number {
    return this.#tornCount;
  }

  /** A file has ended; the lines that follow are of the next one. What is torn was not noted then. */
  fileEnded(): AuditFault | undefined {
    this.#line = 0;
    if (this.#torn === undefined) return undefined;
    const { line, reason } = this.#torn;
    return { line, reason };
  }

  /** Reads a line without its line feed; what is wrong with it, or with a torn one before it. */
  line(text: string): AuditFault | undefined {
    this.#line++;
    const record = openRecord(text, this.#options.hash);
    if (typeof record === "string") {
      this.#torn = this.#torn === undefined
        ? { line: this.#line, text, reason: record }
        : { ...this.#torn, text: `${this.#torn.text}\n${text}` };
      return undefined;
    }
    const reason = this.#faultOf(record);
    if (this.#torn !== undefined) {
      const { line, text, reason } = this.#torn;
      const isNoted = record.event === TORN_EVENT &&
        record["sha256"] === this.#options.hash(text);
      if (!isNoted) return { line, reason };
      this.#torn = undefined;
      this.#tornCount++;
    }
    if (reason !== undefined) return { line: this.#line, reason };
    this.#firstSeq ??= record.seq;
    this.#head = { seq: record.seq, hash: record.hash };
    return undefined;
  }

  #faultOf(record: AuditRecord): string | undefined {
    const { seq, previous } = record;
    const before = this.#head ?? (seq === 1 ? NO_RECORD : undefined);
    if (before !== undefined) {
      if (seq !== before.seq + 1) {
        return `record ${seq} comes after record ${before.seq}`;
      }
      if (previous !== before.hash) {
        return `record ${seq} does not belong to the record before it`;
      }
    }
    const { verify } = this.#options;
    if (record.event !== CHECKPOINT_EVENT || verify === undefined) {
      return undefined;
    }
    const text = checkpointText({ seq: seq - 1, hash: previous });
    const { signature } = record;
    if (typeof signature !== "string" || !verify(text, signature)) {
      return `the signature of record ${seq} is not by this key`;
    }
    this.#signedSeq = seq;
    return undefined;
  }
}
