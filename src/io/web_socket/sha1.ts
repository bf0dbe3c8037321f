import { hash } from "node:crypto";
import type { Sha1 } from "../../proto/web_socket/handshake.ts";

/** What the handshake of RFC 6455 asks for; it proves understanding, and guards nothing. */
export const sha1: Sha1 = (text) => hash("sha1", text, "base64");
