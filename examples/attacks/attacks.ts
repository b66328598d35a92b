import batchSmuggling from "./batch-smuggling/attack.ts";
import compromisedPackage from "./compromised-package/attack.ts";
import copiedCredentials from "./copied-credentials/attack.ts";
import credentialLeak from "./credential-leak/attack.ts";
import deepNesting from "./deep-nesting/attack.ts";
import destructiveShell from "./destructive-shell/attack.ts";
import duplicateKeys from "./duplicate-keys/attack.ts";
import exfiltrationChain from "./exfiltration-chain/attack.ts";
import forcePush from "./force-push/attack.ts";
import forgedState from "./forged-state/attack.ts";
import guessableLog from "./guessable-log/attack.ts";
import headerMismatch from "./header-mismatch/attack.ts";
import hugeNumber from "./huge-number/attack.ts";
import innerAddress from "./inner-address/attack.ts";
import longLine from "./long-line/attack.ts";
import lostMeta from "./lost-meta/attack.ts";
import lyingAnnotations from "./lying-annotations/attack.ts";
import methodSmuggling from "./method-smuggling/attack.ts";
import missingArgument from "./missing-argument/attack.ts";
import mixedReload from "./mixed-reload/attack.ts";
import nonJsonBody from "./non-json-body/attack.ts";
import oddAmounts from "./odd-amounts/attack.ts";
import olderTransport from "./older-transport/attack.ts";
import otherNames from "./other-names/attack.ts";
import otherPath from "./other-path/attack.ts";
import oversizedBody from "./oversized-body/attack.ts";
import overspending from "./overspending/attack.ts";
import promptInjection from "./prompt-injection/attack.ts";
import prototypeArguments from "./prototype-arguments/attack.ts";
import quotaLeak from "./quota-leak/attack.ts";
import redirectInside from "./redirect-inside/attack.ts";
import revokedStream from "./revoked-stream/attack.ts";
import rugPull from "./rug-pull/attack.ts";
import runawayLoop from "./runaway-loop/attack.ts";
import selfApproval from "./self-approval/attack.ts";
import sharedCounter from "./shared-counter/attack.ts";
import stolenSession from "./stolen-session/attack.ts";
import type { Attack } from "./support/attack.ts";
import toolNameSmuggling from "./tool-name-smuggling/attack.ts";
import toolPoisoning from "./tool-poisoning/attack.ts";
import twoFacedList from "./two-faced-list/attack.ts";
import typeConfusion from "./type-confusion/attack.ts";
import typosquatting from "./typosquatting/attack.ts";
import undecodableParams from "./undecodable-params/attack.ts";
import unknownHost from "./unknown-host/attack.ts";
import wrongNamespace from "./wrong-namespace/attack.ts";
import wrongWindow from "./wrong-window/attack.ts";

/** The library, in the order in which it is told. */
export const ATTACKS: readonly Attack[] = [
  toolPoisoning,
  rugPull,
  twoFacedList,
  lyingAnnotations,
  promptInjection,
  exfiltrationChain,
  runawayLoop,
  typosquatting,
  compromisedPackage,
  credentialLeak,
  batchSmuggling,
  headerMismatch,
  oversizedBody,
  duplicateKeys,
  hugeNumber,
  deepNesting,
  methodSmuggling,
  forcePush,
  unknownHost,
  destructiveShell,
  overspending,
  oddAmounts,
  wrongNamespace,
  typeConfusion,
  missingArgument,
  prototypeArguments,
  toolNameSmuggling,
  otherNames,
  undecodableParams,
  nonJsonBody,
  quotaLeak,
  wrongWindow,
  olderTransport,
  lostMeta,
  longLine,
  mixedReload,
  copiedCredentials,
  sharedCounter,
  guessableLog,
  redirectInside,
  innerAddress,
  otherPath,
  revokedStream,
  stolenSession,
  forgedState,
  selfApproval,
];
