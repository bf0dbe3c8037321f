import type { TransferOutcome } from "../proto/transfer/messages.ts";

/** Errors that say that there is no room: disk, quota, and the largest file that the file system has. */
const FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** What an error of the disk means for the file that met it. */
export function diskFailure(
  error: unknown,
): { outcome: TransferOutcome; detail: string } {
  if (!(error instanceof Error)) throw error;
  const { code } = error as Error & { code?: unknown };
  const detail = error.message.replace(/ \(os error \d+\).*$/, "");
  if (FULL.has(String(code))) return { outcome: "full", detail };
  const denied = error instanceof Deno.errors.PermissionDenied ||
    error instanceof Deno.errors.NotCapable || code === "EROFS";
  return { outcome: denied ? "denied" : "failed", detail };
}
