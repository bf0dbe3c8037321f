/**
 * A network that misbehaves on purpose.
 *
 * @module
 */

import { runMain } from "../run.ts";
import {
  linkListMain,
  linkListSpec,
  linkSetMain,
  linkSetSpec,
  linkShowMain,
  linkShowSpec,
} from "./link_control.ts";
import { linkMain, linkSpec } from "./link_run.ts";
import { linkToxiproxyMain, linkToxiproxySpec } from "./link_toxiproxy.ts";
import { linkTraceMain, linkTraceSpec } from "./link_trace.ts";

/** Runs `deno task link`. */
export function run(args: readonly string[]): Promise<never> {
  const [action, ...rest] = args;
  switch (action) {
    case "list":
      return runMain(linkListSpec, linkListMain, rest);
    case "show":
      return runMain(linkShowSpec, linkShowMain, rest);
    case "set":
      return runMain(linkSetSpec, linkSetMain, rest);
    case "trace":
      return runMain(linkTraceSpec, linkTraceMain, rest);
    case "toxiproxy":
      return runMain(linkToxiproxySpec, linkToxiproxyMain, rest);
    default:
      return runMain(linkSpec, linkMain, args);
  }
}
