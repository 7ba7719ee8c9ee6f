// What Grafana's own types say a dashboard is, with enums as they are written in JSON. Annotations are
// left out: these types do not know what each data source adds to them.
import type { Dashboard } from "@grafana/schema";

type Plain<T> = T extends string
  ? `${T}`
  : T extends readonly (infer One)[]
    ? Plain<One>[]
    : T extends object
      ? { [Key in keyof T]: Plain<T[Key]> }
      : T;

export type Written = Plain<Omit<Dashboard, "annotations">> & { annotations: unknown };
