import { RemoteProtocolError } from "../errors.ts";

/** Keeps a byte order mark, as it is a character of the message and not of ours to drop. */
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });
const fatal = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/**
 * Decodes UTF-8 and refuses malformed bytes.
 *
 * The runtime's fatal decoder takes two to three times as long as the lossy one. So the lossy one decodes, and the fatal
 * one is asked only when U+FFFD appears, to tell a malformed byte from a U+FFFD that was sent.
 *
 * @throws {RemoteProtocolError} (`malformed`, recoverable) If `bytes` are not UTF-8.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  const text = lossy.decode(bytes);
  if (text.indexOf("\uFFFD") >= 0) {
    try {
      fatal.decode(bytes);
    } catch (cause) {
      throw new RemoteProtocolError(
        "malformed",
        `Cannot decode text: ${bytes.length} bytes are not UTF-8`,
        { recoverable: true, cause },
      );
    }
  }
  return text;
}
