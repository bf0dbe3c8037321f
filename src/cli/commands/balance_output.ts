/**
 * What a balancer prints, and writes to its trace.
 *
 * @module
 */

import type { BalanceEvent } from "../../proxy/balance/options.ts";
import { describeError } from "../describe_error.ts";
import type { Output } from "../output.ts";
import { accessLine, accessRecord, addressText, tell } from "./proxy.ts";

/** Bytes of a trace that are kept until they are written. */
const TRACE_CHUNK = 64 * 1024;

/** A file of decisions; undefined without a path. */
export function openTrace(
  path: string | undefined,
  output: Output,
): (Disposable & { write: (line: string) => void }) | undefined {
  if (path === undefined) return undefined;
  const file = Deno.openSync(path, {
    write: true,
    create: true,
    truncate: true,
  });
  const encoder = new TextEncoder();
  let pending = "";
  let isBroken = false;
  const flush = () => {
    let bytes = encoder.encode(pending);
    pending = "";
    try {
      while (bytes.length > 0) bytes = bytes.subarray(file.writeSync(bytes));
    } catch (error) {
      // What is balanced goes on without it.
      isBroken = true;
      output.error(`cannot write ${path}: ${describeError(error)}`);
    }
  };
  return {
    write(line) {
      if (isBroken) return;
      pending += `${line}\n`;
      if (pending.length >= TRACE_CHUNK) flush();
    },
    [Symbol.dispose]() {
      if (!isBroken) flush();
      file.close();
    },
  };
}

/** Prints what a balancer tells. */
export function tellBalance(event: BalanceEvent, output: Output): void {
  switch (event.type) {
    case "relayed": {
      const { access, why } = event;
      const record = { ...accessRecord(access), why };
      return output.print(`${accessLine(access)} (${why})`, record);
    }
    case "queued": {
      const { request: { id, source }, why } = event;
      const record = { type: "queued", id, why };
      return output.print(`${addressText(source)} waits: ${why}`, record);
    }
    case "backend":
      return output.print(
        `backend ${event.backend} is ${event.status} (${event.why})`,
        event,
      );
    case "check failed":
      return output.error(
        `check of ${event.backend} failed: ${describeError(event.error)}`,
      );
    default:
      return tell(event, output);
  }
}
