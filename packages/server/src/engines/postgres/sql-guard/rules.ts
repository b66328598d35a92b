import type { Visit } from "./judge.ts";
import { judgeCall, judgeRangeFunction, judgeTableSample, judgeValueFunction } from "./rules-calls.ts";
import {
  judgeCollation,
  judgeColumn,
  judgeFieldAccess,
  judgeOperator,
  judgeParameter,
  judgeRelation,
  judgeSortOperator,
  judgeSubqueryOperator,
} from "./rules-names.ts";
import { judgeCast, judgeTypeName } from "./rules-types.ts";

/** A rule judges one node on its own; the walk takes care of its children. */
type Rule = (visit: Visit) => void;

/** Node → rule. Nodes without a rule are harmless in themselves. */
export const RULES: Readonly<Record<string, Rule | undefined>> = {
  A_Expr: judgeOperator,
  A_Indirection: judgeFieldAccess,
  CollateClause: judgeCollation,
  ColumnRef: judgeColumn,
  DeleteStmt: judgeWrite,
  FuncCall: judgeCall,
  InsertStmt: judgeWrite,
  MergeStmt: judgeWrite,
  ParamRef: judgeParameter,
  RangeFunction: judgeRangeFunction,
  RangeTableSample: judgeTableSample,
  RangeVar: judgeRelation,
  SelectStmt: judgeSelect,
  SortBy: judgeSortOperator,
  SQLValueFunction: judgeValueFunction,
  SubLink: judgeSubqueryOperator,
  TypeCast: judgeCast,
  TypeName: judgeTypeName,
  UpdateStmt: judgeWrite,
};

function judgeWrite({ setting, findings, refuse }: Visit): void {
  findings.writes = true;
  if (!setting.writes) {
    refuse("WRITE_NOT_ALLOWED", "This statement changes rows and only reading is allowed here.");
  }
}

function judgeSelect({ fields, setting, findings, refuse }: Visit): void {
  if (fields.intoClause) {
    const message =
      "SELECT INTO creates a table; declare it with manage_schema (action apply) and fill it with INSERT.";
    refuse("STATEMENT_NOT_ALLOWED", message, "SELECT INTO");
  }
  if (!fields.lockingClause) return;
  findings.writes = true;
  if (!setting.writes) {
    refuse("WRITE_NOT_ALLOWED", "Row locks (FOR UPDATE, FOR SHARE …) are allowed only where writing is.");
  }
}
