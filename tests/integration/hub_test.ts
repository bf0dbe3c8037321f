import { ROADS } from "../support/roads.ts";
import { hubSuite } from "./hub_suite.ts";

ROADS.forEach(hubSuite);
