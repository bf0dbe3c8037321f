/**
 * Two hubs that NATS joins to one: broadcasts to members of both.
 *
 * @module
 */

import { AbsentError, installed, LOAD_CORE, measure, Running } from "./process.ts";
