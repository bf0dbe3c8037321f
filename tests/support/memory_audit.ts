import {
  type AuditHead,
  NO_RECORD,
} from "../../src/proto/security/audit_chain.ts";
import type { AuditStore } from "../../src/security/audit_log.ts";

/** Keeps the lines of an audit log in memory; its disk can be full. */
export class MemoryAuditStore implements AuditStore {
  readonly head: AuditHead = NO_RECORD;
  readonly found = [];
  /** Whether nothing can be written. */
  isFull = false;
  /** What was written. */
  text = "";
  /** The last checkpoint. */
  checkpoint = "";
  /** What was asked of it, in order. */
  readonly calls: string[] = [];
  /** Holds up writes until it is resolved. */
  gate: Promise<void> | undefined;

  async append(lines: string): Promise<void> {
    await this.gate;
    this.calls.push(`append ${lines.split("\n").length - 1}`);
    if (this.isFull) throw new Error("No space left on device");
    this.text += lines;
  }

  /** The records. */
  get records(): Record<string, unknown>[] {
    return this.text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  }

  sync(): Promise<void> {
    this.calls.push("sync");
    return Promise.resolve();
  }

  keepCheckpoint(line: string): Promise<void> {
    this.calls.push("checkpoint");
    this.checkpoint = line;
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.calls.push("close");
    return Promise.resolve();
  }
}
