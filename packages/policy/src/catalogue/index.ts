export { classify } from "./classify.ts";
export { suggestPolicy } from "./suggest.ts";
export {
  type Classification,
  type ClassifiedAction,
  type Evidence,
  type RiskLevel,
  SIGNAL_KINDS,
  type Signal,
  type SignalKind,
  TOOL_CLASSES,
  type ToolClass,
} from "./types.ts";
